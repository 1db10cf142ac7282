/* SPDX-License-Identifier: PostgreSQL */
/*
 * errors.h
 *	  PGT_ERROR records.
 */
#ifndef PGT_ERRORS_H
#define PGT_ERRORS_H

#include "utils/elog.h"

/*
 * From errors_watch() to errors_unwatch(), errors are recorded as they are raised,
 * also those that an exception block will catch.  *callback lives in the caller's
 * stack frame.
 */
extern void errors_watch(ErrorContextCallback *callback);
extern void errors_unwatch(ErrorContextCallback *callback);

/* Before a trace begins: gets memory, may raise an error for want of it. */
extern void errors_prepare(void);

/* After a trace has begun: tells it which errors it will not see. */
extern void errors_trace_begins(void);

/* Installs the hook that sees the errors outside of any call. */
extern void errors_init(void);

/* A new statement or a rolled back (sub)transaction: no error is on its way. */
extern void errors_settled(void);

#endif
