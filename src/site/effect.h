/* SPDX-License-Identifier: PostgreSQL */
/* What one instruction does to what is known of registers and stack; the core of flow.c. */
#ifndef SITE_EFFECT_H
#define SITE_EFFECT_H

#include "site/flow.h"

#define REGISTERS 16
#define BIT(reg) ((uint16_t)(1u << (reg)))
#define STACK_UNKNOWN INT64_MIN

/* What is known before an instruction.  Registers and slots are bits. */
struct state {
	uint16_t pointer;	/* may hold the variable's value */
	uint16_t address;	/* may hold the variable's address */
	uint16_t fresh;		/* of both: not used since it was put there */
	uint16_t known;		/* holds constant[] */
	uint32_t slot_pointer;
	uint32_t slot_address;
	int64_t stack;		/* stack pointer, from where the walk began; or STACK_UNKNOWN */
	uint32_t constant[REGISTERS];
};

/* Changes s to what is known behind insn; stores, uses and losses go to walk. */
void effect_apply(struct walk *walk, const struct insn *insn, struct state *s);
/* Notes the first thing that could not be followed. */
void effect_lost(struct walk *walk, uint64_t vaddr, const char *why);

#endif
