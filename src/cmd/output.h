/* SPDX-License-Identifier: PostgreSQL */
/*
 * Where a live trace goes: through the model into the readable trace, and as records into the .pgt.
 */
#ifndef CMD_OUTPUT_H
#define CMD_OUTPUT_H

#include <stdbool.h>

#include "stmt/stmt.h"
#include "trace/trace.h"

struct output {
	struct trace *trace;
	struct sink *text;	/* the trace's */
	struct stmt_writer *records;	/* NULL: standard output only */
	char *text_path, *records_path;	/* NULL: standard output */
	bool failed;		/* a byte did not reach its file */
};

/*
 * Opens BASE.trc and BASE.pgt, or standard output for "-".  0, or -1 after one log_error line, and then
 * no file is left.
 */
int output_open(struct output *out, const char *base, const struct pgt_header *header);
void output_event(struct output *out, const struct event *ev);
/* An event of the collector's own. */
void output_own(struct output *out, enum pgt_kind kind, uint32_t pid, uint64_t time_ns, const void *body,
		size_t length);
void output_note(struct output *out, uint32_t pid, uint64_t time_ns, const char *text);
/* Makes what there is visible to readers of the files. */
void output_flush(struct output *out);
/* Ends both.  0, or -1 after one line. */
int output_finish(struct output *out);
void output_close(struct output *out);

#endif
