/* SPDX-License-Identifier: PostgreSQL */
/* Names of relations, as RELATION records tell them: by file, for I/O, and by oid, for locks. */
#ifndef TRACE_RELATIONS_H
#define TRACE_RELATIONS_H

#include "stmt/stmt.h"

struct relation_slot;

struct relations {
	struct relation_slot *slots;
	size_t size;		/* a power of two, or 0 */
	size_t count;
};

/* A RELATION record.  A name told later replaces an earlier one. */
void relations_learn(struct relations *relations, const struct event *ev);
/* "schema.name" of what a wait was for, or NULL: no relation, or none that is known.  Lives until the next learn. */
const char *relations_find(const struct relations *relations, const struct pgt_object *object);
void relations_release(struct relations *relations);

#endif
