/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
#include "kernel/asm.h"

#include <stdbool.h>
#include <string.h>

static void fail(struct assembler *a, const char *why)
{
	if (!a->error)
		a->error = why;
}

void asm_init(struct assembler *a)
{
	memset(a, 0, sizeof(*a));
}

void asm_emit(struct assembler *a, struct bpf_insn insn)
{
	if (a->count == ASM_INSNS)
		fail(a, "more instructions than the assembler holds");
	if (!a->error)
		a->insns[a->count++] = insn;
}

int asm_label(struct assembler *a)
{
	if (a->label_count == ASM_LABELS) {
		fail(a, "more labels than the assembler holds");
		return 0;
	}
	a->labels[a->label_count] = -1;
	return (int)a->label_count++;
}

static bool known(struct assembler *a, int label)
{
	if (label >= 0 && (size_t)label < a->label_count)
		return true;
	fail(a, "no such label");
	return false;
}

void asm_place(struct assembler *a, int label)
{
	if (!known(a, label))
		return;
	if (a->labels[label] >= 0)
		fail(a, "a label is placed twice");
	else
		a->labels[label] = (int32_t)a->count;
}

void asm_jump(struct assembler *a, struct bpf_insn insn, int label)
{
	if (!known(a, label))
		return;
	if (a->jump_count == ASM_JUMPS)
		fail(a, "more jumps than the assembler holds");
	if (a->error)
		return;
	a->jumps[a->jump_count++] = (struct asm_jump){ (uint16_t)a->count, (uint16_t)label };
	asm_emit(a, insn);
}

void asm_map(struct assembler *a, int dst, uint32_t slot)
{
	/* A 64-bit load takes two instructions; the second holds the high half. */
	asm_emit(a, INSN(BPF_LD | BPF_IMM | BPF_DW, dst, BPF_PSEUDO_MAP_FD, 0, (int32_t)slot));
	asm_emit(a, INSN(0, 0, 0, 0, 0));
}

int asm_finish(struct assembler *a)
{
	size_t i;

	for (i = 0; i < a->jump_count && !a->error; i++) {
		int32_t target = a->labels[a->jumps[i].label];

		if (target < 0)
			fail(a, "a jump goes to a label that was never placed");
		else if ((size_t)target >= a->count)
			fail(a, "a jump goes past the last instruction");
		else	/* counted from the instruction after the jump */
			a->insns[a->jumps[i].at].off = (int16_t)(target - a->jumps[i].at - 1);
	}
	return a->error ? -1 : 0;
}

static bool is_map_load(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW) && insn->src_reg == BPF_PSEUDO_MAP_FD;
}

int asm_bind_maps(struct assembler *a, const int *fds, size_t count)
{
	size_t i;

	for (i = 0; i < a->count && !a->error; i++) {
		uint32_t slot = (uint32_t)a->insns[i].imm;

		if (!is_map_load(&a->insns[i]))
			continue;
		if (slot >= count || fds[slot] < 0)
			fail(a, "a map that was not made");
		else
			a->insns[i].imm = fds[slot];
	}
	return a->error ? -1 : 0;
}
