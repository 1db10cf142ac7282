/* SPDX-License-Identifier: PostgreSQL */
/*
 * A sample is copied out of its ring when it is looked at, and its room given back to the
 * kernel at once, while the sample still waits for its turn.
 *
 * SAMPLE_LOST is passed over: the ring tells it late, with the next sample that it takes.  The programs count
 * what no ring took (task_state.lost), and whoever drives the merge looks there once a round.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "merge/sources.h"

struct ring_source {
	struct source source;
	struct ring *ring;
	uint32_t pid, own_pid;
	uint64_t attached_ns;
	struct event event;
	bool have;
	union {
		struct pgt_wait wait;
		struct sample_activity activity;
		struct pgt_blocker blocker;
		char room[sizeof(struct sample_activity) + SAMPLE_TEXT_MAX];
	} body;
};

static size_t from_wait(struct ring_source *rs, const struct sample *sample)
{
	const struct sample_wait *wait = (const struct sample_wait *)sample;

	rs->event.head.kind = PGT_WAIT;
	rs->body.wait = (struct pgt_wait){ .event = wait->event, .start_ns = wait->start_ns };
	if (!wait->start_ns) {
		rs->body.wait.flags = PGT_WAIT_NO_START;
		/* It may have ended in the very moment of attaching. */
		rs->body.wait.start_ns = rs->attached_ns < sample->time_ns ? rs->attached_ns : sample->time_ns;
	}
	return PGT_WAIT_SHORT;
}

static size_t from_wait_object(struct ring_source *rs, const struct sample *sample)
{
	const struct sample_wait_object *wait = (const struct sample_wait_object *)sample;

	from_wait(rs, sample);
	rs->body.wait.object = wait->object;
	return sizeof(rs->body.wait);
}

/* A TimestampTz counts from 2000-01-01 (datatype/timestamp.h). */
static int64_t since_1970(int64_t timestamp)
{
	return timestamp ? (int64_t)((uint64_t)timestamp + UINT64_C(946684800000000)) : 0;
}

static size_t from_blocker(struct ring_source *rs, const struct sample *sample)
{
	const struct sample_blocker *blocker = (const struct sample_blocker *)sample;

	rs->event.head.kind = PGT_BLOCKER;
	rs->body.blocker = (struct pgt_blocker){ .pid = blocker->pid, .flags = blocker->flags };
	if (blocker->flags & PGT_BLOCKER_KNOWN) {
		rs->body.blocker.state = blocker->state;
		rs->body.blocker.length = blocker->length;	/* checked by the ring */
		rs->body.blocker.xact_start_us = since_1970(blocker->xact_start_us);
		rs->body.blocker.statement_start_us = since_1970(blocker->statement_start_us);
	}
	memcpy(rs->body.room + sizeof(rs->body.blocker), blocker + 1, rs->body.blocker.length);
	return sizeof(rs->body.blocker) + rs->body.blocker.length;
}

static size_t from_activity(struct ring_source *rs, const struct sample *sample)
{
	const struct sample_activity *activity = (const struct sample_activity *)sample;
	size_t size = sizeof(*activity) + activity->length;	/* checked by the ring */

	rs->event.head.kind = EVENT_ACTIVITY;
	memcpy(rs->body.room, activity, size);
	return size;
}

static size_t (*const convert[SAMPLE_KINDS])(struct ring_source *rs, const struct sample *sample) = {
	[SAMPLE_WAIT] = from_wait,
	[SAMPLE_ACTIVITY] = from_activity,
	[SAMPLE_WAIT_OBJECT] = from_wait_object,
	[SAMPLE_BLOCKER] = from_blocker,
};

static const struct event *ring_peek(struct source *source)
{
	struct ring_source *rs = (struct ring_source *)source;
	const struct sample *sample;
	size_t size;

	while (!rs->have && (sample = ring_next(rs->ring, &size))) {
		if (sample->kind >= SAMPLE_KINDS || !convert[sample->kind] || sample->pid != rs->pid)
			continue;
		rs->event.head = (struct pgt_record){ .pid = rs->own_pid, .time_ns = sample->time_ns };
		rs->event.body_length = convert[sample->kind](rs, sample);
		rs->event.body = &rs->body;
		rs->have = true;
	}
	ring_done(rs->ring);
	return rs->have ? &rs->event : NULL;
}

static void ring_consume(struct source *source)
{
	((struct ring_source *)source)->have = false;
}

static uint64_t ring_watermark(struct source *source)
{
	(void)source;
	return clock_mono_ns();
}

static const struct source_ops ring_ops = { ring_peek, ring_consume, ring_watermark };

struct source *ring_source_new(struct ring *ring, pid_t pid, pid_t own_pid, uint64_t attached_ns)
{
	struct ring_source *rs = xcalloc(1, sizeof(*rs));

	rs->source.ops = &ring_ops;
	rs->ring = ring;
	rs->pid = (uint32_t)pid;
	rs->own_pid = (uint32_t)own_pid;
	rs->attached_ns = attached_ns;
	return &rs->source;
}

void ring_source_free(struct source *source)
{
	free(source);
}
