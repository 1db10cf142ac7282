/* SPDX-License-Identifier: PostgreSQL */
/*
 * compat.h
 *	  What differs between PostgreSQL 13 and 18, and nothing else.
 *
 * The rest of the code is written as for the newest signatures it needs; a new
 * version is a new row here.
 */
#ifndef PGT_COMPAT_H
#define PGT_COMPAT_H

#include "executor/executor.h"
#include "executor/instrument.h"
#include "optimizer/planner.h"
#include "parser/analyze.h"
#include "portability/instr_time.h"
#include "tcop/utility.h"
#include "utils/guc.h"
#include "utils/queryenvironment.h"
#include "utils/relmapper.h"

#if PG_VERSION_NUM < 130000
#error "pg_trace needs PostgreSQL 13 or later"
#endif

/* 14: wait events have a header of their own. */
#if PG_VERSION_NUM >= 140000
#include "utils/wait_event.h"
#else
#include "pgstat.h"
#endif

/* 15: a module reserves its prefix of settings. */
static inline void
compat_reserve_prefix(const char *prefix)
{
#if PG_VERSION_NUM >= 150000
	MarkGUCPrefixReserved(prefix);
#else
	EmitWarningsOnPlaceholders(prefix);
#endif
}

/*
 * The hooks: a module writes a body with a fixed signature, COMPAT_*_HOOK makes
 * of it a function with that of the server, and compat_* calls the next in line.
 */

/* 14: the parse hook is given the state of jumbling. */
#if PG_VERSION_NUM >= 140000
#define COMPAT_PARSE_HOOK(name, body, next) \
	static void \
	name(ParseState *pstate, Query *query, JumbleState *jstate) \
	{ \
		if (next) \
			next(pstate, query, jstate); \
		body(pstate, query); \
	}
#else
#define COMPAT_PARSE_HOOK(name, body, next) \
	static void \
	name(ParseState *pstate, Query *query) \
	{ \
		if (next) \
			next(pstate, query); \
		body(pstate, query); \
	}
#endif

/* 18: ExecutorRun is not told whether it is the only run. */
#if PG_VERSION_NUM >= 180000
#define COMPAT_RUN_HOOK(name, body) \
	static void \
	name(QueryDesc *query, ScanDirection direction, uint64 count) \
	{ \
		body(query, direction, count, false); \
	}

static inline void
compat_ExecutorRun(ExecutorRun_hook_type next, QueryDesc *query,
				   ScanDirection direction, uint64 count, bool once)
{
	if (next)
		next(query, direction, count);
	else
		standard_ExecutorRun(query, direction, count);
}
#else
#define COMPAT_RUN_HOOK(name, body) \
	static void \
	name(QueryDesc *query, ScanDirection direction, uint64 count, \
		 bool execute_once) \
	{ \
		body(query, direction, count, execute_once); \
	}

static inline void
compat_ExecutorRun(ExecutorRun_hook_type next, QueryDesc *query,
				   ScanDirection direction, uint64 count, bool once)
{
	if (next)
		next(query, direction, count, once);
	else
		standard_ExecutorRun(query, direction, count, once);
}
#endif

/* What ProcessUtility is given, in one piece. */
typedef struct UtilityArgs
{
	PlannedStmt *pstmt;
	const char *source;
	bool		read_only_tree; /* 14 */
	ProcessUtilityContext context;
	ParamListInfo params;
	QueryEnvironment *env;
	DestReceiver *dest;
	QueryCompletion *qc;
} UtilityArgs;

/* 14: ProcessUtility is told not to scribble on the tree. */
#if PG_VERSION_NUM >= 140000
#define COMPAT_UTILITY_HOOK(name, body) \
	static void \
	name(PlannedStmt *pstmt, const char *source, bool read_only_tree, \
		 ProcessUtilityContext context, ParamListInfo params, \
		 QueryEnvironment *env, DestReceiver *dest, QueryCompletion *qc) \
	{ \
		UtilityArgs args = {pstmt, source, read_only_tree, context, params, \
							env, dest, qc}; \
		body(&args); \
	}

static inline void
compat_ProcessUtility(ProcessUtility_hook_type next, const UtilityArgs *a)
{
	ProcessUtility_hook_type f = next ? next : standard_ProcessUtility;

	f(a->pstmt, a->source, a->read_only_tree, a->context, a->params, a->env,
	  a->dest, a->qc);
}
#else
#define COMPAT_UTILITY_HOOK(name, body) \
	static void \
	name(PlannedStmt *pstmt, const char *source, \
		 ProcessUtilityContext context, ParamListInfo params, \
		 QueryEnvironment *env, DestReceiver *dest, QueryCompletion *qc) \
	{ \
		UtilityArgs args = {pstmt, source, false, context, params, env, dest, \
							qc}; \
		body(&args); \
	}

static inline void
compat_ProcessUtility(ProcessUtility_hook_type next, const UtilityArgs *a)
{
	ProcessUtility_hook_type f = next ? next : standard_ProcessUtility;

	f(a->pstmt, a->source, a->context, a->params, a->env, a->dest, a->qc);
}
#endif

/* 16: instr_time is a number of nanoseconds. */
static inline int64
compat_instr_ns(instr_time t)
{
#if PG_VERSION_NUM >= 160000
	return INSTR_TIME_GET_NANOSEC(t);
#else
	return (int64) t.tv_sec * 1000000000 + t.tv_nsec;
#endif
}

/* 15: times of temporary blocks.  17: of shared and local blocks apart. */
static inline int64
compat_io_read_ns(const BufferUsage *b)
{
#if PG_VERSION_NUM >= 170000
	return compat_instr_ns(b->shared_blk_read_time) +
		compat_instr_ns(b->local_blk_read_time) +
		compat_instr_ns(b->temp_blk_read_time);
#elif PG_VERSION_NUM >= 150000
	return compat_instr_ns(b->blk_read_time) +
		compat_instr_ns(b->temp_blk_read_time);
#else
	return compat_instr_ns(b->blk_read_time);
#endif
}

static inline int64
compat_io_write_ns(const BufferUsage *b)
{
#if PG_VERSION_NUM >= 170000
	return compat_instr_ns(b->shared_blk_write_time) +
		compat_instr_ns(b->local_blk_write_time) +
		compat_instr_ns(b->temp_blk_write_time);
#elif PG_VERSION_NUM >= 150000
	return compat_instr_ns(b->blk_write_time) +
		compat_instr_ns(b->temp_blk_write_time);
#else
	return compat_instr_ns(b->blk_write_time);
#endif
}

/* Plan nodes that came after 13: rows for the table of names in plan_text.c. */
#if PG_VERSION_NUM >= 140000
#define COMPAT_NODE_NAMES \
	{T_TidRangeScan, "Tid Range Scan"}, \
	{T_Memoize, "Memoize"},
#else
#define COMPAT_NODE_NAMES
#endif

/* 14: scans beyond those of 13. */
#if PG_VERSION_NUM >= 140000
#define COMPAT_IS_SCAN(plan) IsA(plan, TidRangeScan)
#else
#define COMPAT_IS_SCAN(plan) false
#endif

/* 14: what a ModifyTable reads is its outer plan, no longer a list. */
static inline const List *
compat_modify_plans(const ModifyTable *plan)
{
#if PG_VERSION_NUM >= 140000
	return NIL;
#else
	return plan->plans;
#endif
}

/* 16, 18: more kinds of joins in plans. */
#if PG_VERSION_NUM >= 180000
#define COMPAT_JOIN_WORDS \
	[JOIN_RIGHT_ANTI] = " Right Anti", \
	[JOIN_RIGHT_SEMI] = " Right Semi",
#elif PG_VERSION_NUM >= 160000
#define COMPAT_JOIN_WORDS \
	[JOIN_RIGHT_ANTI] = " Right Anti",
#else
#define COMPAT_JOIN_WORDS
#endif

/* 14: a plan may be asynchronous-capable. */
static inline bool
compat_async_capable(const Plan *plan)
{
#if PG_VERSION_NUM >= 140000
	return plan->async_capable;
#else
	return false;
#endif
}

/*
 * 17: the numbers of the Extension class are given out by a hash table, and
 * asking for one that was not given out is an ERROR.
 */
#if PG_VERSION_NUM >= 170000
#define COMPAT_CUSTOM_WAIT_EVENTS true
#else
#define COMPAT_CUSTOM_WAIT_EVENTS false
#endif

/* 15: MERGE. */
#if PG_VERSION_NUM >= 150000
#define COMPAT_MODIFY_NAMES \
	[CMD_MERGE] = "Merge",
#else
#define COMPAT_MODIFY_NAMES
#endif

/* 16: a relation's file number has another name. */
static inline uint32
compat_mapped_file(Oid relation, bool shared)
{
#if PG_VERSION_NUM >= 160000
	return RelationMapOidToFilenumber(relation, shared);
#else
	return RelationMapOidToFilenode(relation, shared);
#endif
}

#endif
