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

/* The instruction that starts lead bytes before the four, if it has them, too. */
static const struct insn *try_lead(struct scan *scan, const struct image_range *range, size_t four,
				   size_t lead)
{
	const struct insn *insn;

	if (lead > four)
		return NULL;
	insn = decoder_at(scan->decoder, range->vaddr + four - lead);
	return insn && insn->size >= lead + sizeof(uint32_t) ? insn : NULL;
}

/*
 * Which instruction has the four bytes at four?  opcode: how many bytes before them the
 * opcode's last byte stands.  0x0f and REX may stand before that, else a VEX prefix; or
 * what stands before belongs to another instruction.
 */
static const struct insn *instruction_of(struct scan *scan, const struct image_range *range,
					 size_t four, size_t opcode)
{
	const uint8_t *at = range->bytes + four;
	const struct insn *insn;
	size_t lead = opcode;

	if (four > lead && at[-(ptrdiff_t)lead - 1] == 0x0f)
		lead++;
	if (four > lead && (at[-(ptrdiff_t)lead - 1] & 0xf0) == 0x40)
		lead++;
	insn = try_lead(scan, range, four, lead);
	if (!insn)
		insn = try_lead(scan, range, four, opcode);
	if (!insn && four >= opcode + 2 && at[-(ptrdiff_t)opcode - 2] == 0xc5)
		insn = try_lead(scan, range, four, opcode + 2);
	if (!insn && four >= opcode + 3 && at[-(ptrdiff_t)opcode - 3] == 0xc4)
		insn = try_lead(scan, range, four, opcode + 3);
	return insn;
}

static void tell(struct scan *scan, uint64_t vaddr, bool known)
{
	if (vaddr == scan->last)
		return;
	scan->last = vaddr;
	scan->found(vaddr, known, scan->arg);
}

/*
 * ModRM says that the four bytes are a displacement.  They may still be that to a neighbour of
 * the variable, with an immediate behind: the instruction tells.
 */
static void consider_relative(struct scan *scan, const struct image_range *range, size_t four)
{
	const struct insn *insn;

	if (!four || (range->bytes[four - 1] & 0xc7) != 0x05)
		return;
	insn = instruction_of(scan, range, four, 2);
	if (!insn)
		tell(scan, range->vaddr + four, false);
	else if (names(insn, scan->address))
		tell(scan, insn->vaddr, true);
}

static bool consider_lead(struct scan *scan, const struct image_range *range, size_t four,
			  size_t opcode)
{
	const struct insn *insn = instruction_of(scan, range, four, opcode);

	if (!insn || !names(insn, scan->address))
		return false;
	tell(scan, insn->vaddr, true);
	return true;
}

static void consider_absolute(struct scan *scan, const struct image_range *range, size_t four)
{
	const uint8_t *at = range->bytes + four;

	if (four > 1 && at[-1] == 0x25 && (at[-2] & 0xc7) == 0x04 &&
	    consider_lead(scan, range, four, 3))
		return;
	if (!consider_lead(scan, range, four, 1))
		consider_lead(scan, range, four, 2);
}

/* Whether the distance at offset i leads to the address, or to an immediate's length before it. */
static bool is_near(const uint8_t *bytes, size_t i, uint32_t wanted)
{
	uint32_t four;

	memcpy(&four, bytes + i, sizeof(four));
	return wanted - (four + (uint32_t)i) <= IMMEDIATE_MAX;
}

#define BLOCK 64	/* offsets looked at together */
#define LANES 4

typedef uint32_t words __attribute__((vector_size(LANES * sizeof(uint32_t))));

/* is_near of any offset in [at, at + BLOCK): this is where the time goes. */
static bool block_has_any(const uint8_t *bytes, size_t at, uint32_t wanted)
{
	const words step = { 0, 4, 8, 12 };
	words any = { 0 }, four;
	size_t shift, i;

	for (shift = 0; shift < sizeof(uint32_t); shift++)
		for (i = at + shift; i < at + BLOCK; i += sizeof(four)) {
			memcpy(&four, bytes + i, sizeof(four));
			any |= (words)(wanted - (uint32_t)i - (four + step) <= IMMEDIATE_MAX);
		}
	return any[0] | any[1] | any[2] | any[3];
}

/* Modulo 2^32, which is what the processor's sign extension comes to: decoding settles it. */
static void scan_relative(struct scan *scan, const struct image_range *range)
{
	uint32_t wanted = (uint32_t)(scan->address - range->vaddr - sizeof(uint32_t));
	size_t end = range->size < sizeof(uint32_t) ? 0 : range->size - sizeof(uint32_t) + 1;
	size_t at, i;

	for (at = 0; at < end; at += BLOCK) {
		if (end - at > BLOCK + sizeof(words) && !block_has_any(range->bytes, at, wanted))
			continue;
		for (i = at; i < end && i < at + BLOCK; i++)
			if (is_near(range->bytes, i, wanted))
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
