/* SPDX-License-Identifier: PostgreSQL */
/*
 * struct sink - one output of a trace.  A format is a file and a row in sink_formats.
 */
#ifndef OUT_SINK_H
#define OUT_SINK_H

#include <stdio.h>

#include "trace/trace.h"

struct sink {
	const struct sink_ops *ops;
	FILE *out;		/* owned; over standard output where path is "-" */
	char *path;		/* for messages, owned */
	bool failed;		/* a write failed; said once */
};

struct sink_ops {
	const char *name;	/* "text", for --format */
	const char *suffix;	/* ".trc" */
	size_t size;		/* of the sink's own struct, whose first member is struct sink */
	void (*begin)(struct sink *sink);	/* may be NULL */
	void (*event)(struct sink *sink, const struct trace_event *te);
	/* The last lines: totals and loss. */
	void (*end)(struct sink *sink, const struct trace_totals *totals);
	void (*free)(struct sink *sink);	/* may be NULL */
};

extern const struct sink_ops *const sink_formats[];	/* NULL-terminated */

const struct sink_ops *sink_format(const char *name);	/* NULL: none of that name */
/* Opens path (0600, replaced; "-" is standard output).  NULL after one log_error line. */
struct sink *sink_open(const struct sink_ops *ops, const char *path);
/* Writes one event, or the last lines.  A failure is said once, a reader that left (EPIPE) not at all. */
void sink_event(struct sink *sink, const struct trace_event *te);
void sink_end(struct sink *sink, const struct trace_totals *totals);
void sink_flush(struct sink *sink);
/* Flushes and closes; 0, or -1 after one line if a byte did not reach the file. */
int sink_close(struct sink *sink);

#endif
