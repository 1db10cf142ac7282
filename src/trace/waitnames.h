/* SPDX-License-Identifier: PostgreSQL */
/*
 * Names of wait events: those the server told (WAIT_NAMES records), else those known of its
 * version (waits.tab, PostgreSQL 13 to 18).  A number that neither knows has no name.
 */
#ifndef TRACE_WAITNAMES_H
#define TRACE_WAITNAMES_H

#include "stmt/stmt.h"

struct wait_name {
	uint32_t event;
	const char *type;
	const char *name;
};

struct waitnames {
	struct wait_name *names;	/* sorted by event; type and name are one allocation */
	size_t count;
};

/* A WAIT_NAMES record.  Names told later replace earlier ones. */
void waitnames_learn(struct waitnames *names, const struct event *ev);
/* The name, "?" if unknown; *type is "?" if even the class is.  Both live as long as names. */
const char *waitnames_find(const struct waitnames *names, uint32_t server_version_num, uint32_t event,
			   const char **type);
/* The number of the event of that name in a server of this version; 0: it has none. */
uint32_t waitnames_event(uint32_t server_version_num, const char *name);
void waitnames_release(struct waitnames *names);

#endif
