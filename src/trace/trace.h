/* SPDX-License-Identifier: PostgreSQL */
/*
 * struct trace - the model: what the events, taken in order, say about sessions, cursors, calls
 * and waits.  Each event is applied to the model and handed, with what the model knows about
 * it, to every sink.
 *
 *	while (next(&ev))
 *		trace_apply(trace, &ev);
 *	trace_finish(trace);
 *
 * Memory is bounded: nothing is kept of a call but its sums, nothing of a wait at all.
 */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stmt/stmt.h"

struct sink;

/*
 * Where the time of one call went, each figure inclusive of nested calls:
 *
 *	elapsed = cpu + runqueue + wait - overlap + rest	exactly
 *
 * cpu, runqueue and wait are as measured.  Part of a wait is spent on a CPU (a read from the page cache is all
 * CPU) or waiting for one (a woken process is still in its wait), and is in two of them.  The kernel's
 * figures leave elapsed - cpu - runqueue for being asleep; what waits there are beyond that must overlap.  So overlap
 * is the least that was counted twice, and rest is sleep that no wait explains; below zero it is the clocks' error.
 */
struct account {
	int64_t elapsed_ns;
	int64_t cpu_ns;
	int64_t runqueue_ns;
	int64_t wait_ns;
	int64_t overlap_ns;	/* 0 <= overlap <= wait */
	int64_t rest_ns;	/* signed */
	uint64_t waits;		/* number of */
	uint64_t self_waits;	/* of them, not in nested calls */
	int64_t self_wait_ns;
	bool known_cpu;		/* false: cpu and runqueue were not measured, and are in rest */
	bool known_waits;	/* false: nobody looked for waits */
	bool cut_waits;		/* more waits lie in it than the model remembers: wait_ns is too low */
};

struct session {
	uint32_t pid;
	struct pgt_session info;	/* as it last was */
	bool has_waits;		/* a collector looked for waits */
	int64_t wall_offset_us;	/* wall clock in us = time_ns / 1000 + this; from the last pair */
	uint64_t statements;	/* EXECs at depth 0 that ended */
	uint64_t calls;
	uint64_t waits;
	int64_t wait_ns;
	/* the model's own */
	struct session_state *state;
};

/* What a sink gets. */
struct trace_event {
	const struct event *event;
	const struct session *session;
	const struct account *account;	/* of PGT_CALL, else NULL */
	const char *wait_type;		/* of PGT_WAIT: "IO"; "?" unknown */
	const char *wait_name;		/* "DataFileRead"; "?" unknown, then print the number */
	const struct pgt_object *object;	/* of PGT_WAIT: what it was for; NULL: not known */
	const char *relation;		/* of object: "schema.name"; NULL: none, or not known */
	uint32_t call_cursor;		/* of PGT_WAIT: the innermost call it lies in; 0: between calls */
	uint32_t call_depth;
	bool begun;			/* of PGT_CALL: a PGT_BEGIN of it was shown before */
};

struct trace_totals {
	uint64_t sessions, statements, calls, waits;
	uint64_t lost_samples, dropped_records, cut_values, failed_values;
	uint64_t bad_records, late_events, unknown_records;
	int64_t first_ns, last_ns;	/* time_ns of the first and last event */
};

struct trace *trace_new(void);
/* The trace owns the sink from now on and closes it in trace_finish. */
void trace_add_sink(struct trace *trace, struct sink *sink);
/* A collector looks for waits: a session has them, or none, from its PGT_WATCH on. */
void trace_expect_waits(struct trace *trace);
void trace_apply(struct trace *trace, const struct event *ev);
/*
 * At the end of a record file: shows as a loss what its header counts as dropped and no record in it
 * told of (there was no room for that record either).
 */
void trace_apply_header(struct trace *trace, const struct pgt_header *header);
/* Hands what the sinks hold in memory to the system, so that a reader of a growing trace sees it. */
void trace_flush(struct trace *trace);
const struct trace_totals *trace_totals(const struct trace *trace);
/* Ends every session and call that is open, closes the sinks.  0, or -1 if a sink could not write. */
int trace_finish(struct trace *trace);
void trace_free(struct trace *trace);

/* The wall clock at time_ns, us since 1970 UTC, as the session's last clock pair has it. */
int64_t session_wall_us(const struct session *session, uint64_t time_ns);

#endif
