/* SPDX-License-Identifier: PostgreSQL */
/*
 * The statement side without the extension: from the calls of pgstat_report_activity(), in the
 * order of time, to the records that the extension would have written, as far as they
 * can be known: text, begin and end.
 *
 * The server reports STATE_RUNNING with the statement at a simple query, and in the extended
 * protocol at each Parse, Bind and Execute; another state when it waits for the client
 * (src/backend/tcop/postgres.c).  So reports of the same text without an idle state between them are one
 * statement here.
 */
#ifndef MERGE_ACTIVITY_H
#define MERGE_ACTIVITY_H

#include <stdint.h>

#include "stmt/stmt.h"

struct activity;

/* major_version: of the server, 13 to 18; its enum BackendState differs. */
struct activity *activity_new(int major_version, uint32_t pid);
void activity_free(struct activity *activity);
/* Takes an EVENT_ACTIVITY; calls emit for each record it stands for. */
void activity_apply(struct activity *activity, const struct event *ev,
		    void (*emit)(const struct event *ev, void *arg), void *arg);

#endif
