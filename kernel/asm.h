/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
/*
 * struct assembler - a BPF program being written.
 *
 * Emit instructions (insn.h), name places by labels that may be bound later, name maps by
 * slot, then finish.  Nothing asks the kernel, so a program is built, dumped and compared
 * without one; asm_bind_maps() fills in the descriptors just before the load.
 *
 *	asm_init(&a);
 *	out = asm_label(&a);
 *	asm_jump(&a, JUMP_IMM(BPF_JEQ, R0, 0), out);
 *	...
 *	asm_place(&a, out);
 *	asm_emit(&a, EXIT());
 *	if (asm_finish(&a) < 0)
 *		... a.error says what was wrong
 *
 * The first mistake is kept in error and turns the rest into no-ops, so only asm_finish() is
 * looked at.  The struct owns no memory.
 */
#ifndef KERNEL_ASM_H
#define KERNEL_ASM_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/insn.h"

#define ASM_INSNS 512
#define ASM_LABELS 64
#define ASM_JUMPS 128

struct strbuf;

struct assembler {
	struct bpf_insn insns[ASM_INSNS];
	size_t count;
	int32_t labels[ASM_LABELS];	/* index of the instruction; -1: not placed yet */
	size_t label_count;
	struct asm_jump {
		uint16_t at, label;
	} jumps[ASM_JUMPS];
	size_t jump_count;
	const char *error;		/* static text; NULL: none so far */
};

void asm_init(struct assembler *a);
void asm_emit(struct assembler *a, struct bpf_insn insn);
/* A new label, to be placed once, before or after it is jumped to. */
int asm_label(struct assembler *a);
void asm_place(struct assembler *a, int label);
void asm_jump(struct assembler *a, struct bpf_insn insn, int label);
/* dst = the map in slot (two instructions, BPF_PSEUDO_MAP_FD). */
void asm_map(struct assembler *a, int dst, uint32_t slot);

/* Resolves the jumps.  0, or -1 with error set. */
int asm_finish(struct assembler *a);
/* Puts fds[slot] into every map load.  0, or -1 with error set: a slot >= count or an fd < 0. */
int asm_bind_maps(struct assembler *a, const int *fds, size_t count);
/* One line an instruction, as text.  Reads maps as slots: dump before binding. */
void asm_dump(const struct assembler *a, struct strbuf *out);

#endif
