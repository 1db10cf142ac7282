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

enum sample_kind {
	SAMPLE_WAIT = 1,	/* struct sample_wait: a wait has ended */
	SAMPLE_ACTIVITY,	/* struct sample_activity: pgstat_report_activity was called */
	SAMPLE_LOST,		/* struct sample_lost: made by src/ring, never by a program */
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
};

/*
 * System calls of one event with a longer pause between them are two waits.  So a wait that left
 * the kernel longer ago than this is over, whatever comes.
 */
#define SAMPLE_PAUSE_NS 25000000

_Static_assert(sizeof(struct sample) == 16, "sample");
_Static_assert(sizeof(struct sample_wait) == 32, "wait");
_Static_assert(sizeof(struct sample_activity) == 24, "activity");
_Static_assert(sizeof(struct task_state) == 40, "state");

#endif
