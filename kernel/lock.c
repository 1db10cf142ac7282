/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
/*
 * PROGRAM_LOCK, at the entry of ProcSleep(LOCALLOCK *local, ...) (src/backend/storage/lmgr/proc.c), where a
 * session has found that it must wait for a heavyweight lock:
 *
 *	st = task_state of this pid, or return 0;
 *	w = lock_work of this pid, or return 0;
 *	w->local = *local, or return 0;
 *	st->object = { LOCK, tag, mode, blockers = UNKNOWN };
 *	w->wanted = w->conflicts[mode];
 *	w->me = *MyProc; w->my_leader = w->me->lockGroupLeader or w->me;
 *	for each PROCLOCK of the lock:				// who holds it
 *		if (holds & wanted && leader != my_leader)
 *			note(proc);
 *	for each PGPROC in the lock's queue, up to w->me:	// who waits ahead
 *		if (wanted & 1 << waitLockMode && its leader != my_leader)
 *			note(proc | 1);
 *	st->object.blockers = found, "at least" where a list was too long to walk;
 *	for each noted proc:
 *		st->object.pids[i] = proc->pid;
 *		s = { BLOCKER, pid, now, proc->pid, ... };
 *		entry = *MyBEEntry + (proc->number - me->number) * entry_size;
 *		if (entry->st_procpid == proc->pid)
 *			s.state, times and text = those of the entry, if st_changecount stood still;
 *		output s;
 *	return 0;
 *
 * That is what pg_blocking_pids() says (GetBlockerStatusData in lock.c, pg_blocking_pids in lockfuncs.c).  Up to
 * PostgreSQL 16 ProcSleep is entered with the lock's partition locked, so the lists stand still; from 17
 * on they may move while they are walked.  Every read is of user memory and may fail, every loop is bounded: what
 * moves costs the answer ("unknown"), nothing else.  The same is true of a page of shared memory that the session has
 * not touched yet; the collector touches most of them for it (src/cmd/objects.c).
 *
 * The structures' parts that are named by number here are the same in PostgreSQL 13 to 18 (storage/lock.h,
 * storage/proc.h, utils/backend_status.h); what differs is in struct lock_work.  SHM_QUEUE (to 15) and dlist_node
 * (from 16 on) both are { previous, next }.
 */
#include "kernel/lock.h"

#include "kernel/asm.h"
#include "kernel/programs.h"
#include "kernel/regs.h"
#include "kernel/sample.h"
#include "kernel/task.h"

#define LOCK_HOLDERS 24		/* LOCK.procLocks */
#define LOCK_QUEUE 40		/* LOCK.waitProcs */
#define LIST_NEXT 8
#define HOLDER_LINK 32		/* PROCLOCK.lockLink */
#define ENTRY_XACT_START 24	/* PgBackendStatus.st_xact_start_timestamp, then that of the activity */
#define ENTRY_STATE 232
#define ENTRY_TEXT 248		/* st_activity_raw, a pointer */

#define WALK_MOST 64		/* of either list */
#define LOCK_CLASS 0x03000000	/* PG_WAIT_LOCK, utils/wait_event.h (wait_classes.h) */

#define STATE(field) ((int16_t)offsetof(struct task_state, field))
#define WORK(field) ((int16_t)offsetof(struct lock_work, field))

/* r0 = bpf_probe_read_user(r8 + to, size, r3 + offset); goes to fault if that fails. */
static void emit_read(struct assembler *a, int16_t to, int size, int offset, int fault)
{
	if (offset)
		asm_emit(a, ALU_IMM(BPF_ADD, R3, offset));
	asm_emit(a, MOV_REG(R1, R8));
	asm_emit(a, ALU_IMM(BPF_ADD, R1, to));
	asm_emit(a, MOV_IMM(R2, size));
	asm_emit(a, CALL(BPF_FUNC_probe_read_user));
	asm_jump(a, JUMP_IMM(BPF_JNE, R0, 0), fault);
}

/* The same at the address in w->base plus the offset that the collector put into w->field. */
static void emit_read_at(struct assembler *a, int16_t to, int size, int16_t base, int16_t field, int fault)
{
	asm_emit(a, LOAD(BPF_DW, R3, R8, base));
	asm_emit(a, LOAD(BPF_W, R1, R8, field));
	asm_emit(a, ALU_REG(BPF_ADD, R3, R1));
	emit_read(a, to, size, 0, fault);
}

static void emit_move(struct assembler *a, int size, int to_base, int16_t to, int16_t from)
{
	asm_emit(a, LOAD(size, R1, R8, from));
	asm_emit(a, STORE(size, to_base, to, R1));
}

/* r8 = lock_work of this pid */
static void emit_find_work(struct assembler *a, int out)
{
	asm_emit(a, MOV_REG(R2, R10));
	asm_emit(a, ALU_IMM(BPF_ADD, R2, STACK_PID));
	asm_map(a, R1, MAP_LOCK);
	asm_emit(a, CALL(BPF_FUNC_map_lookup_elem));
	asm_jump(a, JUMP_IMM(BPF_JEQ, R0, 0), out);
	asm_emit(a, MOV_REG(R8, R0));
}

static void emit_object(struct assembler *a, int out)
{
	asm_emit(a, STORE_IMM(BPF_W, R7, STATE(object.kind), PGT_OBJECT_NONE));
	asm_emit(a, LOAD(BPF_DW, R3, R6, regs_here.argument[0]));
	emit_read(a, WORK(local), sizeof(((struct lock_work *)0)->local), 0, out);
	emit_move(a, BPF_DW, R7, STATE(object.lock), WORK(local.tag[0]));
	emit_move(a, BPF_DW, R7, STATE(object.lock.field3), WORK(local.tag[1]));
	emit_move(a, BPF_W, R7, STATE(object.lock.mode), WORK(local.mode));
	asm_emit(a, STORE_IMM(BPF_W, R7, STATE(object.lock.blockers), -1));
	asm_emit(a, STORE_IMM(BPF_W, R7, STATE(object_base), LOCK_CLASS));
	asm_emit(a, STORE_IMM(BPF_W, R7, STATE(object_events), -1));
	asm_emit(a, STORE_IMM(BPF_W, R7, STATE(object.kind), PGT_OBJECT_LOCK));
}

/* w->to = the lock group's leader of the PGPROC at w->proc: itself where it has none */
static void emit_leader(struct assembler *a, int16_t to, int16_t proc, int out)
{
	int has = asm_label(a);

	emit_read_at(a, to, sizeof(uint64_t), proc, WORK(proc_leader), out);
	asm_emit(a, LOAD(BPF_DW, R1, R8, to));
	asm_jump(a, JUMP_IMM(BPF_JNE, R1, 0), has);
	emit_move(a, BPF_DW, R8, to, proc);
	asm_place(a, has);
}

static void emit_who(struct assembler *a, int out)
{
	asm_emit(a, LOAD(BPF_W, R1, R8, WORK(local.mode)));
	asm_emit(a, ALU_IMM(BPF_AND, R1, 15));
	asm_emit(a, ALU_IMM(BPF_LSH, R1, 2));
	asm_emit(a, ALU_REG(BPF_ADD, R1, R8));
	asm_emit(a, LOAD(BPF_W, R1, R1, WORK(conflicts)));
	asm_emit(a, STORE(BPF_W, R8, WORK(wanted), R1));
	asm_emit(a, STORE_IMM(BPF_DW, R8, WORK(found), 0));
	asm_emit(a, STORE_IMM(BPF_DW, R8, WORK(more), 0));
	asm_emit(a, LOAD(BPF_DW, R3, R8, WORK(my_proc_addr)));
	emit_read(a, WORK(me), sizeof(uint64_t), 0, out);
	emit_leader(a, WORK(my_leader), WORK(me), out);
}

/* w->procs[w->found++] = r1, if there is room */
static void emit_note(struct assembler *a)
{
	int full = asm_label(a);

	asm_emit(a, LOAD(BPF_DW, R2, R8, WORK(found)));
	asm_emit(a, MOV_REG(R3, R2));
	asm_emit(a, ALU_IMM(BPF_ADD, R3, 1));
	asm_emit(a, STORE(BPF_DW, R8, WORK(found), R3));
	asm_jump(a, JUMP_IMM(BPF_JGE, R2, PGT_LOCK_BLOCKERS), full);
	asm_emit(a, ALU_IMM(BPF_LSH, R2, 3));
	asm_emit(a, ALU_REG(BPF_ADD, R2, R8));
	asm_emit(a, STORE(BPF_DW, R2, WORK(procs), R1));
	asm_place(a, full);
}

/* w->next = the first of the list whose head is at list of the lock */
static void emit_first(struct assembler *a, int list, int out)
{
	asm_emit(a, LOAD(BPF_DW, R3, R8, WORK(local.lock)));
	emit_read(a, WORK(next), sizeof(uint64_t), list + LIST_NEXT, out);
	asm_emit(a, MOV_IMM(R9, 0));
}

/* r1 = w->next; goes to end where that is the head again */
static void emit_next(struct assembler *a, int list, int end)
{
	asm_emit(a, LOAD(BPF_DW, R1, R8, WORK(next)));
	asm_emit(a, LOAD(BPF_DW, R2, R8, WORK(local.lock)));
	asm_emit(a, ALU_IMM(BPF_ADD, R2, list));
	asm_jump(a, JUMP_REG(BPF_JEQ, R1, R2), end);
}

/* A list that is longer than we walk: it cannot be told who is behind. */
static void emit_again(struct assembler *a, int again)
{
	asm_emit(a, ALU_IMM(BPF_ADD, R9, 1));
	asm_jump(a, JUMP_IMM(BPF_JLT, R9, WALK_MOST), again);
	asm_emit(a, MOV32_IMM(R1, PGT_LOCK_AT_LEAST));
	asm_emit(a, STORE(BPF_DW, R8, WORK(more), R1));
}

static void emit_holders(struct assembler *a, int out)
{
	int again = asm_label(a), skip = asm_label(a), end = asm_label(a);

	emit_first(a, LOCK_HOLDERS, out);
	asm_place(a, again);
	emit_next(a, LOCK_HOLDERS, end);
	asm_emit(a, MOV_REG(R3, R1));
	emit_read(a, WORK(holder), sizeof(((struct lock_work *)0)->holder), -HOLDER_LINK, out);
	asm_emit(a, LOAD(BPF_W, R1, R8, WORK(holder.holds)));
	asm_emit(a, LOAD(BPF_W, R2, R8, WORK(wanted)));
	asm_emit(a, ALU_REG(BPF_AND, R1, R2));
	asm_jump(a, JUMP_IMM(BPF_JEQ, R1, 0), skip);
	asm_emit(a, LOAD(BPF_DW, R1, R8, WORK(holder.leader)));
	asm_emit(a, LOAD(BPF_DW, R2, R8, WORK(my_leader)));
	asm_jump(a, JUMP_REG(BPF_JEQ, R1, R2), skip);
	asm_emit(a, LOAD(BPF_DW, R1, R8, WORK(holder.proc)));
	emit_note(a);
	asm_place(a, skip);
	emit_move(a, BPF_DW, R8, WORK(next), WORK(holder.next));
	emit_again(a, again);
	asm_place(a, end);
}

/* An element of the queue is a PGPROC, whose links come first. */
static void emit_queue(struct assembler *a, int out)
{
	int again = asm_label(a), skip = asm_label(a), end = asm_label(a);

	emit_first(a, LOCK_QUEUE, out);
	asm_place(a, again);
	emit_next(a, LOCK_QUEUE, end);
	asm_emit(a, LOAD(BPF_DW, R2, R8, WORK(me)));
	asm_jump(a, JUMP_REG(BPF_JEQ, R1, R2), end);
	asm_emit(a, MOV_REG(R3, R1));
	emit_read(a, WORK(links), sizeof(((struct lock_work *)0)->links), 0, out);
	emit_read_at(a, WORK(mode), sizeof(uint32_t), WORK(next), WORK(proc_wait_mode), out);
	asm_emit(a, LOAD(BPF_W, R1, R8, WORK(wanted)));
	asm_emit(a, LOAD(BPF_W, R2, R8, WORK(mode)));
	asm_emit(a, ALU_IMM(BPF_AND, R2, 15));
	asm_emit(a, ALU_REG(BPF_RSH, R1, R2));
	asm_emit(a, ALU_IMM(BPF_AND, R1, 1));
	asm_jump(a, JUMP_IMM(BPF_JEQ, R1, 0), skip);
	emit_leader(a, WORK(leader), WORK(next), out);
	asm_emit(a, LOAD(BPF_DW, R1, R8, WORK(leader)));
	asm_emit(a, LOAD(BPF_DW, R2, R8, WORK(my_leader)));
	asm_jump(a, JUMP_REG(BPF_JEQ, R1, R2), skip);
	asm_emit(a, LOAD(BPF_DW, R1, R8, WORK(next)));
	asm_emit(a, ALU_IMM(BPF_OR, R1, PGT_BLOCKER_AHEAD));
	emit_note(a);
	asm_place(a, skip);
	emit_move(a, BPF_DW, R8, WORK(next), WORK(links[1]));
	emit_again(a, again);
	asm_place(a, end);
}

/* --- the blockers ----------------------------------------------------------- */

/* w->entry = the other's PgBackendStatus */
static void emit_find_entry(struct assembler *a, int none)
{
	asm_emit(a, LOAD(BPF_DW, R3, R8, WORK(my_entry_addr)));
	asm_jump(a, JUMP_IMM(BPF_JEQ, R3, 0), none);
	emit_read(a, WORK(entry), sizeof(uint64_t), 0, none);
	emit_read_at(a, WORK(my_number), sizeof(uint32_t), WORK(me), WORK(proc_number), none);
	emit_read_at(a, WORK(number), sizeof(uint32_t), WORK(proc), WORK(proc_number), none);
	asm_emit(a, LOAD(BPF_W, R1, R8, WORK(number)));
	asm_emit(a, LOAD(BPF_W, R2, R8, WORK(my_number)));
	asm_emit(a, ALU_REG(BPF_SUB, R1, R2));		/* below zero, too */
	asm_emit(a, LOAD(BPF_W, R2, R8, WORK(entry_size)));
	asm_emit(a, ALU_REG(BPF_MUL, R1, R2));
	asm_emit(a, LOAD(BPF_DW, R2, R8, WORK(entry)));
	asm_emit(a, ALU_REG(BPF_ADD, R1, R2));
	asm_emit(a, STORE(BPF_DW, R8, WORK(entry), R1));
	asm_emit(a, MOV_REG(R3, R1));
	emit_read(a, WORK(entry_head), sizeof(((struct lock_work *)0)->entry_head), 0, none);
	asm_emit(a, LOAD(BPF_W, R1, R8, WORK(entry_head[1])));
	asm_emit(a, LOAD(BPF_W, R2, R8, WORK(sample.pid)));
	asm_jump(a, JUMP_REG(BPF_JNE, R1, R2), none);
}

static void emit_read_entry(struct assembler *a, int16_t to, int size, int offset, int none)
{
	asm_emit(a, LOAD(BPF_DW, R3, R8, WORK(entry)));
	emit_read(a, to, size, offset, none);
}

/* State, times and text, unless the entry was being written (st_changecount). */
static void emit_entry(struct assembler *a)
{
	int none = asm_label(a);

	emit_find_entry(a, none);
	emit_read_entry(a, WORK(sample.xact_start_us), 2 * sizeof(int64_t), ENTRY_XACT_START, none);
	emit_read_entry(a, WORK(sample.state), sizeof(uint32_t), ENTRY_STATE, none);
	emit_read_entry(a, WORK(text), sizeof(uint64_t), ENTRY_TEXT, none);
	asm_emit(a, MOV_REG(R1, R8));
	asm_emit(a, ALU_IMM(BPF_ADD, R1, WORK(sample_text)));
	asm_emit(a, MOV_IMM(R2, SAMPLE_BLOCKER_TEXT_MAX));
	asm_emit(a, LOAD(BPF_DW, R3, R8, WORK(text)));
	asm_emit(a, CALL(BPF_FUNC_probe_read_user_str));
	asm_jump(a, JUMP_IMM(BPF_JSLE, R0, 0), none);
	asm_emit(a, ALU_IMM(BPF_ADD, R0, -1));			/* without the NUL */
	asm_emit(a, STORE(BPF_W, R8, WORK(number), R0));
	emit_read_entry(a, WORK(entry_again), sizeof(uint32_t), 0, none);
	asm_emit(a, LOAD(BPF_W, R1, R8, WORK(entry_head[0])));
	asm_emit(a, LOAD(BPF_W, R2, R8, WORK(entry_again)));
	asm_jump(a, JUMP_REG(BPF_JNE, R1, R2), none);
	asm_emit(a, ALU_IMM(BPF_AND, R1, 1));
	asm_jump(a, JUMP_IMM(BPF_JNE, R1, 0), none);
	emit_move(a, BPF_W, R8, WORK(sample.length), WORK(number));
	asm_emit(a, LOAD(BPF_W, R1, R8, WORK(sample.flags)));
	asm_emit(a, ALU_IMM(BPF_OR, R1, PGT_BLOCKER_KNOWN));
	asm_emit(a, STORE(BPF_W, R8, WORK(sample.flags), R1));
	asm_place(a, none);
}

/* w->proc and w->sample of the r9-th that was noted; its pid into the object */
static void emit_begin_blocker(struct assembler *a, int out)
{
	asm_emit(a, MOV_REG(R1, R9));
	asm_emit(a, ALU_IMM(BPF_LSH, R1, 3));
	asm_emit(a, ALU_REG(BPF_ADD, R1, R8));
	asm_emit(a, LOAD(BPF_DW, R1, R1, WORK(procs)));
	asm_emit(a, MOV_REG(R2, R1));
	asm_emit(a, ALU_IMM(BPF_AND, R2, PGT_BLOCKER_AHEAD));
	asm_emit(a, STORE(BPF_W, R8, WORK(sample.flags), R2));
	asm_emit(a, ALU_IMM(BPF_AND, R1, ~(int)PGT_BLOCKER_AHEAD));
	asm_emit(a, STORE(BPF_DW, R8, WORK(proc), R1));
	asm_emit(a, STORE_IMM(BPF_W, R8, WORK(sample.state), 0));
	asm_emit(a, STORE_IMM(BPF_W, R8, WORK(sample.length), 0));
	emit_read_at(a, WORK(sample.pid), sizeof(uint32_t), WORK(proc), WORK(proc_pid), out);
	asm_emit(a, LOAD(BPF_W, R1, R8, WORK(sample.pid)));
	asm_emit(a, MOV_REG(R2, R9));
	asm_emit(a, ALU_IMM(BPF_LSH, R2, 2));
	asm_emit(a, ALU_REG(BPF_ADD, R2, R7));
	asm_emit(a, STORE(BPF_W, R2, STATE(object.lock.pids), R1));
}

static void emit_sample(struct assembler *a)
{
	asm_emit(a, CALL(BPF_FUNC_ktime_get_ns));
	asm_emit(a, STORE(BPF_DW, R8, WORK(sample.head.time_ns), R0));
	asm_emit(a, STORE_IMM(BPF_W, R8, WORK(sample.head.kind), SAMPLE_BLOCKER));
	asm_emit(a, LOAD(BPF_W, R1, R10, STACK_PID));
	asm_emit(a, STORE(BPF_W, R8, WORK(sample.head.pid), R1));
	asm_emit(a, MOV_REG(R4, R8));
	asm_emit(a, ALU_IMM(BPF_ADD, R4, WORK(sample)));
	asm_emit(a, LOAD(BPF_W, R5, R8, WORK(sample.length)));
	/* Changes nothing, but shows the verifier a bound. */
	asm_emit(a, ALU_IMM(BPF_AND, R5, SAMPLE_BLOCKER_TEXT_MAX - 1));
	asm_emit(a, ALU_IMM(BPF_ADD, R5, sizeof(struct sample_blocker)));
	emit_output(a);
}

void build_lock(struct assembler *a)
{
	int out = asm_label(a), again = asm_label(a);

	emit_find_task(a, out);
	emit_find_work(a, out);
	emit_object(a, out);
	emit_who(a, out);
	emit_holders(a, out);
	emit_queue(a, out);
	asm_emit(a, LOAD(BPF_DW, R1, R8, WORK(found)));
	asm_emit(a, LOAD(BPF_DW, R2, R8, WORK(more)));
	asm_emit(a, ALU_REG(BPF_OR, R1, R2));
	asm_emit(a, STORE(BPF_W, R7, STATE(object.lock.blockers), R1));
	asm_emit(a, MOV_IMM(R9, 0));
	asm_place(a, again);
	asm_emit(a, LOAD(BPF_DW, R1, R8, WORK(found)));
	asm_jump(a, JUMP_REG(BPF_JGE, R9, R1), out);
	emit_begin_blocker(a, out);
	emit_entry(a);
	emit_sample(a);
	asm_emit(a, ALU_IMM(BPF_ADD, R9, 1));
	asm_jump(a, JUMP_IMM(BPF_JLT, R9, PGT_LOCK_BLOCKERS), again);
	emit_return(a, out);
}
