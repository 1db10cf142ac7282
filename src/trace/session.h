/* SPDX-License-Identifier: PostgreSQL */
/* Inside the model: the sessions, and the open calls and remembered waits of each. */
#ifndef TRACE_SESSION_H
#define TRACE_SESSION_H

#include "trace/trace.h"
#include "trace/waitnames.h"

struct wait_sum {
	uint64_t count;
	uint64_t ns;		/* unsigned: damaged times wrap, they do not trap */
};

struct open_call {
	uint64_t serial;	/* of the session's calls; 0 is the session itself */
	uint32_t cursor;
	uint32_t call;		/* enum pgt_call_kind */
	uint16_t depth;
	uint64_t begin_ns;
	struct wait_sum all;	/* nested calls that have ended included */
	struct wait_sum self;
	bool cut;		/* waits lie in it that were forgotten */
};

struct past_wait {
	uint64_t start_ns, end_ns;
	uint64_t owner;		/* serial of the call it was charged to */
};

struct session_state {
	struct session *session;
	struct session_state *next_in_bucket;
	struct session_state *older, *newer;	/* by last event */
	struct open_call *stack;	/* innermost last */
	size_t open, stack_size;
	struct past_wait *past;		/* the last past_size waits, in a ring */
	uint64_t past_count;		/* ever */
	size_t past_size;
	uint64_t serials;
	uint64_t last_ns;		/* of the last event */
	uint64_t told_dropped;		/* records that LOSS records say are missing */
	uint64_t watched_ns;		/* nobody looked for its waits before; 0: not known */
	uint64_t lossy_from, lossy_until;	/* samples were lost in this time */
	bool ended;			/* its END has come */
	struct waitnames names;
};

/* --- calls.c ---------------------------------------------------------------- */

/* A call begins. */
void calls_begin(struct session_state *state, const struct event *ev);
/* A wait has ended: charges it to the innermost open call and returns that, or NULL: none is open. */
const struct open_call *calls_wait(struct session_state *state, const struct event *ev);
/* A call has ended: fills its account; true when its begin was seen. */
bool calls_end(struct session_state *state, const struct event *ev, struct account *account);
/* Forgets all calls and waits, and frees their memory. */
void calls_release(struct session_state *state);

/* --- sessions.c ------------------------------------------------------------- */

struct sessions;

struct sessions *sessions_new(void);
/* The session of pid, or NULL. */
struct session *sessions_find(struct sessions *sessions, uint32_t pid);
/* Adds one for a pid that has none. */
struct session *sessions_add(struct sessions *sessions, uint32_t pid);
void sessions_remove(struct sessions *sessions, struct session *session);
/* The session whose last event is the oldest; NULL: none. */
struct session *sessions_oldest(struct sessions *sessions);
bool sessions_full(const struct sessions *sessions);
void sessions_free(struct sessions *sessions);

#endif
