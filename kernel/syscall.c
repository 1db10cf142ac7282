/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
/*
 * PROGRAM_SYS_ENTER and PROGRAM_SYS_EXIT: waits from system calls.  A backend that waits does so in
 * a system call that it makes while its wait_event_info says for what.
 *
 * Entry:
 *	st = task_state of this pid, or return 0;
 *	st->hits++;
 *	event = *st->wait_event_addr, or { st->read_faults++; return 0; }
 *	if (event == st->event) {
 *		if (!st->end_ns)
 *			return 0;		// none, or one that began before the probes
 *		now = bpf_ktime_get_ns();
 *		if (now - st->end_ns <= SAMPLE_PAUSE_NS) {
 *			st->end_ns = 0;		// the wait goes on
 *			return 0;
 *		}
 *	} else {
 *		now = bpf_ktime_get_ns();
 *	}
 *	if (st->event && output { WAIT, pid, st->end_ns ?: now, st->start_ns, st->event } fails)
 *		st->lost++;			// now it is known to be over
 *	st->end_ns = 0;
 *	st->start_ns = now;
 *	st->event = event;
 *	return 0;
 *
 * Exit:
 *	st = task_state of this pid, or return 0;
 *	if (!st->event || st->end_ns)
 *		return 0;
 *	now = bpf_ktime_get_ns();
 *	class = st->event >> 24;
 *	if (class != PG_WAIT_IO && class != PG_WAIT_LWLOCK) {
 *		st->end_ns = now;
 *		return 0;
 *	}
 *	if (output { WAIT, pid, now, st->start_ns, st->event } fails)
 *		st->lost++;
 *	st->event = 0;
 *	return 0;
 *
 * One wait or several?  A wait on a latch, a lock or a client is a loop: epoll_wait, a read of the
 * signal's descriptor, epoll_wait again; and a signal's handler makes system calls of its own in
 * the middle.  All of these are one wait, because the event stays.  That the server has left it
 * is seen when it makes a system call with another event or none; until then the wait is pending, and
 * st->end_ns says since when.  Two waits for the same event without any system call between them look
 * like one, unless SAMPLE_PAUSE_NS of computing lies between.
 *
 * For LWLocks each system call is one wait: a backend that queues for the same lock again and again
 * need not make any other system call between (of 441 waits for WALWrite in 300 commits beside four
 * other sessions, joining left 17), while one wait sleeps twice only when its semaphore
 * was posted for something else, or on a signal.
 *
 * For input and output too, because blocks are read in a row without a system
 * call between the waits.  PostgreSQL 17 and later read several blocks in one preadv, which is one
 * wait there too; a read that came back short is tried again inside a wait of its own.  The few
 * waits that hold several calls (WALInitWrite fills a segment) become as many, with the right sum.
 *
 * A pending wait must not be held back forever by a backend that computes.  Its end is in
 * the state map, so the collector lets nothing younger pass until the sample is there, and takes
 * the wait from the map itself when SAMPLE_PAUSE_NS have made it final (src/merge/pending.h).  For that, the
 * stores of this program are ordered: the sample is out before st->event or st->end_ns changes.
 *
 * Nothing is read from the context, so the same instructions do on a raw tracepoint and
 * on the tracepoints raw_syscalls/sys_enter and sys_exit.
 */
#include "kernel/syscall.h"

#include "kernel/asm.h"
#include "kernel/programs.h"
#include "kernel/sample.h"
#include "kernel/task.h"
#include "kernel/wait.h"

#define STATE(field) ((int16_t)offsetof(struct task_state, field))
#define STACK_NOW (STACK_SAMPLE - 8)	/* u64 */

/* The class in an event's highest byte: src/include/utils/wait_event.h, the same in 13 to 18. */
#define CLASS_SHIFT 24
#define CLASS_LWLOCK 0x01
#define CLASS_IO 0x0a

_Static_assert(STACK_NOW % 8 == 0, "a u64 on the stack is aligned");

/* The clock, into STACK_NOW and r0. */
static void emit_now(struct assembler *a)
{
	asm_emit(a, CALL(BPF_FUNC_ktime_get_ns));
	asm_emit(a, STORE(BPF_DW, R10, STACK_NOW, R0));
}

/* The event is that of before: goes to out unless the wait of before is over. */
static void emit_same_event(struct assembler *a, int over, int out)
{
	asm_emit(a, LOAD(BPF_DW, R9, R7, STATE(end_ns)));
	asm_jump(a, JUMP_IMM(BPF_JEQ, R9, 0), out);
	emit_now(a);
	asm_emit(a, ALU_REG(BPF_SUB, R0, R9));			/* now - st->end_ns */
	asm_jump(a, JUMP_IMM(BPF_JGT, R0, SAMPLE_PAUSE_NS), over);
	asm_emit(a, STORE_IMM(BPF_DW, R7, STATE(end_ns), 0));
	asm_jump(a, JUMP(), out);
}

/* Says the wait of before, if there was one. */
static void emit_over(struct assembler *a, int begin)
{
	int known = asm_label(a);

	asm_emit(a, LOAD(BPF_W, R1, R7, STATE(event)));
	asm_jump(a, JUMP_IMM(BPF_JEQ, R1, 0), begin);
	asm_emit(a, LOAD(BPF_DW, R9, R7, STATE(end_ns)));
	asm_jump(a, JUMP_IMM(BPF_JNE, R9, 0), known);
	asm_emit(a, LOAD(BPF_DW, R9, R10, STACK_NOW));
	asm_place(a, known);
	emit_wait_sample(a);
}

void build_sys_enter(struct assembler *a)
{
	int out = asm_label(a), fault = asm_label(a);
	int changed = asm_label(a), over = asm_label(a), begin = asm_label(a);

	emit_find_task(a, out);
	emit_count(a, offsetof(struct task_state, hits));
	emit_read_event(a, fault);
	asm_emit(a, LOAD(BPF_W, R9, R7, STATE(event)));
	asm_jump(a, JUMP_REG(BPF_JNE, R8, R9), changed);
	emit_same_event(a, over, out);
	asm_place(a, changed);
	emit_now(a);
	asm_place(a, over);
	emit_over(a, begin);
	asm_place(a, begin);
	asm_emit(a, STORE_IMM(BPF_DW, R7, STATE(end_ns), 0));
	asm_emit(a, LOAD(BPF_DW, R1, R10, STACK_NOW));
	asm_emit(a, STORE(BPF_DW, R7, STATE(start_ns), R1));
	asm_emit(a, STORE(BPF_W, R7, STATE(event), R8));
	asm_jump(a, JUMP(), out);
	asm_place(a, fault);
	emit_count(a, offsetof(struct task_state, read_faults));
	emit_return(a, out);
}

void build_sys_exit(struct assembler *a)
{
	int out = asm_label(a), over = asm_label(a);

	emit_find_task(a, out);
	asm_emit(a, LOAD(BPF_W, R8, R7, STATE(event)));
	asm_jump(a, JUMP_IMM(BPF_JEQ, R8, 0), out);
	asm_emit(a, LOAD(BPF_DW, R1, R7, STATE(end_ns)));
	asm_jump(a, JUMP_IMM(BPF_JNE, R1, 0), out);
	asm_emit(a, CALL(BPF_FUNC_ktime_get_ns));
	asm_emit(a, MOV_REG(R9, R0));					/* now */
	asm_emit(a, MOV_REG(R1, R8));
	asm_emit(a, ALU_IMM(BPF_RSH, R1, CLASS_SHIFT));
	asm_jump(a, JUMP_IMM(BPF_JEQ, R1, CLASS_IO), over);
	asm_jump(a, JUMP_IMM(BPF_JEQ, R1, CLASS_LWLOCK), over);
	asm_emit(a, STORE(BPF_DW, R7, STATE(end_ns), R9));
	asm_jump(a, JUMP(), out);
	asm_place(a, over);
	asm_emit(a, MOV_REG(R1, R8));
	emit_wait_sample(a);
	asm_emit(a, STORE_IMM(BPF_W, R7, STATE(event), 0));
	emit_return(a, out);
}
