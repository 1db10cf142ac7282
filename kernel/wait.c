/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
/*
 * PROGRAM_WAIT and PROGRAM_WAIT_MERGED, at the places that store wait_event_info:
 *
 *	st = task_state of this pid, or return 0;
 *	st->hits++;
 *	if (bpf_probe_read_user(&event, 4, st->wait_event_addr)) {
 *		st->read_faults++;
 *		return 0;
 *	}
 *	if (event == st->event)				// WAIT
 *		return 0;				// a hit without a change
 *	if (event == st->event && event == 0)		// WAIT_MERGED
 *		return 0;
 *	now = bpf_ktime_get_ns();
 *	if (st->event) {
 *		s = { WAIT, pid, now, st->start_ns, st->event };
 *		if (st->object.kind && st->event - st->object_base < 32 &&
 *		    st->object_events & 1 << (st->event - st->object_base))
 *			s = { WAIT_OBJECT, as above, st->object };
 *		if (output s fails)
 *			st->lost++;
 *	}
 *	st->start_ns = now;
 *	st->event = event;
 *	return 0;
 *
 * What is in memory counts, not what the site would have stored: a probe that is reached by
 * another way than through its store sees no change and says nothing.  The comparison comes
 * before the clock because such a hit should cost little.
 *
 * The read does not fault: the store has just touched the page.  bpf_probe_read_user is of
 * Linux 5.5, which is the oldest kernel that these programs load on.
 */
#include "kernel/wait.h"

#include <stdbool.h>

#include "kernel/asm.h"
#include "kernel/programs.h"
#include "kernel/sample.h"
#include "kernel/task.h"

#define STATE(field) ((int16_t)offsetof(struct task_state, field))

#define STACK_EVENT (-8)
#define SAMPLE(field) ((int16_t)(STACK_SAMPLE + (int)offsetof(struct sample_wait_object, field)))

void emit_read_event(struct assembler *a, int fault)
{
	asm_emit(a, MOV_REG(R1, R10));
	asm_emit(a, ALU_IMM(BPF_ADD, R1, STACK_EVENT));			/* &event */
	asm_emit(a, MOV_IMM(R2, sizeof(uint32_t)));
	asm_emit(a, LOAD(BPF_DW, R3, R7, STATE(wait_event_addr)));
	asm_emit(a, CALL(BPF_FUNC_probe_read_user));
	asm_jump(a, JUMP_IMM(BPF_JNE, R0, 0), fault);
	asm_emit(a, LOAD(BPF_W, R8, R10, STACK_EVENT));			/* event */
}

/* Goes to out if no wait begins or ends here.  Leaves st->event in r9. */
static void emit_compare(struct assembler *a, bool merged, int out)
{
	int changed = asm_label(a);

	asm_emit(a, LOAD(BPF_W, R9, R7, STATE(event)));			/* st->event */
	if (merged) {
		asm_jump(a, JUMP_REG(BPF_JNE, R8, R9), changed);
		asm_jump(a, JUMP_IMM(BPF_JEQ, R8, 0), out);
	} else {
		asm_jump(a, JUMP_REG(BPF_JEQ, R8, R9), out);
	}
	asm_place(a, changed);
}

/* Makes the sample one with its object, and r5 its length, if the event in r1 is one that the object is of. */
static void emit_object(struct assembler *a)
{
	int none = asm_label(a);
	int16_t at;

	asm_emit(a, MOV_IMM(R5, sizeof(struct sample_wait)));
	asm_emit(a, LOAD(BPF_W, R2, R7, STATE(object.kind)));
	asm_jump(a, JUMP_IMM(BPF_JEQ, R2, PGT_OBJECT_NONE), none);
	asm_emit(a, LOAD(BPF_W, R2, R7, STATE(object_base)));
	asm_emit(a, ALU_REG(BPF_SUB, R1, R2));
	asm_jump(a, JUMP_IMM(BPF_JGE, R1, 32), none);		/* unsigned: below the base, too */
	asm_emit(a, LOAD(BPF_W, R2, R7, STATE(object_events)));
	asm_emit(a, ALU_REG(BPF_RSH, R2, R1));
	asm_emit(a, ALU_IMM(BPF_AND, R2, 1));
	asm_jump(a, JUMP_IMM(BPF_JEQ, R2, 0), none);
	for (at = 0; at < (int16_t)sizeof(struct pgt_object); at += 8) {
		asm_emit(a, LOAD(BPF_DW, R2, R7, STATE(object) + at));
		asm_emit(a, STORE(BPF_DW, R10, SAMPLE(object) + at, R2));
	}
	asm_emit(a, STORE_IMM(BPF_W, R10, SAMPLE(wait.head.kind), SAMPLE_WAIT_OBJECT));
	asm_emit(a, MOV_IMM(R5, sizeof(struct sample_wait_object)));
	asm_place(a, none);
}

void emit_wait_sample(struct assembler *a)
{
	asm_emit(a, STORE(BPF_W, R10, SAMPLE(wait.event), R1));
	asm_emit(a, STORE_IMM(BPF_W, R10, SAMPLE(wait.unused), 0));
	asm_emit(a, STORE_IMM(BPF_W, R10, SAMPLE(wait.head.kind), SAMPLE_WAIT));
	asm_emit(a, LOAD(BPF_W, R2, R10, STACK_PID));
	asm_emit(a, STORE(BPF_W, R10, SAMPLE(wait.head.pid), R2));
	asm_emit(a, STORE(BPF_DW, R10, SAMPLE(wait.head.time_ns), R9));
	asm_emit(a, LOAD(BPF_DW, R2, R7, STATE(start_ns)));
	asm_emit(a, STORE(BPF_DW, R10, SAMPLE(wait.start_ns), R2));
	emit_object(a);
	asm_emit(a, MOV_REG(R4, R10));
	asm_emit(a, ALU_IMM(BPF_ADD, R4, STACK_SAMPLE));		/* &sample */
	emit_output(a);
}

/* The wait that ends: st->event in r9, now in r0.  Leaves now in r9. */
static void emit_sample(struct assembler *a, int begin)
{
	asm_emit(a, MOV_REG(R1, R9));
	asm_emit(a, MOV_REG(R9, R0));					/* now */
	asm_jump(a, JUMP_IMM(BPF_JEQ, R1, 0), begin);			/* none under way */
	emit_wait_sample(a);
}

static void build(struct assembler *a, bool merged)
{
	int out = asm_label(a), fault = asm_label(a), begin = asm_label(a);

	emit_find_task(a, out);
	emit_count(a, offsetof(struct task_state, hits));
	emit_read_event(a, fault);
	emit_compare(a, merged, out);
	asm_emit(a, CALL(BPF_FUNC_ktime_get_ns));
	emit_sample(a, begin);
	asm_place(a, begin);
	asm_emit(a, STORE(BPF_DW, R7, STATE(start_ns), R9));		/* now */
	asm_emit(a, STORE(BPF_W, R7, STATE(event), R8));
	asm_jump(a, JUMP(), out);
	asm_place(a, fault);
	emit_count(a, offsetof(struct task_state, read_faults));
	emit_return(a, out);
}

void build_wait(struct assembler *a)
{
	build(a, false);
}

void build_wait_merged(struct assembler *a)
{
	build(a, true);
}
