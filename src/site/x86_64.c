/* SPDX-License-Identifier: PostgreSQL */
/* x86-64 instructions through capstone, reduced to struct insn and kept. */
#include "site/code.h"

#include <capstone/capstone.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "site/addrmap.h"

#define INSN_MAX 15		/* bytes, by the architecture */
#define CHUNK 256		/* instructions; they must not move */

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

#define BIT(reg) (1u << (reg))

/* System V ABI, AMD64 supplement, 3.2.1 and A.2.1. */
static const struct machine x86_64 = {
	.stack_pointer = RSP,
	.frame_pointer = RBP,
	.result = RAX,
	.arguments = BIT(RDI) | BIT(RSI) | BIT(RDX) | BIT(RCX) | BIT(R8) | BIT(R9),
	.clobbered = BIT(RAX) | BIT(RCX) | BIT(RDX) | BIT(RSI) | BIT(RDI) |
		     BIT(R8) | BIT(R9) | BIT(R10) | BIT(R11),
	.clobbered_by_kernel = BIT(RAX) | BIT(RCX) | BIT(R11),
};

#define LEGACY(reg, letter) \
	[X86_REG_R##letter##X] = (reg) + 1, [X86_REG_E##letter##X] = (reg) + 1, \
	[X86_REG_##letter##X] = (reg) + 1, [X86_REG_##letter##L] = (reg) + 1, \
	[X86_REG_##letter##H] = (reg) + 1
#define INDEX(reg, name) \
	[X86_REG_R##name] = (reg) + 1, [X86_REG_E##name] = (reg) + 1, \
	[X86_REG_##name] = (reg) + 1, [X86_REG_##name##L] = (reg) + 1
#define NUMBERED(reg) \
	[X86_REG_##reg] = (reg) + 1, [X86_REG_##reg##D] = (reg) + 1, \
	[X86_REG_##reg##W] = (reg) + 1, [X86_REG_##reg##B] = (reg) + 1

/* capstone's register, whatever its width -> ours + 1; 0: not a general one. */
static const uint8_t general[X86_REG_ENDING] = {
	LEGACY(RAX, A), LEGACY(RCX, C), LEGACY(RDX, D), LEGACY(RBX, B),
	INDEX(RSP, SP), INDEX(RBP, BP), INDEX(RSI, SI), INDEX(RDI, DI),
	NUMBERED(R8), NUMBERED(R9), NUMBERED(R10), NUMBERED(R11),
	NUMBERED(R12), NUMBERED(R13), NUMBERED(R14), NUMBERED(R15),
};

static const uint8_t classes[X86_INS_ENDING] = {
	[X86_INS_MOV] = INSN_MOVE, [X86_INS_MOVABS] = INSN_MOVE,
	[X86_INS_LEA] = INSN_LEA,
	[X86_INS_XCHG] = INSN_XCHG,
	[X86_INS_PUSH] = INSN_PUSH,
	[X86_INS_POP] = INSN_POP,
	[X86_INS_XOR] = INSN_ZERO,	/* of a register with itself: see below */
	[X86_INS_ADD] = INSN_ADJUST, [X86_INS_SUB] = INSN_ADJUST,	/* likewise */
	[X86_INS_CMP] = INSN_COMPARE, [X86_INS_TEST] = INSN_COMPARE,
	[X86_INS_CMOVA] = INSN_CMOV, [X86_INS_CMOVAE] = INSN_CMOV,
	[X86_INS_CMOVB] = INSN_CMOV, [X86_INS_CMOVBE] = INSN_CMOV,
	[X86_INS_CMOVE] = INSN_CMOV, [X86_INS_CMOVNE] = INSN_CMOV,
	[X86_INS_CMOVG] = INSN_CMOV, [X86_INS_CMOVGE] = INSN_CMOV,
	[X86_INS_CMOVL] = INSN_CMOV, [X86_INS_CMOVLE] = INSN_CMOV,
	[X86_INS_CMOVO] = INSN_CMOV, [X86_INS_CMOVNO] = INSN_CMOV,
	[X86_INS_CMOVP] = INSN_CMOV, [X86_INS_CMOVNP] = INSN_CMOV,
	[X86_INS_CMOVS] = INSN_CMOV, [X86_INS_CMOVNS] = INSN_CMOV,
	[X86_INS_NOP] = INSN_NOP, [X86_INS_PAUSE] = INSN_NOP,
	[X86_INS_CALL] = INSN_CALL,
	[X86_INS_SYSCALL] = INSN_SYSCALL, [X86_INS_SYSENTER] = INSN_SYSCALL,
	[X86_INS_JMP] = INSN_JUMP,
	[X86_INS_RET] = INSN_RETURN, [X86_INS_RETF] = INSN_RETURN, [X86_INS_IRETQ] = INSN_RETURN,
	[X86_INS_UD2] = INSN_STOP, [X86_INS_HLT] = INSN_STOP, [X86_INS_INT3] = INSN_STOP,
};

struct decoder {
	const struct image *image;
	csh capstone;
	cs_insn *raw;
	struct addrmap known;	/* vaddr -> number of the instruction */
	struct insn **chunks;
	size_t count;
};

struct decoder *decoder_new(const struct image *image)
{
	struct decoder *d = xcalloc(1, sizeof(*d));
	cs_err error = cs_open(CS_ARCH_X86, CS_MODE_64, &d->capstone);

	if (error == CS_ERR_OK)
		error = cs_option(d->capstone, CS_OPT_DETAIL, CS_OPT_ON);
	if (error != CS_ERR_OK || !(d->raw = cs_malloc(d->capstone))) {
		log_error("cannot read the code of %s: capstone: %s", image_path(image),
			  cs_strerror(error));
		decoder_free(d);
		return NULL;
	}
	d->image = image;
	return d;
}

void decoder_free(struct decoder *d)
{
	size_t i;

	if (!d)
		return;
	if (d->raw)
		cs_free(d->raw, 1);
	if (d->capstone)
		cs_close(&d->capstone);
	for (i = 0; i * CHUNK < d->count; i++)
		free(d->chunks[i]);
	free(d->chunks);
	addrmap_release(&d->known);
	free(d);
}

const struct image *decoder_image(const struct decoder *d)
{
	return d->image;
}

const struct machine *decoder_machine(const struct decoder *d)
{
	(void)d;
	return &x86_64;
}

/* --- one instruction ----------------------------------------------------------- */

static int8_t register_of(x86_reg reg)
{
	return reg < X86_REG_ENDING ? (int8_t)(general[reg] - 1) : NO_REGISTER;
}

static void memory_operand(struct operand *out, const x86_op_mem *mem, uint64_t next)
{
	out->kind = OPERAND_MEMORY;
	out->value = mem->disp;
	out->reg = register_of(mem->base);
	out->indexed = mem->index != X86_REG_INVALID;
	if (mem->segment == X86_REG_FS || mem->segment == X86_REG_GS) {
		out->kind = OPERAND_OPAQUE;
	} else if (mem->base == X86_REG_RIP) {
		out->kind = OPERAND_FIXED;
		out->value = (int64_t)(next + (uint64_t)mem->disp);
	} else if (mem->base == X86_REG_INVALID && !out->indexed) {
		out->kind = OPERAND_FIXED;
	}
}

static void fill_operand(struct operand *out, const cs_x86_op *op, uint64_t next)
{
	out->size = op->size;
	out->access = op->access & (ACCESS_READ | ACCESS_WRITE);
	out->reg = NO_REGISTER;
	if (op->type == X86_OP_REG) {
		out->reg = register_of(op->reg);
		out->kind = out->reg == NO_REGISTER ? OPERAND_OPAQUE : OPERAND_REGISTER;
	} else if (op->type == X86_OP_IMM) {
		out->kind = OPERAND_IMMEDIATE;
		out->value = op->imm;
	} else if (op->type == X86_OP_MEM) {
		memory_operand(out, &op->mem, next);
	}
}

static uint16_t registers_written(struct decoder *d, const struct insn *insn)
{
	uint8_t read_count, write_count, i;
	cs_regs reads, writes;
	uint16_t mask = 0;

	if (cs_regs_access(d->capstone, d->raw, reads, &read_count, writes, &write_count))
		return UINT16_MAX;
	for (i = 0; i < write_count; i++)
		if (register_of(writes[i]) != NO_REGISTER)
			mask |= BIT(register_of(writes[i]));
	/* capstone 4 lacks the access of some operands: take the destination as written. */
	if (insn->operands && insn->operand[0].kind == OPERAND_REGISTER &&
	    insn->class == INSN_OTHER && insn->operand[0].access != ACCESS_READ)
		mask |= BIT(insn->operand[0].reg);
	return mask;
}

static uint8_t class_of(struct decoder *d, const struct insn *insn)
{
	const struct operand *a = &insn->operand[0], *b = &insn->operand[1];
	uint8_t class = d->raw->id < X86_INS_ENDING ? classes[d->raw->id] : INSN_OTHER;
	bool same = a->kind == OPERAND_REGISTER && b->kind == OPERAND_REGISTER && a->reg == b->reg;

	if (d->raw->id == X86_INS_SUB && same)
		return INSN_ZERO;
	if (class == INSN_ZERO && !same)
		return INSN_OTHER;
	if (class == INSN_ADJUST && !(a->kind == OPERAND_REGISTER && a->reg == RSP &&
				      b->kind == OPERAND_IMMEDIATE))
		return INSN_OTHER;
	if (class == INSN_OTHER && cs_insn_group(d->capstone, d->raw, X86_GRP_JUMP))
		return INSN_BRANCH;
	return class;
}

static bool has_target(const struct insn *insn)
{
	return insn->class == INSN_CALL || insn->class == INSN_JUMP || insn->class == INSN_BRANCH;
}

static void fill(struct decoder *d, struct insn *insn)
{
	const cs_x86 *x86 = &d->raw->detail->x86;
	uint64_t next = insn->vaddr + d->raw->size;
	uint8_t i;

	insn->size = (uint8_t)d->raw->size;
	insn->operands = x86->op_count < OPERANDS_MAX ? x86->op_count : OPERANDS_MAX;
	for (i = 0; i < insn->operands; i++)
		fill_operand(&insn->operand[i], &x86->operands[i], next);
	insn->class = class_of(d, insn);
	insn->writes = registers_written(d, insn);
	if (d->raw->id == X86_INS_SUB && insn->class == INSN_ADJUST)
		insn->operand[1].value = -insn->operand[1].value;
	if (has_target(insn) && insn->operand[0].kind == OPERAND_IMMEDIATE)
		insn->target = (uint64_t)insn->operand[0].value;
}

/* The bytes at vaddr and how many more the section has, at most INSN_MAX; NULL: not code. */
static const uint8_t *code_at(const struct image *image, uint64_t vaddr, size_t *left)
{
	size_t low = 0, high;
	const struct image_range *code = image_code(image, &high);

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct image_range *range = &code[middle];

		if (vaddr < range->vaddr) {
			high = middle;
		} else if (vaddr - range->vaddr >= range->size) {
			low = middle + 1;
		} else {
			uint64_t rest = range->size - (vaddr - range->vaddr);

			*left = rest < INSN_MAX ? rest : INSN_MAX;
			return range->bytes + (vaddr - range->vaddr);
		}
	}
	return NULL;
}

/* capstone 4 does not know it. */
static bool is_endbr64(const uint8_t *bytes, size_t size)
{
	return size >= 4 && !memcmp(bytes, "\xf3\x0f\x1e\xfa", 4);
}

bool decoder_is_landing_pad(const struct insn *insn)
{
	return insn->class == INSN_NOP && insn->size == 4 && !insn->operands && !insn->cost;
}

static bool disassemble(struct decoder *d, uint64_t vaddr, const uint8_t *bytes, size_t size)
{
	return cs_disasm_iter(d->capstone, &bytes, &size, &vaddr, d->raw);
}

static struct insn *insn_new(struct decoder *d)
{
	if (d->count % CHUNK == 0) {
		d->chunks = xrealloc(d->chunks, d->count / CHUNK + 1, sizeof(*d->chunks));
		d->chunks[d->count / CHUNK] = xcalloc(CHUNK, sizeof(struct insn));
	}
	d->count++;
	return &d->chunks[(d->count - 1) / CHUNK][(d->count - 1) % CHUNK];
}

const struct insn *decoder_at(struct decoder *d, uint64_t vaddr)
{
	uint32_t number = addrmap_get(&d->known, vaddr);
	const uint8_t *bytes;
	struct insn *insn;
	size_t left;

	if (number != ADDRMAP_NONE)
		return &d->chunks[number / CHUNK][number % CHUNK];
	bytes = code_at(d->image, vaddr, &left);
	if (!bytes || d->count >= ADDRMAP_NONE)
		return NULL;
	if (!is_endbr64(bytes, left) && !disassemble(d, vaddr, bytes, left))
		return NULL;
	addrmap_put(&d->known, vaddr, (uint32_t)d->count);
	insn = insn_new(d);
	insn->vaddr = vaddr;
	if (is_endbr64(bytes, left)) {
		insn->class = INSN_NOP;
		insn->size = 4;
		return insn;
	}
	fill(d, insn);
	insn->cost = x86_64_cost(bytes, insn->size);
	return insn;
}

void decoder_text(struct decoder *d, uint64_t vaddr, char *out, size_t size)
{
	size_t left;
	const uint8_t *bytes = code_at(d->image, vaddr, &left);

	if (bytes && is_endbr64(bytes, left))
		snprintf(out, size, "endbr64");
	else if (bytes && disassemble(d, vaddr, bytes, left))
		snprintf(out, size, "%s%s%s", d->raw->mnemonic, d->raw->op_str[0] ? " " : "",
			 d->raw->op_str);
	else
		snprintf(out, size, "?");
}
