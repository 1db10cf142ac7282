/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/output.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "out/sink.h"

int output_open(struct output *out, const char *base, const struct pgt_header *header)
{
	bool to_stdout = !strcmp(base, "-");

	memset(out, 0, sizeof(*out));
	if (!to_stdout) {
		out->text_path = xasprintf("%s.trc", base);
		out->records_path = xasprintf("%s.pgt", base);
	}
	out->trace = trace_new();
	trace_expect_waits(out->trace);
	/* The record file first: what an earlier trace of that name left is replaced only when both can be. */
	if (!to_stdout) {
		out->records = stmt_create(out->records_path, header);
		if (!out->records)
			return -1;
	}
	out->text = sink_open(sink_format("text"), to_stdout ? "-" : out->text_path);
	if (!out->text) {
		if (out->records && !stmt_finish(out->records))
			unlink(out->records_path);
		out->records = NULL;
		return -1;
	}
	trace_add_sink(out->trace, out->text);
	return 0;
}

void output_event(struct output *out, const struct event *ev)
{
	trace_apply(out->trace, ev);
	if (out->records && stmt_write(out->records, ev))
		out->failed = true;
	out->failed |= out->text->failed;
}

void output_own(struct output *out, enum pgt_kind kind, uint32_t pid, uint64_t time_ns, const void *body,
		size_t length)
{
	struct event ev = {
		.head = { .kind = (uint8_t)kind, .pid = pid, .time_ns = time_ns },
		.body = body,
		.body_length = length,
	};

	output_event(out, &ev);
}

void output_note(struct output *out, uint32_t pid, uint64_t time_ns, const char *text)
{
	struct pgt_note note = { .length = (uint32_t)strlen(text) };
	struct strbuf body = STRBUF_INIT;

	strbuf_add(&body, &note, sizeof(note));
	strbuf_addstr(&body, text);
	output_own(out, PGT_NOTE, pid, time_ns, body.text, body.length);
	strbuf_release(&body);
}

void output_flush(struct output *out)
{
	trace_flush(out->trace);
	if (out->records && stmt_flush(out->records))
		out->failed = true;
}

int output_finish(struct output *out)
{
	if (trace_finish(out->trace))
		out->failed = true;
	out->text = NULL;
	if (out->records && stmt_finish(out->records))
		out->failed = true;
	out->records = NULL;
	return out->failed ? -1 : 0;
}

void output_close(struct output *out)
{
	trace_free(out->trace);
	free(out->text_path);
	free(out->records_path);
	memset(out, 0, sizeof(*out));
}
