/* SPDX-License-Identifier: PostgreSQL */
/*
 * The statement side with the extension: asks the backend for its trace, or joins one that is on, and
 * finds the record file as soon as there is one.
 */
#ifndef CMD_EXTENSION_H
#define CMD_EXTENSION_H

#include <stdbool.h>

#include "merge/sources.h"
#include "target/control.h"
#include "target/target.h"

struct extension {
	struct control *control;	/* NULL: no extension there */
	struct source *records;	/* NULL until the backend has begun */
	char *record_path;	/* of records */
	char base[PGT_BASE_SIZE];	/* the trace's name */
	bool ours;		/* we asked for it, and end it */
	bool beats;		/* it lives by a heartbeat, ours or also that of the collector whose trace we joined */
	bool failed;		/* the backend could not start it, or its file cannot be read */
	char why[160];		/* of failed, for the trace's reader */
};

/* 0, or -1 after one log_error line. */
int extension_open(struct extension *ext, const struct target *target, uint32_t level);
/* Looks whether the backend has begun or failed; opens the records.  True: records has become a source. */
bool extension_poll(struct extension *ext);
/* The end: asks the backend to stop if we asked it to start. */
void extension_stop(struct extension *ext);
void extension_close(struct extension *ext);

#endif
