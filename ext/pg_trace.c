/* SPDX-License-Identifier: PostgreSQL */
/*
 * pg_trace.c
 *	  Traces a session: writes what its statements do into a record file.
 *
 * The way of a statement through the module:
 *
 *	  hooks.c		asks requests.c whether a trace is on, and turns the server's hooks
 *					into calls
 *	  queries.c		one query from ExecutorStart to ExecutorEnd
 *	  calls.c		a call: its frame, depth, figures (cputime.c)
 *	  cursors.c		statement text to cursor number
 *	  binds.c, plan_dump.c (plan_text.c), errors.c, xact.c
 *					the other records
 *	  record_file.c	writes them: record.h is the format
 *
 * How a trace begins and ends: functions.c for SQL, requests.c with control.c for
 * others (control.h is the format) and with guc.c for the settings, session.c for all.
 *
 * Two rules.  A trace never fails a statement: what cannot be written is counted,
 * and nothing of ours raises an error but a cancel that arrives meanwhile.  And
 * without a trace a statement pays one load and one branch (tracing()).
 *
 * The library may be loaded at the server's start, at a session's, by LOAD, or by the
 * call of a function.
 */
#include "postgres.h"

#include "fmgr.h"

#include "errors.h"
#include "guc.h"
#include "hooks.h"
#include "requests.h"
#include "xact.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	guc_define();
	hooks_init();
	errors_init();
	xact_init();
	requests_init();
}
