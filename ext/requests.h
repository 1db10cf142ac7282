/* SPDX-License-Identifier: PostgreSQL */
/*
 * requests.h
 *	  What is asked of this backend: start or stop a trace.
 */
#ifndef PGT_REQUESTS_H
#define PGT_REQUESTS_H

/*
 * What a statement looks at when no trace is on: the word is that of the control
 * file through which this backend is asked, and differs from trace_answered when
 * there is anything to do, tracing included.
 */
extern const volatile uint32 *trace_watch;
extern uint32 trace_answered;

/*
 * Carries out what is asked of this backend (start, stop, pg_trace.enabled).
 * Returns whether a trace is on.  Never raises an error because of the trace.
 */
extern bool requests_attend(const char *source);

/*
 * The first thing each hook does: is this session traced?  source is the
 * statement's source text, from which the depth is told when a trace begins.
 */
static inline bool
tracing(const char *source)
{
	if (likely(*trace_watch == trace_answered))
		return false;
	return requests_attend(source);
}

/* Makes the next tracing() attend. */
extern void requests_look_again(void);

/* A trace with that base began, the trace ended: tells it in the slot. */
extern void requests_trace_began(const char *base);
extern void requests_trace_ended(void);

/* In the postmaster or a backend, when the library is loaded. */
extern void requests_init(void);

#endif
