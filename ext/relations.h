/* SPDX-License-Identifier: PostgreSQL */
/*
 * relations.h
 *	  PGT_RELATION records: which files and oids are which relation.
 */
#ifndef PGT_RELATIONS_H
#define PGT_RELATIONS_H

#include "nodes/pg_list.h"

/* A trace begins: no relation has been told. */
extern void relations_forget(void);

/*
 * Tells the relations of a range table, with their indexes and TOAST tables: those
 * that this trace has not told, or that have changed since.  They must be locked, and
 * a transaction be under way.
 */
extern void relations_write(List *rtable);

#endif
