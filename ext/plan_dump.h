/* SPDX-License-Identifier: PostgreSQL */
/*
 * plan_dump.h
 *	  PGT_PLAN records.
 */
#ifndef PGT_PLAN_DUMP_H
#define PGT_PLAN_DUMP_H

#include "executor/execdesc.h"

/* Of the plan's shape: node types, relations, indexes, join types; no costs. */
extern uint64 plan_shape_hash(const PlannedStmt *stmt);

/*
 * Writes the plan of a query that has run but not ended, with what it measured.
 * Returns whether it was written; raises no error but a cancel.
 */
extern bool plan_write(QueryDesc *desc, uint32 cursor, uint64 hash);

#endif
