/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
/*
 * PROGRAM_FILE_*, at the entry of the functions of src/backend/storage/smgr/md.c, which all begin
 * (SMgrRelation reln, ForkNumber fork, BlockNumber block, ...):
 *
 *	st = task_state of this pid, or return 0;
 *	st->object.kind = NONE;
 *	if (bpf_probe_read_user(&st->object.file, 16, reln))
 *		return 0;
 *	st->object.file.fork = fork; .block = block; .blocks = as the function has it;
 *	st->object_base = st->file_base;
 *	st->object_events = those that this function can wait for;
 *	st->object.kind = FILE;
 *	return 0;
 *
 * These functions are called through a table (smgrsw), so they exist in every build and are in .dynsym, and their
 * arguments are where the ABI says; the USDT probes of md.c are in some builds only, and for two functions only.
 *
 * SMgrRelationData begins with the relation's tablespace, database, number and backend (storage/smgr.h, PostgreSQL
 * 13 to 18).  The events of relation files follow each other in this order in all these versions
 * (utils/wait_event.h, wait_event_names.txt).
 */
#include "kernel/file.h"

#include "kernel/asm.h"
#include "kernel/programs.h"
#include "kernel/regs.h"
#include "kernel/sample.h"
#include "kernel/task.h"

#define STATE(field) ((int16_t)offsetof(struct task_state, field))

enum {
	EXTEND = 1u << 0, FLUSH = 1u << 1, IMMEDIATE_SYNC = 1u << 2, PREFETCH = 1u << 3,
	READ = 1u << 4, SYNC = 1u << 5, TRUNCATE = 1u << 6, WRITE = 1u << 7,
	BLOCKS = EXTEND | FLUSH | PREFETCH | READ | WRITE,
	WHOLE = IMMEDIATE_SYNC | SYNC | TRUNCATE,
};

struct shape {
	int first;		/* argument that is the relation; fork and block are the next */
	int count;		/* argument that tells the number of blocks; 0: there is none */
	uint32_t blocks;	/* then: so many */
	uint32_t events;
};

static void emit_argument(struct assembler *a, int argument, int16_t field)
{
	asm_emit(a, LOAD(BPF_DW, R1, R6, regs_here.argument[argument]));
	asm_emit(a, STORE(BPF_W, R7, field, R1));
}

static void build(struct assembler *a, const struct shape *shape)
{
	int out = asm_label(a);

	emit_find_task(a, out);
	asm_emit(a, STORE_IMM(BPF_W, R7, STATE(object.kind), PGT_OBJECT_NONE));
	asm_emit(a, MOV_REG(R1, R7));
	asm_emit(a, ALU_IMM(BPF_ADD, R1, STATE(object.file)));
	asm_emit(a, MOV_IMM(R2, offsetof(struct pgt_file, fork)));
	asm_emit(a, LOAD(BPF_DW, R3, R6, regs_here.argument[shape->first]));
	asm_emit(a, CALL(BPF_FUNC_probe_read_user));
	asm_jump(a, JUMP_IMM(BPF_JNE, R0, 0), out);
	emit_argument(a, shape->first + 1, STATE(object.file.fork));
	emit_argument(a, shape->first + 2, STATE(object.file.block));
	if (shape->count)
		emit_argument(a, shape->count, STATE(object.file.blocks));
	else
		asm_emit(a, STORE_IMM(BPF_W, R7, STATE(object.file.blocks), (int32_t)shape->blocks));
	asm_emit(a, LOAD(BPF_W, R1, R7, STATE(file_base)));
	asm_emit(a, STORE(BPF_W, R7, STATE(object_base), R1));
	asm_emit(a, STORE_IMM(BPF_W, R7, STATE(object_events), (int32_t)shape->events));
	asm_emit(a, STORE_IMM(BPF_W, R7, STATE(object.kind), PGT_OBJECT_FILE));
	emit_return(a, out);
}

void build_file_block(struct assembler *a)
{
	build(a, &(struct shape){ .blocks = 1, .events = BLOCKS });
}

void build_file_blocks4(struct assembler *a)
{
	build(a, &(struct shape){ .count = 3, .events = BLOCKS });
}

void build_file_blocks5(struct assembler *a)
{
	build(a, &(struct shape){ .count = 4, .events = BLOCKS });
}

void build_file_aio(struct assembler *a)
{
	build(a, &(struct shape){ .first = 1, .count = 5, .events = BLOCKS });
}

void build_file_whole(struct assembler *a)
{
	build(a, &(struct shape){ .events = WHOLE });
}
