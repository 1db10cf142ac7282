/* SPDX-License-Identifier: PostgreSQL */
/*
 * queries.c
 *	  Queries in the executor, from ExecutorStart to ExecutorEnd, and their calls.
 *
 * An error skips ExecutorEnd, so a query is also given up where its transaction or
 * subtransaction is rolled back, and at the latest where the memory of its executor
 * state goes.  That callback outlives the trace, so queries live in memory that is
 * never given back but reused; there are as many as were ever open at once.
 *
 * Rules: a query is in the list from ExecutorStart until its executor state is freed;
 * its calls are written only while query->trace is the running trace.
 *
 * A session may have thousands of cursors open, so the list is doubly linked, and a
 * small table by the address of the QueryDesc goes beside it.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "nodes/plannodes.h"
#include "utils/memutils.h"

#include "binds.h"
#include "clock.h"
#include "guc.h"
#include "plan_dump.h"
#include "queries.h"
#include "record_file.h"
#include "session.h"

/* PGT_LEVEL_STAT_ADAPTIVE: statistics again after this much DB time. */
#define ADAPTIVE_NS (60 * NS_PER_SEC)

#define TABLE_BITS 10
#define TABLE_SIZE (1 << TABLE_BITS)

static TracedQuery *open_queries;	/* latest first */
static TracedQuery *free_queries;
static TracedQuery *table[TABLE_SIZE];	/* the open ones, chained */
static TracedQuery *waiting;	/* its EXEC is open, but nothing of it runs */

/* --- the list --------------------------------------------------------------- */

static TracedQuery **
place_of(const QueryDesc *desc)
{
	uint64		key = (uint64) (uintptr_t) desc;

	return &table[(key * UINT64CONST(0x9E3779B97F4A7C15)) >> (64 - TABLE_BITS)];
}

static TracedQuery *
allocate(void)
{
	TracedQuery *q = free_queries;

	if (q != NULL)
		free_queries = q->next;
	else
		q = MemoryContextAllocExtended(TopMemoryContext, sizeof(*q),
									   MCXT_ALLOC_NO_OOM);
	if (q != NULL)
		q->listed = false;
	return q;
}

static void
list(TracedQuery *q)
{
	TracedQuery **place = place_of(q->desc);

	q->chain = *place;
	*place = q;
	q->previous = NULL;
	q->next = open_queries;
	if (open_queries != NULL)
		open_queries->previous = q;
	open_queries = q;
	q->listed = true;
}

static void
unlist(TracedQuery *q)
{
	TracedQuery **at = place_of(q->desc);

	while (*at != q)
		at = &(*at)->chain;
	*at = q->chain;
	if (q->previous != NULL)
		q->previous->next = q->next;
	else
		open_queries = q->next;
	if (q->next != NULL)
		q->next->previous = q->previous;
	q->listed = false;
}

static void
release(TracedQuery *q)
{
	if (q->listed)
		unlist(q);
	if (waiting == q)
		waiting = NULL;
	q->desc = NULL;
	q->trace = 0;
	q->next = free_queries;
	free_queries = q;
}

static TracedQuery *
find_any(const QueryDesc *desc)
{
	TracedQuery *q = *place_of(desc);

	while (q != NULL && q->desc != desc)
		q = q->chain;
	return q;
}

TracedQuery *
query_find(const QueryDesc *desc)
{
	TracedQuery *q = find_any(desc);

	return q != NULL && q->trace == trace_id ? q : NULL;
}

/* --- the end without ExecutorEnd -------------------------------------------- */

static void
give_up(TracedQuery *q)
{
	uint64		now = clock_mono_ns();

	if (q->closed || trace_id == 0 || q->trace != trace_id)
		return;
	q->closed = true;
	call_end(&q->exec, NULL, PGT_CALL_ERROR);
	call_write_times(PGT_CALL_CLOSE, q->exec.cursor,
					 PGT_CALL_ABORTED | PGT_CALL_NO_START, now, now);
}

static void
on_free(void *arg)
{
	TracedQuery *q = arg;

	queries_settle(NULL);
	give_up(q);
	release(q);
}

/* Numbers of subtransactions grow, so those inside id are those not below it. */
void
queries_abort(SubTransactionId id)
{
	for (TracedQuery *q = open_queries; q != NULL; q = q->next)
		if (q->subxact >= id)
			give_up(q);
}

void
queries_trace_ends(void)
{
	queries_settle(NULL);
}

/* --- EXEC ------------------------------------------------------------------- */

static bool
plan_is_due(const Cursor *c, uint64 hash)
{
	if (c == NULL || (trace_level & PGT_LEVEL_STAT_NEVER))
		return false;
	if (trace_level & PGT_LEVEL_STAT_EVERY)
		return true;
	if ((trace_level & PGT_LEVEL_STAT_ADAPTIVE) &&
		c->db_ns - c->db_ns_at_plan > ADAPTIVE_NS)
		return true;
	for (uint32 i = 0; i < Min(c->plans, CURSOR_PLANS); i++)
		if (c->plan_hash[i] == hash)
			return false;
	return true;
}

/* Others may have asked for more already; nothing is taken away. */
static void
decide_on_plan(TracedQuery *q, QueryDesc *desc, int eflags)
{
	q->take_plan = false;
	if ((trace_level & PGT_LEVEL_STAT_NEVER) ||
		(eflags & EXEC_FLAG_EXPLAIN_ONLY))
		return;
	q->plan_hash = plan_shape_hash(desc->plannedstmt);
	q->take_plan = plan_is_due(cursor_deref(q->cursor), q->plan_hash);
	if (!q->take_plan)
		return;
	desc->instrument_options |= INSTRUMENT_ROWS | INSTRUMENT_BUFFERS;
	if (guc_node_timing)
		desc->instrument_options |= INSTRUMENT_TIMER;
}

/* What the query is, without its calls.  Returns its cursor. */
static Cursor *
describe(TracedQuery *q, QueryDesc *desc)
{
	const PlannedStmt *stmt = desc->plannedstmt;
	Cursor	   *c = cursor_get(desc->sourceText, stmt->stmt_location,
							   stmt->stmt_len, (uint64) stmt->queryId,
							   (uint32) desc->operation);

	q->desc = desc;
	q->trace = trace_id;
	q->subxact = GetCurrentSubTransactionId();
	q->cursor = cursor_ref(c);
	q->select_only = desc->operation == CMD_SELECT && !stmt->hasModifyingCTE;
	q->take_plan = false;
	q->closed = false;
	q->exec.trace = 0;
	q->exec.cursor = cursor_number(c);
	q->exec.text_offset = c != NULL ? c->offset : 0;
	q->exec.depth = calls_depth();
	q->exec.rows = 0;
	return c;
}

/* The planner makes a plan for one execution, or for many. */
static uint32
is_generic(Cursor *c)
{
	if (c == NULL || !c->planned)
		return PGT_CALL_GENERIC;
	c->planned = false;
	return 0;
}

/* A cancel meanwhile is passed on; then there is no query. */
static void
write_binds(TracedQuery *q, ParamListInfo params)
{
	PG_TRY();
	{
		binds_write(q->exec.cursor, params);
	}
	PG_CATCH();
	{
		release(q);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

TracedQuery *
query_begin(QueryDesc *desc, int eflags)
{
	TracedQuery *q = allocate();
	Cursor	   *c;

	if (q == NULL)
		return NULL;
	c = describe(q, desc);
	decide_on_plan(q, desc, eflags);
	if (desc->params != NULL && (trace_level & PGT_LEVEL_BINDS))
		write_binds(q, desc->params);
	/* The output functions of binds may have run long; c may be gone. */
	c = cursor_deref(q->cursor);
	call_begin(&q->exec, PGT_CALL_EXEC, c, is_generic(c));
	return q;
}

/* In the list until its executor state is freed. */
static void
enlist(TracedQuery *q)
{
	list(q);
	q->on_free.func = on_free;
	q->on_free.arg = q;
	MemoryContextRegisterResetCallback(q->desc->estate->es_query_cxt,
									   &q->on_free);
}

void
query_started(TracedQuery *q)
{
	enlist(q);
	query_wait(q);
}

void
query_drop(TracedQuery *q)
{
	release(q);
}

TracedQuery *
query_adopt(QueryDesc *desc, bool all)
{
	TracedQuery *q = find_any(desc);
	bool		known = q != NULL;	/* to an earlier trace */
	Cursor	   *c;

	if (!known)
		q = allocate();
	if (q == NULL)
		return NULL;
	c = describe(q, desc);
	if (!known)
		enlist(q);
	if (all && !desc->already_executed)
		call_begin(&q->exec, PGT_CALL_EXEC, c, PGT_CALL_LATE);
	return q;
}

void
query_wait(TracedQuery *q)
{
	if (!call_is_open(&q->exec))
		return;
	counters_take(&q->mark);
	waiting = q;
}

void
query_end_exec(TracedQuery *q, uint64 rows)
{
	q->exec.rows = rows;
	query_add_time(q, call_end(&q->exec, NULL, 0));
}

void
queries_settle(TracedQuery *next)
{
	TracedQuery *q = waiting;

	waiting = NULL;
	if (q == NULL || q == next)
		return;
	query_add_time(q, call_end(&q->exec, &q->mark, 0));
}

void
query_add_time(TracedQuery *q, uint64 ns)
{
	Cursor	   *c = cursor_deref(q->cursor);

	if (c != NULL)
		c->db_ns += ns;
}

/* --- CLOSE ------------------------------------------------------------------ */

static void
write_plan(TracedQuery *q)
{
	Cursor	   *c = cursor_deref(q->cursor);

	q->take_plan = false;
	if (!plan_write(q->desc, q->exec.cursor, q->plan_hash) || c == NULL)
		return;
	c->db_ns_at_plan = c->db_ns;
	c->plan_hash[c->plans++ % CURSOR_PLANS] = q->plan_hash;
}

void
query_close(TracedQuery *q, Call *close)
{
	queries_settle(NULL);
	if (call_is_open(&q->exec))
		query_end_exec(q, q->exec.rows);
	if (q->take_plan)
		write_plan(q);
	q->closed = true;
	call_begin_after(close, PGT_CALL_CLOSE, &q->exec);
}
