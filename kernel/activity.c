/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
/*
 * PROGRAM_ACTIVITY, at the entry of pgstat_report_activity(BackendState state, const char
 * *cmd_str) (src/include/utils/backend_status.h; pgstat.h before PostgreSQL 14):
 *
 *	st = task_state of this pid, or return 0;
 *	s = scratch of this pid, or { st->read_faults++; return 0; }
 *	s->head = { ACTIVITY, pid, bpf_ktime_get_ns() };
 *	s->state = first argument;
 *	length = 0;
 *	if (second argument) {
 *		n = bpf_probe_read_user_str(s + 1, SAMPLE_TEXT_MAX, second argument);
 *		if (n > 0)
 *			length = n - 1;			// n counts the NUL
 *		else
 *			st->read_faults++;
 *	}
 *	s->length = length;
 *	if (output { s, sizeof(*s) + length } fails)
 *		st->lost++;
 *	return 0;
 *
 * The sample is too long for the stack (512 bytes), and a per-CPU buffer will not do: since Linux
 * 6.0 a uprobe's program may be preempted (bpf_prog_run_array_uprobe in include/linux/bpf.h only
 * disables migration), and the next task's probe would write over it.  So each task has its own.
 */
#include "kernel/activity.h"

#include "kernel/asm.h"
#include "kernel/programs.h"
#include "kernel/regs.h"
#include "kernel/sample.h"
#include "kernel/task.h"

#define SAMPLE(field) ((int16_t)offsetof(struct sample_activity, field))
#define FAULTS offsetof(struct task_state, read_faults)

_Static_assert((SAMPLE_TEXT_MAX & (SAMPLE_TEXT_MAX - 1)) == 0, "used as a mask");

/* r8 = this task's scratch */
static void emit_find_scratch(struct assembler *a, int fault)
{
	asm_emit(a, MOV_REG(R2, R10));
	asm_emit(a, ALU_IMM(BPF_ADD, R2, STACK_PID));		/* &pid */
	asm_map(a, R1, MAP_SCRATCH);
	asm_emit(a, CALL(BPF_FUNC_map_lookup_elem));
	asm_jump(a, JUMP_IMM(BPF_JEQ, R0, 0), fault);
	asm_emit(a, MOV_REG(R8, R0));				/* s */
}

static void emit_head(struct assembler *a)
{
	asm_emit(a, CALL(BPF_FUNC_ktime_get_ns));
	asm_emit(a, STORE(BPF_DW, R8, SAMPLE(head.time_ns), R0));
	asm_emit(a, STORE_IMM(BPF_W, R8, SAMPLE(head.kind), SAMPLE_ACTIVITY));
	asm_emit(a, LOAD(BPF_W, R1, R10, STACK_PID));
	asm_emit(a, STORE(BPF_W, R8, SAMPLE(head.pid), R1));
	asm_emit(a, LOAD(BPF_DW, R1, R6, regs_here.argument[0]));
	asm_emit(a, STORE(BPF_W, R8, SAMPLE(state), R1));	/* an enum: its low half */
}

/* r9 = length of the text now behind s */
static void emit_text(struct assembler *a)
{
	int done = asm_label(a), read = asm_label(a);

	asm_emit(a, MOV_IMM(R9, 0));				/* length */
	asm_emit(a, LOAD(BPF_DW, R3, R6, regs_here.argument[1]));
	asm_jump(a, JUMP_IMM(BPF_JEQ, R3, 0), done);		/* no text */
	asm_emit(a, MOV_REG(R1, R8));
	asm_emit(a, ALU_IMM(BPF_ADD, R1, sizeof(struct sample_activity)));
	asm_emit(a, MOV_IMM(R2, SAMPLE_TEXT_MAX));
	asm_emit(a, CALL(BPF_FUNC_probe_read_user_str));
	asm_jump(a, JUMP_IMM(BPF_JSGT, R0, 0), read);
	emit_count(a, FAULTS);
	asm_jump(a, JUMP(), done);
	asm_place(a, read);
	asm_emit(a, MOV_REG(R9, R0));
	asm_emit(a, ALU_IMM(BPF_ADD, R9, -1));			/* without the NUL */
	/* Changes nothing, but shows the verifier a bound that it keeps on every kernel. */
	asm_emit(a, ALU_IMM(BPF_AND, R9, SAMPLE_TEXT_MAX - 1));
	asm_place(a, done);
	asm_emit(a, STORE(BPF_W, R8, SAMPLE(length), R9));
}

void build_activity(struct assembler *a)
{
	int out = asm_label(a), fault = asm_label(a);

	emit_find_task(a, out);
	emit_find_scratch(a, fault);
	emit_head(a);
	emit_text(a);
	asm_emit(a, MOV_REG(R4, R8));				/* s */
	asm_emit(a, MOV_REG(R5, R9));
	asm_emit(a, ALU_IMM(BPF_ADD, R5, sizeof(struct sample_activity)));
	emit_output(a);
	asm_jump(a, JUMP(), out);
	asm_place(a, fault);
	emit_count(a, FAULTS);
	emit_return(a, out);
}
