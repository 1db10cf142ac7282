/* SPDX-License-Identifier: PostgreSQL */
/*
 * Instructions that name an address, found by their bytes.  Such an instruction holds the
 * address as a 32-bit displacement or constant, and what stands before these four bytes
 * (opcode, ModRM, SIB) tells where it starts:
 *
 *	[REX] opcode ModRM{mod 0, rm 5} disp32 [imm8|imm16|imm32]	relative to its end
 *	[REX] opcode ModRM{mod 0, rm 4} SIB{no base, no index} disp32	absolute
 *	[REX] b8+r imm32, [REX] c7 ModRM imm32, 48 81|3d ...		absolute
 *
 * What was found is then decoded.  Four bytes that would be the distance to the address in an
 * instruction that capstone does not know are reported as such.
 */
#include "site/code.h"

#include <string.h>

/* An immediate of this many bytes may follow the displacement: 0, 1, 2 or 4. */
#define IMMEDIATE_MAX 4

struct scan {
	struct decoder *decoder;
	uint64_t address;
	uint64_t last;		/* instruction told last */
	void (*found)(uint64_t vaddr, bool known, void *arg);
	void *arg;
};

static bool names(const struct insn *insn, uint64_t address)
{
	uint8_t i;

	for (i = 0; i < insn->operands; i++) {
		const struct operand *op = &insn->operand[i];

		if ((op->kind == OPERAND_FIXED || op->kind == OPERAND_IMMEDIATE) &&
		    (uint64_t)op->value == address)
			return true;
	}
	return false;
}

static const struct insn *try_at(struct scan *scan, const struct image_range *range, size_t start)
{
	const struct insn *insn = decoder_at(scan->decoder, range->vaddr + start);

	return insn && names(insn, scan->address) ? insn : NULL;
}

/*
 * Which instruction has the four bytes at four?  opcode: how many bytes before them the
 * opcode's last byte stands.  0x0f and REX may stand before that, else a VEX prefix.
 */
static const struct insn *instruction_of(struct scan *scan, const struct image_range *range,
					 size_t four, size_t opcode)
{
	const uint8_t *bytes = range->bytes;
	const struct insn *insn;
	size_t start;

	if (four < opcode)
		return NULL;
	start = four - opcode;
	if (start && bytes[start - 1] == 0x0f)
		start--;
	if (start && (bytes[start - 1] & 0xf0) == 0x40)
		start--;
	insn = try_at(scan, range, start);
	if (!insn)	/* what stands before belongs to another instruction */
		insn = try_at(scan, range, four - opcode);
	if (!insn && four >= opcode + 2 && bytes[four - opcode - 2] == 0xc5)
		insn = try_at(scan, range, four - opcode - 2);
	if (!insn && four >= opcode + 3 && bytes[four - opcode - 3] == 0xc4)
		insn = try_at(scan, range, four - opcode - 3);
	return insn;
}

static void tell(struct scan *scan, uint64_t vaddr, bool known)
{
	if (vaddr == scan->last)
		return;
	scan->last = vaddr;
	scan->found(vaddr, known, scan->arg);
}

/* ModRM says that the four bytes are a displacement; what comes out right is no accident. */
static void consider_relative(struct scan *scan, const struct image_range *range, size_t four)
{
	const struct insn *insn;

	if (!four || (range->bytes[four - 1] & 0xc7) != 0x05)
		return;
	insn = instruction_of(scan, range, four, 2);
	tell(scan, insn ? insn->vaddr : range->vaddr + four, insn != NULL);
}

static void consider_absolute(struct scan *scan, const struct image_range *range, size_t four)
{
	const struct insn *insn = NULL;

	if (four > 1 && range->bytes[four - 1] == 0x25 && (range->bytes[four - 2] & 0xc7) == 0x04)
		insn = instruction_of(scan, range, four, 3);
	if (!insn)
		insn = instruction_of(scan, range, four, 1);
	if (!insn)
		insn = instruction_of(scan, range, four, 2);
	if (insn)
		tell(scan, insn->vaddr, true);
}

static void scan_relative(struct scan *scan, const struct image_range *range)
{
	uint32_t wanted = (uint32_t)(scan->address - range->vaddr - sizeof(uint32_t));
	uint32_t four;
	size_t i;

	/* Modulo 2^32, which is what the processor's sign extension comes to: decoding settles it. */
	for (i = 0; i + sizeof(four) <= range->size; i++) {
		memcpy(&four, range->bytes + i, sizeof(four));
		if (wanted - (four + (uint32_t)i) <= IMMEDIATE_MAX)
			consider_relative(scan, range, i);
	}
}

static void scan_absolute(struct scan *scan, const struct image_range *range)
{
	uint32_t wanted = (uint32_t)scan->address;
	uint32_t four;
	size_t i;

	for (i = 0; i + sizeof(four) <= range->size; i++) {
		memcpy(&four, range->bytes + i, sizeof(four));
		if (four == wanted)
			consider_absolute(scan, range, i);
	}
}

void code_scan(struct decoder *decoder, uint64_t address,
	       void (*found)(uint64_t vaddr, bool known, void *arg), void *arg)
{
	struct scan scan = { decoder, address, 0, found, arg };
	size_t count, i;
	const struct image_range *code = image_code(decoder_image(decoder), &count);

	for (i = 0; i < count; i++) {
		scan_relative(&scan, &code[i]);
		/* A position-independent object has no absolute addresses in its code. */
		if (!image_is_pie(decoder_image(decoder)) && address <= INT32_MAX)
			scan_absolute(&scan, &code[i]);
	}
}
