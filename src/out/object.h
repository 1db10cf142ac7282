/* SPDX-License-Identifier: PostgreSQL */
/* What a wait was for, as named parameters; text and JSON print the same ones. */
#ifndef OUT_OBJECT_H
#define OUT_OBJECT_H

#include "trace/trace.h"

#define OBJECT_PARAMS 10
#define OBJECT_TEXT 96		/* bytes of a parameter's text, with its NUL */

struct object_param {
	const char *name;	/* "block" */
	bool is_number;
	int64_t number;
	const char *text;	/* else; of the session, not trusted */
	char room[OBJECT_TEXT];	/* what text may point to */
};

/* Fills params of the wait's object (te->object, not NULL); how many. */
size_t object_params(const struct trace_event *te, struct object_param params[OBJECT_PARAMS]);
/* pids of a lock's blockers that are known: at most PGT_LOCK_BLOCKERS. */
size_t object_blockers(const struct pgt_object *object);
/* "idle in transaction"; "?" unknown. */
const char *backend_state_name(uint32_t server_version_num, uint32_t state);

#endif
