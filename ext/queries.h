/* SPDX-License-Identifier: PostgreSQL */
/*
 * queries.h
 *	  Queries in the executor, from ExecutorStart to ExecutorEnd, and their calls.
 */
#ifndef PGT_QUERIES_H
#define PGT_QUERIES_H

#include "access/xact.h"
#include "executor/execdesc.h"
#include "utils/palloc.h"

#include "calls.h"
#include "cursors.h"

/*
 * One query.  Its EXEC begins with ExecutorStart and ends with the first run of a
 * plain SELECT, with ExecutorFinish of others.  Between those two steps the query
 * is "waiting": nothing of it runs.  Then `mark` is how far the EXEC has
 * got; if the next thing that happens is not the query's next step, the EXEC
 * ended there.
 */
typedef struct TracedQuery
{
	struct TracedQuery *next;	/* of the open ones, or of the free ones */
	struct TracedQuery *previous;	/* of the open ones */
	struct TracedQuery *chain;	/* of the same place in the table */
	bool		listed;			/* open: in the list and the table */
	QueryDesc  *desc;			/* NULL: free */
	uint32		trace;			/* trace_id */
	SubTransactionId subxact;	/* in which it was started */
	CursorRef	cursor;
	bool		select_only;	/* nothing is left to ExecutorFinish */
	bool		take_plan;		/* its plan statistics are due */
	bool		closed;			/* its CLOSE is written or under way */
	uint64		plan_hash;
	Call		exec;
	Counters	mark;
	MemoryContextCallback on_free;	/* of es_query_cxt */
} TracedQuery;

/*
 * Before standard_ExecutorStart: begins the EXEC (texts, binds), decides on the
 * plan statistics and has them collected.  NULL if there is no memory.
 */
extern TracedQuery *query_begin(QueryDesc *desc, int eflags);

/* ExecutorStart is over: the query waits. */
extern void query_started(TracedQuery *query);

/* ExecutorStart failed. */
extern void query_drop(TracedQuery *query);

/* The query, or NULL if it is not known to this trace. */
extern TracedQuery *query_find(const QueryDesc *desc);

/*
 * A query that was started before the trace is about to run: from now on it is
 * known.  If all its rows are still to come, and will, it is an EXEC marked late.
 */
extern TracedQuery *query_adopt(QueryDesc *desc, bool all);

/* A step of the EXEC is over, and another may follow. */
extern void query_wait(TracedQuery *query);

/* Ends the EXEC of a query that waits, unless it is query, which goes on. */
extern void queries_settle(TracedQuery *query);

/* The EXEC is over, with what it has done up to now. */
extern void query_end_exec(TracedQuery *query, uint64 rows);

/* Time of a FETCH, for the cursor's sum. */
extern void query_add_time(TracedQuery *query, uint64 ns);

/*
 * Before standard_ExecutorEnd: ends the EXEC if it is open, writes the plan if it is
 * due, begins the CLOSE in *close.  The query is gone after standard_ExecutorEnd.
 */
extern void query_close(TracedQuery *query, Call *close);

/* The queries of this subtransaction and of those in it will see no ExecutorEnd. */
extern void queries_abort(SubTransactionId id);

/* Ends what waits; all queries are forgotten. */
extern void queries_trace_ends(void);

#endif
