/* SPDX-License-Identifier: PostgreSQL */
/*
 * plan_dump.c
 *	  PGT_PLAN records.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "utils/memutils.h"

#include "calls.h"
#include "clock.h"
#include "compat.h"
#include "plan_dump.h"
#include "plan_text.h"
#include "record_file.h"
#include "session.h"

/* --- the shape -------------------------------------------------------------- */

static uint64
mix(uint64 hash, uint64 value)
{
	hash = (hash ^ value) * UINT64CONST(0x9E3779B97F4A7C15);
	return hash ^ (hash >> 29);
}

static uint64 mix_plan(uint64 hash, const PlannedStmt *stmt, const Plan *plan);

static uint64
mix_list(uint64 hash, const PlannedStmt *stmt, const List *plans)
{
	ListCell   *cell;

	foreach(cell, plans)
		hash = mix_plan(hash, stmt, lfirst(cell));
	return hash;
}

/* Children that are not the outer and the inner plan. */
static uint64
mix_special_children(uint64 hash, const PlannedStmt *stmt, const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_Append:
			return mix_list(hash, stmt, ((const Append *) plan)->appendplans);
		case T_MergeAppend:
			return mix_list(hash, stmt, ((const MergeAppend *) plan)->mergeplans);
		case T_BitmapAnd:
			return mix_list(hash, stmt, ((const BitmapAnd *) plan)->bitmapplans);
		case T_BitmapOr:
			return mix_list(hash, stmt, ((const BitmapOr *) plan)->bitmapplans);
		case T_SubqueryScan:
			return mix_plan(hash, stmt, ((const SubqueryScan *) plan)->subplan);
		case T_CustomScan:
			return mix_list(hash, stmt, ((const CustomScan *) plan)->custom_plans);
		case T_ModifyTable:
			return mix_list(hash, stmt, compat_modify_plans((const ModifyTable *) plan));
		default:
			return hash;
	}
}

static uint64
mix_details(uint64 hash, const PlannedStmt *stmt, const Plan *plan)
{
	hash = mix(hash, plan_relation(stmt, plan));
	hash = mix(hash, plan_index(plan));
	switch (nodeTag(plan))
	{
		case T_NestLoop:
		case T_MergeJoin:
		case T_HashJoin:
			return mix(hash, ((const Join *) plan)->jointype);
		case T_Agg:
			return mix(hash, ((const Agg *) plan)->aggstrategy);
		default:
			return hash;
	}
}

static uint64
mix_plan(uint64 hash, const PlannedStmt *stmt, const Plan *plan)
{
	if (plan == NULL)
		return mix(hash, 1);
	hash = mix(hash, nodeTag(plan));
	hash = mix_details(hash, stmt, plan);
	hash = mix_plan(hash, stmt, plan->lefttree);
	hash = mix_plan(hash, stmt, plan->righttree);
	return mix_special_children(hash, stmt, plan);
}

uint64
plan_shape_hash(const PlannedStmt *stmt)
{
	return mix_list(mix_plan(stmt->commandType, stmt, stmt->planTree), stmt,
					stmt->subplans);
}

/* --- the nodes -------------------------------------------------------------- */

typedef struct Walk
{
	const PlannedStmt *stmt;
	StringInfoData out;			/* the record's body */
	uint32		nodes;
	uint32		parent_id;
	const PlanState *parent;
	uint32		flags;			/* PGT_PLAN_* */
} Walk;

static void
fill_estimates(struct pgt_node *n, const Plan *plan)
{
	n->startup_cost = plan->startup_cost;
	n->total_cost = plan->total_cost;
	n->plan_rows = plan->plan_rows;
	n->plan_width = (uint32) plan->plan_width;
}

static void
fill_usage(struct pgt_usage *u, const Instrumentation *i)
{
	const BufferUsage *b = &i->bufusage;

	u->shared_hit = b->shared_blks_hit;
	u->shared_read = b->shared_blks_read;
	u->shared_dirtied = b->shared_blks_dirtied;
	u->shared_written = b->shared_blks_written;
	u->local_hit = b->local_blks_hit;
	u->local_read = b->local_blks_read;
	u->local_dirtied = b->local_blks_dirtied;
	u->local_written = b->local_blks_written;
	u->temp_read = b->temp_blks_read;
	u->temp_written = b->temp_blks_written;
	u->io_read_ns = compat_io_read_ns(b);
	u->io_write_ns = compat_io_write_ns(b);
	u->wal_records = i->walusage.wal_records;
	u->wal_fpi = i->walusage.wal_fpi;
	u->wal_bytes = (int64) i->walusage.wal_bytes;
}

static void
fill_actuals(struct pgt_node *n, Instrumentation *i, Walk *walk)
{
	if (i == NULL)
		return;
	/* Also what the last cycle did, which is not yet in the sums. */
	InstrEndLoop(i);
	n->rows = i->ntuples;
	n->loops = i->nloops;
	n->filtered = i->nfiltered1 + i->nfiltered2;
	n->startup_ns = (uint64) (i->startup * NS_PER_SEC);
	n->total_ns = (uint64) (i->total * NS_PER_SEC);
	fill_usage(&n->usage, i);
	walk->flags |= PGT_PLAN_ACTUALS;
	if (i->need_timer)
		walk->flags |= PGT_PLAN_TIMING;
}

static uint32
workers_launched(const PlanState *state)
{
	if (IsA(state, GatherState))
		return (uint32) ((const GatherState *) state)->nworkers_launched;
	if (IsA(state, GatherMergeState))
		return (uint32) ((const GatherMergeState *) state)->nworkers_launched;
	return 0;
}

/* The name of the subplan whose root the node is, or NULL. */
static const char *
subplan_name(const PlanState *parent, const PlanState *state)
{
	const List *lists[2] = {NIL, NIL};
	ListCell   *cell;

	if (parent == NULL)
		return NULL;
	lists[0] = parent->initPlan;
	lists[1] = parent->subPlan;
	for (int i = 0; i < 2; i++)
	{
		foreach(cell, lists[i])
		{
			const SubPlanState *s = lfirst(cell);

			if (s->planstate == state)
				return s->subplan->plan_name;
		}
	}
	return NULL;
}

/* Room for a node; its text follows at once. */
static int
append_node(Walk *walk, const PlanState *state)
{
	static const struct pgt_node empty;
	int			at = walk->out.len;
	struct pgt_node *n;

	appendBinaryStringInfo(&walk->out, (const char *) &empty, sizeof(empty));
	plan_text_append(&walk->out, walk->stmt, state,
					 subplan_name(walk->parent, state));
	/* The buffer may have moved. */
	n = (struct pgt_node *) (walk->out.data + at);
	n->text_length = (uint32) (walk->out.len - at) - sizeof(*n);
	while (walk->out.len % 8 != 0)
		appendStringInfoChar(&walk->out, '\0');
	return at;
}

static bool
walk_node(PlanState *state, void *arg)
{
	Walk	   *walk = arg;
	Walk		up = *walk;
	int			at = append_node(walk, state);
	struct pgt_node *n = (struct pgt_node *) (walk->out.data + at);

	n->id = ++walk->nodes;
	n->parent_id = walk->parent_id;
	n->relation_oid = plan_relation(walk->stmt, state->plan);
	n->workers_launched = workers_launched(state);
	fill_estimates(n, state->plan);
	fill_actuals(n, state->instrument, walk);
	walk->parent = state;
	walk->parent_id = n->id;
	(void) planstate_tree_walker(state, walk_node, walk);
	walk->parent = up.parent;
	walk->parent_id = up.parent_id;
	return false;
}

/* --- the record ------------------------------------------------------------- */

static void
make_body(Walk *walk, QueryDesc *desc, uint64 hash)
{
	struct pgt_plan head = {.plan_hash = hash};

	memset(walk, 0, sizeof(*walk));
	walk->stmt = desc->plannedstmt;
	initStringInfo(&walk->out);
	appendBinaryStringInfo(&walk->out, (const char *) &head, sizeof(head));
	walk_node(desc->planstate, walk);
	((struct pgt_plan *) walk->out.data)->nodes = walk->nodes;
	((struct pgt_plan *) walk->out.data)->flags = walk->flags;
}

static bool
write_body(const Walk *walk, uint32 cursor)
{
	void	   *body = record_begin(PGT_PLAN, cursor, calls_depth(),
									(uint64) walk->out.len, clock_mono_ns());

	if (body == NULL)
		return false;
	memcpy(body, walk->out.data, walk->out.len);
	record_commit();
	return true;
}

bool
plan_write(QueryDesc *desc, uint32 cursor, uint64 hash)
{
	static MemoryContext scratch;
	MemoryContext old = CurrentMemoryContext;
	volatile bool written = false;

	if (desc->planstate == NULL)
		return false;
	if (scratch == NULL)
		scratch = AllocSetContextCreate(TopMemoryContext, "pg_trace plans",
										ALLOCSET_DEFAULT_SIZES);
	PG_TRY();
	{
		Walk		walk;

		trace_suspended = true;
		MemoryContextSwitchTo(scratch);
		make_body(&walk, desc, hash);
		written = write_body(&walk, cursor);
	}
	PG_CATCH();
	{
		trace_suspended = false;
		MemoryContextSwitchTo(old);
		if (ERRCODE_TO_CATEGORY(geterrcode()) == ERRCODE_OPERATOR_INTERVENTION)
			PG_RE_THROW();
		FlushErrorState();
		record_write_note("a plan could not be described", clock_mono_ns());
	}
	PG_END_TRY();
	trace_suspended = false;
	MemoryContextSwitchTo(old);
	MemoryContextReset(scratch);
	return written;
}
