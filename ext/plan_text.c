/* SPDX-License-Identifier: PostgreSQL */
/*
 * plan_text.c
 *	  EXPLAIN's line for a plan node.
 *
 * The words are those of backend/commands/explain.c (ExplainNode), so that a reader
 * of plans finds what he knows.
 */
#include "postgres.h"

#include "access/sdir.h"
#include "nodes/extensible.h"
#include "nodes/parsenodes.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "plan_text.h"

typedef struct NodeName
{
	NodeTag		tag;
	const char *name;
} NodeName;

static const NodeName node_names[] = {
	COMPAT_NODE_NAMES
	{T_Result, "Result"},
	{T_ProjectSet, "ProjectSet"},
	{T_Append, "Append"},
	{T_MergeAppend, "Merge Append"},
	{T_RecursiveUnion, "Recursive Union"},
	{T_BitmapAnd, "BitmapAnd"},
	{T_BitmapOr, "BitmapOr"},
	{T_SeqScan, "Seq Scan"},
	{T_SampleScan, "Sample Scan"},
	{T_IndexScan, "Index Scan"},
	{T_IndexOnlyScan, "Index Only Scan"},
	{T_BitmapIndexScan, "Bitmap Index Scan"},
	{T_BitmapHeapScan, "Bitmap Heap Scan"},
	{T_TidScan, "Tid Scan"},
	{T_SubqueryScan, "Subquery Scan"},
	{T_FunctionScan, "Function Scan"},
	{T_TableFuncScan, "Table Function Scan"},
	{T_ValuesScan, "Values Scan"},
	{T_CteScan, "CTE Scan"},
	{T_NamedTuplestoreScan, "Named Tuplestore Scan"},
	{T_WorkTableScan, "WorkTable Scan"},
	{T_Material, "Materialize"},
	{T_Sort, "Sort"},
	{T_IncrementalSort, "Incremental Sort"},
	{T_Group, "Group"},
	{T_WindowAgg, "WindowAgg"},
	{T_Unique, "Unique"},
	{T_Gather, "Gather"},
	{T_GatherMerge, "Gather Merge"},
	{T_LockRows, "LockRows"},
	{T_Limit, "Limit"},
	{T_Hash, "Hash"},
};

/* Words of joins: after "Nested Loop", or between "Hash" and "Join". */
static const char *const join_words[] = {
	[JOIN_INNER] = "",
	[JOIN_LEFT] = " Left",
	[JOIN_FULL] = " Full",
	[JOIN_RIGHT] = " Right",
	[JOIN_SEMI] = " Semi",
	[JOIN_ANTI] = " Anti",
	COMPAT_JOIN_WORDS
};

static const char *const modify_names[] = {
	[CMD_INSERT] = "Insert",
	[CMD_UPDATE] = "Update",
	[CMD_DELETE] = "Delete",
	COMPAT_MODIFY_NAMES
};

static const char *const foreign_names[] = {
	[CMD_SELECT] = "Foreign Scan",
	[CMD_INSERT] = "Foreign Insert",
	[CMD_UPDATE] = "Foreign Update",
	[CMD_DELETE] = "Foreign Delete",
};

static const char *const agg_names[] = {
	[AGG_PLAIN] = "Aggregate",
	[AGG_SORTED] = "GroupAggregate",
	[AGG_HASHED] = "HashAggregate",
	[AGG_MIXED] = "MixedAggregate",
};

static const char *const setop_names[] = {
	[SETOPCMD_INTERSECT] = " Intersect",
	[SETOPCMD_INTERSECT_ALL] = " Intersect All",
	[SETOPCMD_EXCEPT] = " Except",
	[SETOPCMD_EXCEPT_ALL] = " Except All",
};

/* The word of a table that may have gaps or end before i. */
static const char *
word(const char *const *words, int count, int i)
{
	return i >= 0 && i < count && words[i] != NULL ? words[i] : "???";
}

#define WORD(table, i) word(table, lengthof(table), (int) (i))

/* --- node types whose name depends on more than the type -------------------- */

static void
append_join(StringInfo out, const char *kind, JoinType type)
{
	appendStringInfoString(out, kind);
	appendStringInfoString(out, WORD(join_words, type));
	if (type != JOIN_INNER || strcmp(kind, "Nested Loop") != 0)
		appendStringInfoString(out, " Join");
}

static void
append_agg(StringInfo out, const Agg *agg)
{
	if (DO_AGGSPLIT_SKIPFINAL(agg->aggsplit))
		appendStringInfoString(out, "Partial ");
	else if (DO_AGGSPLIT_COMBINE(agg->aggsplit))
		appendStringInfoString(out, "Finalize ");
	appendStringInfoString(out, WORD(agg_names, agg->aggstrategy));
}

static void
append_setop(StringInfo out, const SetOp *setop)
{
	appendStringInfoString(out, setop->strategy == SETOP_HASHED ?
						   "HashSetOp" : "SetOp");
	appendStringInfoString(out, WORD(setop_names, setop->cmd));
}

static void
append_custom(StringInfo out, const CustomScan *scan)
{
	appendStringInfo(out, "Custom Scan (%s)", scan->methods->CustomName);
}

static const char *
plain_name(NodeTag tag)
{
	for (int i = 0; i < lengthof(node_names); i++)
		if (node_names[i].tag == tag)
			return node_names[i].name;
	return "???";
}

static void
append_name(StringInfo out, const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_NestLoop:
			append_join(out, "Nested Loop", ((const Join *) plan)->jointype);
			break;
		case T_MergeJoin:
			append_join(out, "Merge", ((const Join *) plan)->jointype);
			break;
		case T_HashJoin:
			append_join(out, "Hash", ((const Join *) plan)->jointype);
			break;
		case T_Agg:
			append_agg(out, (const Agg *) plan);
			break;
		case T_SetOp:
			append_setop(out, (const SetOp *) plan);
			break;
		case T_ModifyTable:
			appendStringInfoString(out, WORD(modify_names,
											 ((const ModifyTable *) plan)->operation));
			break;
		case T_ForeignScan:
			appendStringInfoString(out, WORD(foreign_names,
											 ((const ForeignScan *) plan)->operation));
			break;
		case T_CustomScan:
			append_custom(out, (const CustomScan *) plan);
			break;
		default:
			appendStringInfoString(out, plain_name(nodeTag(plan)));
	}
}

/* --- what a node works on --------------------------------------------------- */

/* Index of the range table entry that a node scans or modifies, 0 if none. */
static Index
scanned_entry(const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_SeqScan:
		case T_SampleScan:
		case T_IndexScan:
		case T_IndexOnlyScan:
		case T_BitmapHeapScan:
		case T_TidScan:
		case T_SubqueryScan:
		case T_FunctionScan:
		case T_TableFuncScan:
		case T_ValuesScan:
		case T_CteScan:
		case T_NamedTuplestoreScan:
		case T_WorkTableScan:
		case T_ForeignScan:
		case T_CustomScan:
			return ((const Scan *) plan)->scanrelid;
		case T_ModifyTable:
			return ((const ModifyTable *) plan)->nominalRelation;
		default:
			return COMPAT_IS_SCAN(plan) ? ((const Scan *) plan)->scanrelid : 0;
	}
}

static const RangeTblEntry *
entry_of(const PlannedStmt *stmt, const Plan *plan)
{
	Index		i = scanned_entry(plan);

	return i > 0 && i <= list_length(stmt->rtable) ?
		rt_fetch(i, stmt->rtable) : NULL;
}

Oid
plan_relation(const PlannedStmt *stmt, const Plan *plan)
{
	const RangeTblEntry *entry = entry_of(stmt, plan);

	return entry != NULL && entry->rtekind == RTE_RELATION ?
		entry->relid : InvalidOid;
}

Oid
plan_index(const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_IndexScan:
			return ((const IndexScan *) plan)->indexid;
		case T_IndexOnlyScan:
			return ((const IndexOnlyScan *) plan)->indexid;
		case T_BitmapIndexScan:
			return ((const BitmapIndexScan *) plan)->indexid;
		default:
			return InvalidOid;
	}
}

static bool
is_backward(const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_IndexScan:
			return ScanDirectionIsBackward(((const IndexScan *) plan)->indexorderdir);
		case T_IndexOnlyScan:
			return ScanDirectionIsBackward(((const IndexOnlyScan *) plan)->indexorderdir);
		default:
			return false;
	}
}

/* An index may have been dropped by the statement itself. */
static void
append_index(StringInfo out, const Plan *plan)
{
	Oid			index = plan_index(plan);
	const char *name;

	if (!OidIsValid(index))
		return;
	name = get_rel_name(index);
	appendStringInfo(out, "%s %s%s", is_backward(plan) ? " Backward" : "",
					 IsA(plan, BitmapIndexScan) ? "on " : "using ",
					 name ? quote_identifier(name) : "???");
}

static char *
relation_name(Oid relation)
{
	char	   *name = get_rel_name(relation);
	char	   *space = get_namespace_name(get_rel_namespace(relation));

	return name && space ? psprintf("%s.%s", quote_identifier(space),
									quote_identifier(name)) : NULL;
}

/* The planner has taken the functions out of the range table. */
static char *
function_name(const FunctionScan *scan)
{
	RangeTblFunction *f = list_length(scan->functions) == 1 ?
		linitial(scan->functions) : NULL;
	char	   *name = f != NULL && IsA(f->funcexpr, FuncExpr) ?
		get_func_name(((FuncExpr *) f->funcexpr)->funcid) : NULL;

	return name ? pstrdup(quote_identifier(name)) : NULL;
}

/* The name under which what the node scans is known, or NULL. */
static char *
object_name(const RangeTblEntry *entry, const Plan *plan)
{
	if (entry->rtekind == RTE_RELATION)
		return relation_name(entry->relid);
	if (IsA(plan, FunctionScan))
		return function_name((const FunctionScan *) plan);
	if (entry->rtekind == RTE_CTE)
		return pstrdup(quote_identifier(entry->ctename));
	return NULL;
}

static void
append_object(StringInfo out, const PlannedStmt *stmt, const Plan *plan)
{
	const RangeTblEntry *entry = entry_of(stmt, plan);
	char	   *name;
	const char *alias;
	const char *last;

	if (entry == NULL)
		return;
	name = object_name(entry, plan);
	alias = entry->eref ? quote_identifier(entry->eref->aliasname) : NULL;
	if (name != NULL)
		appendStringInfo(out, " on %s", name);
	/* The alias, unless it is the relation's own name. */
	last = name ? strrchr(name, '.') : NULL;
	last = last ? last + 1 : name;
	if (alias != NULL && (last == NULL || strcmp(last, alias) != 0))
		appendStringInfo(out, "%s %s", name ? "" : " on", alias);
}

void
plan_text_append(StringInfo out, const PlannedStmt *stmt,
				 const PlanState *state, const char *subplan)
{
	const Plan *plan = state->plan;

	if (subplan != NULL)
		appendStringInfo(out, "%s -> ", subplan);
	if (plan->parallel_aware)
		appendStringInfoString(out, "Parallel ");
	if (compat_async_capable(plan))
		appendStringInfoString(out, "Async ");
	append_name(out, plan);
	append_index(out, plan);
	append_object(out, stmt, plan);
}
