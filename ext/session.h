/* SPDX-License-Identifier: PostgreSQL */
/*
 * session.h
 *	  The trace of this backend: whether there is one, its start and its end.
 */
#ifndef PGT_SESSION_H
#define PGT_SESSION_H

#include "record.h"

/* Number of the running trace in this backend, from 1; 0: none. */
extern uint32 trace_id;

/* Its level bits. */
extern uint32 trace_level;

/*
 * While this is set the hooks see no trace, and errors are not recorded: what runs
 * is our own doing (an output function).
 */
extern bool trace_suspended;

/*
 * Starts a trace; base is the file's name without suffix.  Returns 0 or an errno
 * and then nothing has changed.
 */
extern int	session_start(uint32 level, const char *base);

/* Ends the trace, if there is one. */
extern void session_end(enum pgt_end_reason reason);

/* The base of the running or last trace; "" if there was none. */
extern const char *session_base(void);

/* "pg_trace_<pid>_<epoch>" that is not yet taken, for a trace that begins now. */
extern void session_make_base(pid_t pid, char *base, size_t size);

#endif
