/* SPDX-License-Identifier: PostgreSQL */
/*
 * hooks.c
 *	  The server's hooks: what each does to the calls.
 *
 * Each asks tracing() first and is nothing but the next in line if no trace is on.
 * A trace may end, and another begin, while the next in line runs; the calls know
 * (call_is_open), so nothing here needs to ask again, but a query must be looked up
 * again.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/timestamp.h"

#include "binds.h"
#include "calls.h"
#include "clock.h"
#include "compat.h"
#include "cursors.h"
#include "hooks.h"
#include "queries.h"
#include "record_file.h"
#include "relations.h"
#include "requests.h"
#include "session.h"

static post_parse_analyze_hook_type next_parse;
static planner_hook_type next_planner;
static ExecutorStart_hook_type next_start;
static ExecutorRun_hook_type next_run;
static ExecutorFinish_hook_type next_finish;
static ExecutorEnd_hook_type next_end;
static ProcessUtility_hook_type next_utility;

/* --- PARSE ------------------------------------------------------------------ */

/*
 * Raw parse and analysis began when the client's message came, or where the last
 * statement of the same message ended.
 */
static void
write_parse(uint32 cursor)
{
	uint64		now = clock_mono_ns();
	int64		age_us = GetCurrentTimestamp() - GetCurrentStatementStartTimestamp();
	uint64		age = (uint64) Max(age_us, 0) * 1000;
	uint64		start = age < now ? now - age : 0;
	uint32		flags = start < record_header()->start_mono_ns ? PGT_CALL_LATE : 0;

	start = Max(start, calls_last_end());
	call_write_times(PGT_CALL_PARSE, cursor, flags, Min(start, now), now);
}

static void
after_parse(ParseState *pstate, Query *query)
{
	Cursor	   *c;

	if (!tracing(pstate->p_sourcetext))
		return;
	queries_settle(NULL);
	if (pstate->p_sourcetext == NULL)
		return;
	c = cursor_get(pstate->p_sourcetext, query->stmt_location, query->stmt_len,
				   (uint64) query->queryId, (uint32) query->commandType);
	if (calls_depth() == 0)
		write_parse(cursor_number(c));
	else
	{
		uint64		now = clock_mono_ns();

		call_write_times(PGT_CALL_PARSE, cursor_number(c), PGT_CALL_NO_START,
						 now, now);
	}
	relations_write(query->rtable);
}

COMPAT_PARSE_HOOK(parse_hook, after_parse, next_parse)

/* --- PLAN ------------------------------------------------------------------- */

static PlannedStmt *
plan(Query *query, const char *source, int options, ParamListInfo params)
{
	return next_planner ? next_planner(query, source, options, params) :
		standard_planner(query, source, options, params);
}

static PlannedStmt *
trace_plan(Query *query, const char *source, int options, ParamListInfo params)
{
	PlannedStmt *result;
	Cursor	   *c = cursor_get(source, query->stmt_location, query->stmt_len,
							   (uint64) query->queryId,
							   (uint32) query->commandType);
	CursorRef	ref = cursor_ref(c);
	Call		call;
	Frame		frame;

	queries_settle(NULL);
	call_begin(&call, PGT_CALL_PLAN, c, 0);
	frame_enter(&frame, &call);
	PG_TRY();
	{
		result = plan(query, source, options, params);
	}
	PG_CATCH();
	{
		frame_fail(&frame);
		PG_RE_THROW();
	}
	PG_END_TRY();
	frame_leave(&frame);
	call_end(&call, NULL, 0);
	if (c != NULL && cursor_deref(ref) != NULL)
		c->planned = true;
	return result;
}

static PlannedStmt *
plan_hook(Query *query, const char *source, int options,
			  ParamListInfo params)
{
	if (!tracing(source) || source == NULL)
		return plan(query, source, options, params);
	return trace_plan(query, source, options, params);
}

/* --- EXEC ------------------------------------------------------------------- */

static void
start(QueryDesc *desc, int eflags)
{
	if (next_start)
		next_start(desc, eflags);
	else
		standard_ExecutorStart(desc, eflags);
}

static void
trace_start(QueryDesc *desc, int eflags)
{
	TracedQuery *query;
	Frame		frame;

	queries_settle(NULL);
	relations_write(desc->plannedstmt->rtable);
	query = query_begin(desc, eflags);
	if (query == NULL)
	{
		start(desc, eflags);
		return;
	}
	frame_enter(&frame, &query->exec);
	PG_TRY();
	{
		start(desc, eflags);
	}
	PG_CATCH();
	{
		frame_fail(&frame);
		query_drop(query);
		PG_RE_THROW();
	}
	PG_END_TRY();
	frame_leave(&frame);
	query_started(query);
}

static void
start_hook(QueryDesc *desc, int eflags)
{
	if (tracing(desc->sourceText))
		trace_start(desc, eflags);
	else
		start(desc, eflags);
}

/*
 * Does this run give all rows?  The server's word for it, execute_once, is also
 * false for most runs that do (PostgreSQL 15.20 and 18: all of a portal), so a run
 * without a limit is believed as well, unless it is FETCH ALL.
 */
static bool
runs_to_end(uint64 count, bool once)
{
	const Call *around = calls_running();

	return once || (count == 0 && !(around != NULL && around->fetches));
}

/*
 * A run that is the query's only one belongs to the EXEC; every other is a FETCH,
 * which is begun in *fetch.
 */
static Call *
call_of_run(TracedQuery *query, bool all, Call *fetch)
{
	queries_settle(all ? query : NULL);
	if (call_is_open(&query->exec))
		return &query->exec;
	call_begin(fetch, PGT_CALL_FETCH, cursor_deref(query->cursor), 0);
	fetch->cursor = query->exec.cursor;
	return fetch;
}

static void
trace_run(TracedQuery *query, ScanDirection direction, uint64 count, bool once,
		  bool all)
{
	QueryDesc  *desc = query->desc;
	Call		fetch;
	Call	   *const call = call_of_run(query, all, &fetch);
	Frame		frame;

	frame_enter(&frame, call);
	PG_TRY();
	{
		compat_ExecutorRun(next_run, desc, direction, count, once);
	}
	PG_CATCH();
	{
		frame_fail(&frame);
		PG_RE_THROW();
	}
	PG_END_TRY();
	frame_leave(&frame);
	call->rows = desc->estate->es_processed;
	if (call == &fetch)
		query_add_time(query, call_end(call, NULL, 0));
	else if (query->select_only)
		query_end_exec(query, call->rows);
	else
		query_wait(query);
}

static void
run(QueryDesc *desc, ScanDirection direction, uint64 count, bool once)
{
	TracedQuery *query = NULL;
	bool		all = false;

	if (tracing(desc->sourceText))
	{
		all = runs_to_end(count, once);
		query = query_find(desc);
		if (query == NULL)
			query = query_adopt(desc, all);
	}
	if (query != NULL)
		trace_run(query, direction, count, once, all);
	else
		compat_ExecutorRun(next_run, desc, direction, count, once);
}

COMPAT_RUN_HOOK(run_hook, run)

static void
finish(QueryDesc *desc)
{
	if (next_finish)
		next_finish(desc);
	else
		standard_ExecutorFinish(desc);
}

/* AFTER triggers run here. */
static void
trace_finish(TracedQuery *query, QueryDesc *desc)
{
	Frame		frame;

	queries_settle(query);
	frame_enter(&frame, &query->exec);
	PG_TRY();
	{
		finish(desc);
	}
	PG_CATCH();
	{
		frame_fail(&frame);
		PG_RE_THROW();
	}
	PG_END_TRY();
	frame_leave(&frame);
	query_end_exec(query, query->exec.rows);
}

static void
finish_hook(QueryDesc *desc)
{
	TracedQuery *query = tracing(desc->sourceText) ? query_find(desc) : NULL;

	if (query != NULL)
		trace_finish(query, desc);
	else
		finish(desc);
}

/* --- CLOSE ------------------------------------------------------------------ */

static void
end(QueryDesc *desc)
{
	if (next_end)
		next_end(desc);
	else
		standard_ExecutorEnd(desc);
}

static void
trace_end(TracedQuery *query, QueryDesc *desc)
{
	Call		call;
	Frame		frame;

	query_close(query, &call);
	frame_enter(&frame, &call);
	PG_TRY();
	{
		end(desc);
	}
	PG_CATCH();
	{
		frame_fail(&frame);
		PG_RE_THROW();
	}
	PG_END_TRY();
	frame_leave(&frame);
	call_end(&call, NULL, 0);
}

static void
end_hook(QueryDesc *desc)
{
	TracedQuery *query = tracing(desc->sourceText) ? query_find(desc) : NULL;

	if (query != NULL)
		trace_end(query, desc);
	else
		end(desc);
}

/* --- utility commands ------------------------------------------------------- */

static void
trace_utility(const UtilityArgs *args)
{
	const PlannedStmt *stmt = args->pstmt;
	Cursor	   *c = cursor_get(args->source, stmt->stmt_location, stmt->stmt_len,
							   (uint64) stmt->queryId, CMD_UTILITY);
	CursorRef	ref = cursor_ref(c);
	Call		call;
	Frame		frame;

	queries_settle(NULL);
	if (args->params != NULL && (trace_level & PGT_LEVEL_BINDS))
		binds_write(cursor_number(c), args->params);
	call_begin(&call, PGT_CALL_EXEC, cursor_deref(ref), PGT_CALL_UTILITY);
	call.fetches = IsA(stmt->utilityStmt, FetchStmt);
	frame_enter(&frame, &call);
	PG_TRY();
	{
		compat_ProcessUtility(next_utility, args);
	}
	PG_CATCH();
	{
		frame_fail(&frame);
		PG_RE_THROW();
	}
	PG_END_TRY();
	frame_leave(&frame);
	/* The statement itself may be gone by now: COMMIT frees much. */
	queries_settle(NULL);
	call.rows = args->qc != NULL ? args->qc->nprocessed : 0;
	call_end(&call, NULL, 0);
}

static void
utility(const UtilityArgs *args)
{
	if (tracing(args->source))
		trace_utility(args);
	else
		compat_ProcessUtility(next_utility, args);
}

COMPAT_UTILITY_HOOK(utility_hook, utility)

/* --- the hooks -------------------------------------------------------------- */

void
hooks_init(void)
{
	next_parse = post_parse_analyze_hook;
	post_parse_analyze_hook = parse_hook;
	next_planner = planner_hook;
	planner_hook = plan_hook;
	next_start = ExecutorStart_hook;
	ExecutorStart_hook = start_hook;
	next_run = ExecutorRun_hook;
	ExecutorRun_hook = run_hook;
	next_finish = ExecutorFinish_hook;
	ExecutorFinish_hook = finish_hook;
	next_end = ExecutorEnd_hook;
	ExecutorEnd_hook = end_hook;
	next_utility = ProcessUtility_hook;
	ProcessUtility_hook = utility_hook;
}
