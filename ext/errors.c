/* SPDX-License-Identifier: PostgreSQL */
/*
 * errors.c
 *	  PGT_ERROR records.
 *
 * Inside a call, an error context callback sees each error as it is raised, so
 * also one that an exception block of the same function catches and no hook ever
 * meets.  A re-thrown error is not raised again, so there are no doubles.
 * Outside of any call (raw parse, analysis, Bind, commit) the log's hook sees what
 * goes to the server's log; what a callback has seen on its way there is skipped.
 * Where log_min_messages keeps errors from the log it sees none; the trace says so.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "calls.h"
#include "clock.h"
#include "errors.h"
#include "record_file.h"
#include "session.h"

static emit_log_hook_type next_emit_log;
static bool on_its_way;			/* recorded, and not yet caught or reported */
static MemoryContext scratch;	/* of the copy of an error */

void
errors_settled(void)
{
	on_its_way = false;
}

/* Where in the cursor's text the error is; 0 unknown. */
static int32
position_of(const ErrorData *e, const Call *call)
{
	if (e->internalquery != NULL)
		return e->internalpos;
	/* The server counts from the beginning of the source. */
	return call != NULL && call->text_offset > 0 ? 0 : e->cursorpos;
}

static void
write_error(const ErrorData *e, const char *statement)
{
	const Call *call = calls_running();
	const char *message = e->message ? e->message : "";
	uint32		message_length = strlen(message);
	uint32		statement_length = statement ? strlen(statement) : 0;
	struct pgt_error *r;

	r = record_begin(PGT_ERROR, call ? call->cursor : 0,
					 call ? call->depth : calls_depth(),
					 sizeof(*r) + message_length + statement_length,
					 clock_mono_ns());
	if (r == NULL)
		return;
	memset(r->sqlstate, 0, sizeof(r->sqlstate));
	for (int i = 0; i < 5; i++)
		r->sqlstate[i] = PGUNSIXBIT(e->sqlerrcode >> (6 * i));
	r->level = (uint32) e->elevel;
	r->position = position_of(e, call);
	r->message_length = message_length;
	r->statement_length = statement_length;
	memcpy(r + 1, message, message_length);
	memcpy((char *) (r + 1) + message_length, statement ? statement : "",
		   statement_length);
	record_commit();
}

/*
 * The level is not to be had without a copy, so notices with the code of an error
 * (42P07: it exists, skipping) are copied too.
 */
static void
copy_and_write(void)
{
	MemoryContext old = MemoryContextSwitchTo(scratch);
	ErrorData  *e = CopyErrorData();

	MemoryContextSwitchTo(old);
	if (e->elevel >= ERROR)
	{
		write_error(e, e->internalquery);
		on_its_way = true;
	}
	MemoryContextReset(scratch);
}

/* Success, warning, no data: what a report below ERROR has if it names none. */
static bool
is_no_error(int sqlstate)
{
	int			class = ERRCODE_TO_CATEGORY(sqlstate);

	return class == ERRCODE_SUCCESSFUL_COMPLETION || class == ERRCODE_WARNING ||
		class == ERRCODE_NO_DATA;
}

/* Called for each report that is made while a call runs, notices included. */
static void
on_report(void *arg)
{
	/* In a critical section there is no allocating, and an error is a PANIC. */
	if (trace_id == 0 || trace_suspended || CritSectionCount > 0 ||
		is_no_error(geterrcode()))
		return;
	copy_and_write();
}

/* errstart() logs an ERROR if this is so: is_log_level_output() of elog.c. */
static bool
errors_are_logged(void)
{
	return log_min_messages != LOG && log_min_messages <= ERROR;
}

/* Kept: its first block is there also when memory is short. */
void
errors_prepare(void)
{
	if (scratch == NULL)
		scratch = AllocSetContextCreate(TopMemoryContext, "pg_trace errors",
										ALLOCSET_DEFAULT_SIZES);
}

void
errors_trace_begins(void)
{
	if (!errors_are_logged())
		record_write_note("errors outside of a call (syntax, commit) are not recorded: log_min_messages hides them",
						  clock_mono_ns());
}

void
errors_watch(ErrorContextCallback *callback)
{
	callback->callback = on_report;
	callback->arg = NULL;
	callback->previous = error_context_stack;
	error_context_stack = callback;
}

void
errors_unwatch(ErrorContextCallback *callback)
{
	error_context_stack = callback->previous;
}

static void
emit_log(ErrorData *e)
{
	if (trace_id != 0 && e->elevel >= ERROR)
	{
		if (!on_its_way)
			write_error(e, e->hide_stmt ? NULL : debug_query_string);
		on_its_way = false;
	}
	if (next_emit_log)
		next_emit_log(e);
}

void
errors_init(void)
{
	next_emit_log = emit_log_hook;
	emit_log_hook = emit_log;
}
