/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "merge/sources.h"

struct record_source {
	struct source source;
	struct stmt_file *file;
	struct event event;
	struct pgt_loss damage;	/* body of the last event, where the file was damaged */
	bool have;		/* event is valid */
	bool closed;		/* the writer is gone */
	bool ended;		/* nothing more comes */
	bool is_damaged;	/* not all of the file could be read */
	uint64_t last_ns;
};

/* What the rest of the file would have said is lost: say so in the stream. */
static void damaged(struct record_source *rs)
{
	uint64_t committed = stmt_header(rs->file)->committed;
	uint64_t offset = stmt_offset(rs->file);

	rs->damage = (struct pgt_loss){ .reason = PGT_LOSS_BAD_RECORD, .count = 1,
					.bytes = committed > offset ? committed - offset : 0 };
	rs->event.head = (struct pgt_record){ .kind = PGT_LOSS, .time_ns = rs->last_ns,
					      .pid = stmt_header(rs->file)->pid };
	rs->event.body = &rs->damage;
	rs->event.body_length = sizeof(rs->damage);
	rs->have = rs->ended = rs->is_damaged = true;
}

static const struct event *record_peek(struct source *source)
{
	struct record_source *rs = (struct record_source *)source;

	if (!rs->have && !rs->ended) {
		int got = stmt_next(rs->file, &rs->event);

		rs->have = got > 0;
		if (got < 0)
			damaged(rs);
		if (got == 0 && rs->closed)
			rs->ended = true;
	}
	return rs->have ? &rs->event : NULL;
}

static void record_consume(struct source *source)
{
	struct record_source *rs = (struct record_source *)source;

	rs->have = false;
	rs->last_ns = rs->event.head.time_ns;
	if (rs->event.head.kind == PGT_END)
		rs->ended = true;
}

static uint64_t record_watermark(struct source *source)
{
	struct record_source *rs = (struct record_source *)source;
	uint64_t now = clock_mono_ns();

	if (rs->ended)
		return UINT64_MAX;
	if (stmt_refresh(rs->file))
		damaged(rs);
	return rs->ended ? UINT64_MAX : now;
}

static const struct source_ops record_ops = { record_peek, record_consume, record_watermark };

struct source *record_source_new(struct stmt_file *file)
{
	struct record_source *rs = xcalloc(1, sizeof(*rs));

	rs->source.ops = &record_ops;
	rs->file = file;
	return &rs->source;
}

void record_source_free(struct source *source)
{
	struct record_source *rs = (struct record_source *)source;

	if (!rs)
		return;
	stmt_close(rs->file);
	free(rs);
}

bool record_source_ended(const struct source *source)
{
	const struct record_source *rs = (const struct record_source *)source;

	return rs->ended && !rs->have;
}

bool record_source_damaged(const struct source *source)
{
	return ((const struct record_source *)source)->is_damaged;
}

void record_source_close(struct source *source)
{
	struct record_source *rs = (struct record_source *)source;

	/* What was written since the last look must be seen before "nothing there" means the end. */
	if (!rs->ended && stmt_refresh(rs->file))
		damaged(rs);
	rs->closed = true;
}

uint64_t record_source_dropped(const struct source *source)
{
	return stmt_header(((const struct record_source *)source)->file)->dropped_records;
}
