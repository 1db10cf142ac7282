/* SPDX-License-Identifier: PostgreSQL */
#include "merge/activity.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "kernel/sample.h"

/*
 * enum BackendState: utils/backend_status.h (pgstat.h in 13).  18 put STATE_STARTING before
 * STATE_IDLE.
 */
enum { RUNNING_UNTIL_17 = 2, FASTPATH_UNTIL_17 = 4, RUNNING_18 = 3, FASTPATH_18 = 5 };

#define CURSORS 8192		/* a power of two; the table is emptied when it is three quarters full */

struct known_text {
	uint64_t hash;
	uint32_t length;
	uint32_t cursor;	/* 0: free */
};

struct activity {
	uint32_t running, fastpath;
	uint32_t pid;
	struct known_text known[CURSORS];
	size_t known_count;
	uint32_t last_cursor;
	uint32_t open_cursor;	/* of the statement that runs; 0: none */
	uint64_t open_since;
};

struct out {
	void (*emit)(const struct event *ev, void *arg);
	void *arg;
	const struct activity *activity;
	uint64_t time_ns;
};

struct activity *activity_new(int major_version, uint32_t pid)
{
	struct activity *activity = xcalloc(1, sizeof(*activity));
	bool is_18 = major_version >= 18;

	activity->running = is_18 ? RUNNING_18 : RUNNING_UNTIL_17;
	activity->fastpath = is_18 ? FASTPATH_18 : FASTPATH_UNTIL_17;
	activity->pid = pid;
	return activity;
}

void activity_free(struct activity *activity)
{
	free(activity);
}

static uint64_t hash_text(const char *text, size_t length)
{
	uint64_t hash = UINT64_C(14695981039346656037);	/* FNV-1a */
	size_t i;

	for (i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
	return hash;
}

/* The cursor of text; *is_new tells that it has not been shown. */
static uint32_t cursor_of(struct activity *activity, const char *text, uint32_t length, bool *is_new)
{
	uint64_t hash = hash_text(text, length);
	size_t at = hash & (CURSORS - 1);

	for (; activity->known[at].cursor; at = (at + 1) & (CURSORS - 1)) {
		*is_new = false;
		if (activity->known[at].hash == hash && activity->known[at].length == length)
			return activity->known[at].cursor;
	}
	*is_new = true;
	if (activity->known_count >= CURSORS / 4 * 3) {
		memset(activity->known, 0, sizeof(activity->known));
		activity->known_count = 0;
		at = hash & (CURSORS - 1);
	}
	activity->known_count++;
	activity->known[at] = (struct known_text){ hash, length, ++activity->last_cursor };
	return activity->last_cursor;
}

static void put(const struct out *out, enum pgt_kind kind, uint32_t cursor, const void *body, size_t length)
{
	struct event ev = {
		.head = { .kind = (uint8_t)kind, .pid = out->activity->pid, .cursor = cursor,
			  .time_ns = out->time_ns },
		.body = body,
		.body_length = length,
	};

	out->emit(&ev, out->arg);
}

static void put_text(const struct out *out, uint32_t cursor, const char *text, uint32_t length)
{
	/* The probe copies no more: a text of that length was cut there, its own is not known. */
	bool cut = length >= SAMPLE_TEXT_MAX - 1;
	struct pgt_text head = { .length = length, .true_length = length + cut };
	struct strbuf body = STRBUF_INIT;

	strbuf_add(&body, &head, sizeof(head));
	strbuf_add(&body, text, length);
	put(out, PGT_TEXT, cursor, body.text, body.length);
	strbuf_release(&body);
}

static void statement_ends(struct activity *activity, const struct out *out)
{
	struct pgt_call call = {
		.call = PGT_CALL_EXEC,
		.flags = PGT_CALL_NO_CPU | PGT_CALL_NO_USAGE,
		.start_ns = activity->open_since,
		.end_ns = out->time_ns,
	};

	if (!activity->open_cursor)
		return;
	put(out, PGT_CALL, activity->open_cursor, &call, sizeof(call));
	activity->open_cursor = 0;
}

static void statement_runs(struct activity *activity, const struct out *out, const char *text, uint32_t length)
{
	struct pgt_begin begin = { .call = PGT_CALL_EXEC };
	bool is_new;
	uint32_t cursor = cursor_of(activity, text, length, &is_new);

	if (cursor == activity->open_cursor)
		return;
	statement_ends(activity, out);
	if (is_new)
		put_text(out, cursor, text, length);
	activity->open_cursor = cursor;
	activity->open_since = out->time_ns;
	put(out, PGT_BEGIN, cursor, &begin, sizeof(begin));
}

void activity_apply(struct activity *activity, const struct event *ev,
		    void (*emit)(const struct event *ev, void *arg), void *arg)
{
	const struct sample_activity *sample = ev->body;
	struct out out = { emit, arg, activity, ev->head.time_ns };

	if (sample->state != activity->running && sample->state != activity->fastpath)
		statement_ends(activity, &out);
	else if (sample->length)
		statement_runs(activity, &out, (const char *)(sample + 1), sample->length);
}
