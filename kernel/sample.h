/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
/*
 * sample.h - THE sample format: what the programs in kernel/ write into the perf
 * rings, as the raw part of a PERF_RECORD_SAMPLE, and what src/ring hands on.
 *
 * Times are CLOCK_MONOTONIC ns (bpf_ktime_get_ns).  The kernel pads the raw part,
 * so a sample may be followed by up to 7 bytes that mean nothing.
 */
#ifndef PGT_SAMPLE_H
#define PGT_SAMPLE_H

#include <stdint.h>

#include "ext/record.h"

enum sample_kind {
	SAMPLE_WAIT = 1,	/* struct sample_wait: a wait has ended */
	SAMPLE_ACTIVITY,	/* struct sample_activity: pgstat_report_activity was called */
	SAMPLE_LOST,		/* struct sample_lost: made by src/ring, never by a program */
	SAMPLE_WAIT_OBJECT,	/* struct sample_wait_object: a wait has ended, and on what it was is known */
	SAMPLE_BLOCKER,		/* struct sample_blocker: a lock wait begins, and this process is in its way */
	SAMPLE_KINDS
};

struct sample {
	uint32_t kind;		/* enum sample_kind */
	uint32_t pid;		/* tgid in the initial pid namespace; 0 for LOST */
	uint64_t time_ns;	/* when it was made; of LOST, when it was seen */
};

/*
 * From the system call source a sample may come late, behind younger ones in its ring and in
 * others: no earlier than its wait's end, and as late as its task's next system call (see end_ns).
 */
struct sample_wait {
	struct sample head;	/* time_ns: the wait's end */
	uint64_t start_ns;	/* 0: it was under way when the probes came */
	uint32_t event;		/* wait_event_info, never 0 */
	uint32_t unused;
};

struct sample_wait_object {
	struct sample_wait wait;
	struct pgt_object object;
};

#define SAMPLE_BLOCKER_TEXT_MAX 1024u	/* track_activity_query_size is this by default */

/* length bytes of its current or last statement follow, without NUL; length < SAMPLE_BLOCKER_TEXT_MAX. */
struct sample_blocker {
	struct sample head;	/* of the process that waits */
	uint32_t pid;		/* of the other, in the server's pid namespace; 0: a prepared transaction */
	uint32_t flags;		/* PGT_BLOCKER_* of ext/record.h */
	uint32_t state;		/* enum BackendState of the server's version */
	uint32_t length;
	int64_t xact_start_us;	/* TimestampTz: since 2000-01-01 UTC; 0: in none */
	int64_t statement_start_us;
};

#define SAMPLE_TEXT_MAX 32768u

/* length bytes of text follow, without NUL; length < SAMPLE_TEXT_MAX. */
struct sample_activity {
	struct sample head;
	uint32_t state;		/* enum BackendState of the traced server's version */
	uint32_t length;	/* SAMPLE_TEXT_MAX - 1: the text was cut there */
};

struct sample_lost {
	struct sample head;
	uint64_t count;
	uint32_t cpu;
	uint32_t unused;
};

/*
 * The state map: key uint32_t pid (tgid), value this.  The collector makes the
 * entry before it attaches, and reads it when it detaches (a wait that is open
 * then has event != 0); the programs keep it in between.
 */
struct task_state {
	uint64_t wait_event_addr;	/* of the task's wait_event_info, in its memory */
	uint64_t start_ns;	/* of the wait under way; 0: before the probes */
	uint32_t event;		/* the wait under way; 0: none */
	uint32_t hits;		/* of any wait probe: a probe that must fire is seen to fire */
	uint32_t read_faults;	/* wait_event_info, or a statement's text, could not be read */
	/*
	 * Samples that no ring took: it was full (a SAMPLE_LOST tells these again, but only
	 * once that ring takes another), or the CPU came online after the rings were made.
	 */
	uint32_t lost;
	/*
	 * System call source only.  Not 0: the wait under way has left the kernel at this time, and
	 * the task's next system call will tell whether it is over.  Its sample has yet to come.
	 */
	uint64_t end_ns;
	/*
	 * What the session has turned to last.  It is the object of a wait whose event is object_base + n
	 * and n is a bit of object_events: no other wait can be meant by it.
	 */
	uint32_t file_base;	/* DataFileExtend, the first of the relation files' events; set by the collector */
	uint32_t object_base;
	uint32_t object_events;
	uint32_t unused;
	struct pgt_object object;
};

/*
 * The lock map: key uint32_t pid, value this.  The first part is the collector's: where to look in this server's
 * memory; the second is room for the program, which does not fit the stack.
 */
struct lock_work {
	uint64_t my_proc_addr;	/* of the variable MyProc */
	uint64_t my_entry_addr;	/* of the variable MyBEEntry; 0: not exported */
	uint32_t proc_pid, proc_number, proc_wait_mode, proc_leader;	/* offsets in PGPROC */
	uint32_t entry_size;	/* of PgBackendStatus */
	uint32_t unused;
	uint32_t conflicts[16];	/* mask of the modes that conflict with a mode */

	struct {		/* the start of LOCALLOCK */
		uint64_t tag[2];
		uint32_t mode, hash;
		uint64_t lock;
	} local;
	struct {		/* the start of PROCLOCK */
		uint64_t lock, proc, leader;
		uint32_t holds, releases;
		uint64_t previous, next;
	} holder;
	uint64_t links[2];	/* of PGPROC: previous, next in the queue */
	uint64_t me, my_leader;
	uint64_t next;
	uint64_t leader;
	uint64_t proc;
	uint64_t entry, text;
	uint32_t mode;
	uint32_t number, my_number;
	uint32_t wanted;	/* the modes that are in the way */
	uint64_t found;
	uint64_t more;		/* PGT_LOCK_AT_LEAST, or 0 */
	uint64_t procs[PGT_LOCK_BLOCKERS];	/* PGPROC addresses, with bit 0 for those ahead in the queue */
	uint32_t entry_head[2];	/* st_changecount, st_procpid */
	uint32_t entry_again, unused2;
	struct sample_blocker sample;
	char sample_text[SAMPLE_BLOCKER_TEXT_MAX];
};

/*
 * System calls of one event with a longer pause between them are two waits.  So a wait that left
 * the kernel longer ago than this is over, whatever comes.
 */
#define SAMPLE_PAUSE_NS 25000000

_Static_assert(sizeof(struct sample) == 16, "sample");
_Static_assert(sizeof(struct sample_wait) == 32, "wait");
_Static_assert(sizeof(struct sample_activity) == 24, "activity");
_Static_assert(sizeof(struct sample_wait_object) == 80, "wait with its object");
_Static_assert(sizeof(struct sample_blocker) == 48, "blocker");
_Static_assert(sizeof(struct task_state) == 104, "state");

#endif
