/* SPDX-License-Identifier: PostgreSQL */
/*
 * The formats, and what the files of the text format share.
 *
 * Text: a line that says what happens (PARSE, BINDS, EXEC, WAIT, ...) begins at column 0, whatever the
 * nesting depth, and names its cursor as #n, so that grep finds all of a kind or of a cursor.  Nothing from
 * the traced session can begin a line.
 */
#ifndef OUT_TEXT_H
#define OUT_TEXT_H

#include "out/sink.h"

extern const struct sink_ops text_ops, json_ops;

#define TEXT_CURSORS 1024
#define TEXT_SHORT 64

/* The last cursors seen, one in each place, for the short statement beside an execution. */
struct text_cursor {
	uint32_t pid, cursor;
	uint32_t executions;
	uint8_t length;
	bool whole;
	char sql[TEXT_SHORT];
};

struct text_sink {
	struct sink sink;
	bool any_session;
	bool in_session;		/* the box of pid stands above, and no end */
	uint32_t pid;			/* whose events the last lines were */
	uint32_t parse_pid, parse_cursor;	/* the block that a PARSE TIME line would belong to */
	bool has_offset;
	int64_t offset_us;		/* wall clock against monotonic */
	struct text_cursor cursors[TEXT_CURSORS];
};

/* text_head.c: what stands around the calls. */
void text_session(struct text_sink *text, const struct trace_event *te);
void text_turn(struct text_sink *text, const struct trace_event *te);	/* to another session */
void text_clock(struct text_sink *text, const struct trace_event *te);
void text_loss(struct text_sink *text, const struct trace_event *te);
void text_note(struct text_sink *text, const struct trace_event *te);
void text_session_end(struct text_sink *text, const struct trace_event *te);
void text_totals(struct text_sink *text, const struct trace_totals *totals);

/* text_call.c: statements and their calls. */
void text_statement(struct text_sink *text, const struct trace_event *te);
void text_begin(struct text_sink *text, const struct trace_event *te);
void text_call(struct text_sink *text, const struct trace_event *te);

/* text_plan.c */
void text_plan(struct text_sink *text, const struct trace_event *te);

/* text.c */
void text_rule(struct text_sink *text, char c);
/* "EXEC #3 dep=0" */
void text_head(struct text_sink *text, const char *what, const struct pgt_record *head);
void text_time(struct text_sink *text, const struct trace_event *te, uint64_t time_ns);

#endif
