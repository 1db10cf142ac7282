/* SPDX-License-Identifier: PostgreSQL */
/*
 * Machine code, as the site finder sees it: what an instruction does to registers and
 * memory, and what a probe on it costs.  One file per architecture fills this in
 * (x86_64.c); nothing else knows an opcode.
 */
#ifndef SITE_CODE_H
#define SITE_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elf/image.h"
#include "site/site.h"

enum insn_class {
	INSN_OTHER,		/* known only by what it reads and writes */
	INSN_MOVE,		/* operand 0 = operand 1 */
	INSN_LEA,		/* operand 0 = address of operand 1 */
	INSN_XCHG,
	INSN_PUSH,
	INSN_POP,
	INSN_ZERO,		/* operand 0 = 0 */
	INSN_CMOV,		/* operand 0 = operand 1, perhaps */
	INSN_COMPARE,		/* reads only */
	INSN_ADJUST,		/* stack pointer += operand 1 */
	INSN_NOP,
	INSN_CALL,
	INSN_SYSCALL,
	INSN_JUMP,
	INSN_BRANCH,		/* conditional jump */
	INSN_RETURN,
	INSN_STOP,		/* does not come back: ud2, hlt, int3 */
	INSN_CLASSES,
};

enum operand_kind {
	OPERAND_NONE,
	OPERAND_REGISTER,	/* general */
	OPERAND_IMMEDIATE,
	OPERAND_FIXED,		/* memory at an address that the instruction tells */
	OPERAND_MEMORY,		/* memory at base + value, + an index if indexed */
	OPERAND_OPAQUE,		/* vector register, segment, ...: holds nothing we follow */
};

enum { ACCESS_READ = 1, ACCESS_WRITE = 2 };

#define NO_REGISTER (-1)

struct operand {
	uint8_t kind;		/* enum operand_kind */
	uint8_t access;		/* meaningful for INSN_OTHER */
	uint8_t size;		/* bytes */
	bool indexed;
	int8_t reg;		/* register, or base; NO_REGISTER */
	int64_t value;		/* immediate, fixed address, or displacement */
};

#define OPERANDS_MAX 3

struct insn {
	uint64_t vaddr;
	uint64_t target;	/* of call, jump and branch; 0: computed */
	uint16_t writes;	/* general registers changed, a bit each */
	uint8_t size;		/* bytes */
	uint8_t class;		/* enum insn_class */
	uint8_t cost;		/* enum site_cost of a probe here; 0: uprobes refuse it */
	uint8_t operands;
	struct operand operand[OPERANDS_MAX];
};

/* The calling convention; registers as bits. */
struct machine {
	int8_t stack_pointer;
	int8_t frame_pointer;
	int8_t result;
	uint16_t arguments;
	uint16_t clobbered;	/* by a call */
	uint16_t clobbered_by_kernel;	/* by a system call */
};

struct decoder;

/* image must outlive it.  NULL after one log_error line. */
struct decoder *decoder_new(const struct image *image);
void decoder_free(struct decoder *decoder);	/* NULL is fine */
const struct image *decoder_image(const struct decoder *decoder);
const struct machine *decoder_machine(const struct decoder *decoder);
/* The instruction at vaddr, decoded once; lives as long as the decoder.  NULL: not code. */
const struct insn *decoder_at(struct decoder *decoder, uint64_t vaddr);
/* "call 0x1234" for people, cut to size. */
void decoder_text(struct decoder *decoder, uint64_t vaddr, char *out, size_t size);
/* Whether the instruction only marks the target of an indirect branch (endbr64). */
bool decoder_is_landing_pad(const struct insn *insn);

/*
 * Calls found with the address of every instruction that names address, as memory or as a
 * constant; known is false where the decoder cannot tell what it is (vaddr is then near it).  It
 * reads the code's bytes, not its instructions: a disassembly of a whole server would take
 * seconds.
 */
void code_scan(struct decoder *decoder, uint64_t address,
	       void (*found)(uint64_t vaddr, bool known, void *arg), void *arg);

/* x86_64_cost.c: the cost of a probe on the instruction in size bytes; 0: refused. */
uint8_t x86_64_cost(const uint8_t *bytes, size_t size);

#endif
