/* SPDX-License-Identifier: PostgreSQL */
/*
 * plan_text.h
 *	  EXPLAIN's line for a plan node.
 */
#ifndef PGT_PLAN_TEXT_H
#define PGT_PLAN_TEXT_H

#include "lib/stringinfo.h"
#include "nodes/execnodes.h"
#include "nodes/plannodes.h"

/*
 * Appends the line of a node: "Index Scan using t_pkey on public.t x".  subplan is
 * the name of the subplan whose root it is ("InitPlan 1 (returns $0)"), or NULL.
 */
extern void plan_text_append(StringInfo out, const PlannedStmt *stmt,
							 const PlanState *state, const char *subplan);

/* The relation that a node scans or modifies, or InvalidOid. */
extern Oid	plan_relation(const PlannedStmt *stmt, const Plan *plan);

/* The index that a node scans, or InvalidOid. */
extern Oid	plan_index(const Plan *plan);

#endif
