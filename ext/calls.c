/* SPDX-License-Identifier: PostgreSQL */
/*
 * calls.c
 *	  Calls: parse, plan, exec, fetch, close; their nesting and their figures.
 *
 * Frames live on the C stack and are linked from the innermost outwards.  An error
 * cannot leave the list wrong: each frame is popped by its own PG_CATCH.  A frame
 * is pushed only while a trace is on, and stays when the trace ends before it; it
 * then belongs to no trace, but still counts as depth for a trace that begins
 * inside it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "tcop/pquery.h"
#include "utils/portal.h"

#include "calls.h"
#include "clock.h"
#include "compat.h"
#include "cputime.h"
#include "errors.h"
#include "record_file.h"
#include "session.h"

static Frame *innermost;
static uint64 last_end;

/*
 * The statement in which the trace began, if that is running still: it has no
 * frame, but is around everything that runs.
 */
static int	unseen_depth;
static TimestampTz unseen_start;	/* when the client sent it */

/* --- depth ------------------------------------------------------------------ */

int
calls_depth(void)
{
	return innermost != NULL ? innermost->depth + 1 : unseen_depth;
}

const Call *
calls_running(void)
{
	return innermost != NULL && innermost->trace == trace_id ?
		innermost->call : NULL;
}

uint64
calls_last_end(void)
{
	return last_end;
}

/*
 * Is the statement with this source what the client sent?  The portal that runs
 * tells: nested SQL runs within a portal of another text.
 */
static bool
is_of_client(const char *source)
{
	return ActivePortal == NULL || ActivePortal->status != PORTAL_ACTIVE ||
		ActivePortal->sourceText == source;
}

void
calls_find_depth(const char *source)
{
	if (likely(unseen_depth == 0) || innermost != NULL || source == NULL)
		return;
	if (is_of_client(source) ||
		unseen_start != GetCurrentStatementStartTimestamp())
		unseen_depth = 0;
}

void
calls_trace_begins(void)
{
	last_end = clock_mono_ns();
	unseen_depth = innermost == NULL ? 1 : 0;
	unseen_start = GetCurrentStatementStartTimestamp();
}

void
calls_trace_ends(void)
{
	for (Frame *f = innermost; f != NULL; f = f->outer)
		if (f->trace == trace_id && f->call != NULL)
			call_end(f->call, NULL, PGT_CALL_OPEN);
}

void
calls_abandon(void)
{
	for (; innermost != NULL; innermost = innermost->outer)
		if (innermost->trace == trace_id)
			call_end(innermost->call, NULL, PGT_CALL_ERROR);
}

/* --- figures ---------------------------------------------------------------- */

void
counters_take(Counters *s)
{
	s->now = clock_mono_ns();
	cputime_get(s->now, &s->cpu_ns, &s->runqueue_ns);
	s->buffers = pgBufferUsage;
	s->wal = pgWalUsage;
}

static void
fill_usage(struct pgt_usage *u, const Counters *start, const Counters *end)
{
	const BufferUsage *a = &start->buffers;
	const BufferUsage *b = &end->buffers;

	u->shared_hit = b->shared_blks_hit - a->shared_blks_hit;
	u->shared_read = b->shared_blks_read - a->shared_blks_read;
	u->shared_dirtied = b->shared_blks_dirtied - a->shared_blks_dirtied;
	u->shared_written = b->shared_blks_written - a->shared_blks_written;
	u->local_hit = b->local_blks_hit - a->local_blks_hit;
	u->local_read = b->local_blks_read - a->local_blks_read;
	u->local_dirtied = b->local_blks_dirtied - a->local_blks_dirtied;
	u->local_written = b->local_blks_written - a->local_blks_written;
	u->temp_read = b->temp_blks_read - a->temp_blks_read;
	u->temp_written = b->temp_blks_written - a->temp_blks_written;
	u->io_read_ns = compat_io_read_ns(b) - compat_io_read_ns(a);
	u->io_write_ns = compat_io_write_ns(b) - compat_io_write_ns(a);
	u->wal_records = end->wal.wal_records - start->wal.wal_records;
	u->wal_fpi = end->wal.wal_fpi - start->wal.wal_fpi;
	u->wal_bytes = (int64) (end->wal.wal_bytes - start->wal.wal_bytes);
}

static void
write_begin(const Call *call)
{
	struct pgt_begin *b = record_begin(PGT_BEGIN, call->cursor, call->depth,
									   sizeof(*b), call->start.now);

	if (b == NULL)
		return;
	b->call = call->kind;
	b->flags = call->flags & PGT_CALL_UTILITY;
	record_commit();
}

static void
begin(Call *call, enum pgt_call_kind kind, uint32 cursor, uint32 text_offset,
	  uint32 flags)
{
	errors_settled();
	call->trace = trace_id;
	call->kind = kind;
	call->cursor = cursor;
	call->text_offset = text_offset;
	call->depth = calls_depth();
	call->flags = flags;
	call->fetches = false;
	call->rows = 0;
	counters_take(&call->start);
	if (kind == PGT_CALL_EXEC || kind == PGT_CALL_FETCH)
		write_begin(call);
}

void
call_begin(Call *call, enum pgt_call_kind kind, const Cursor *cursor,
		   uint32 flags)
{
	begin(call, kind, cursor_number(cursor),
		  cursor != NULL ? cursor->offset : 0, flags);
}

void
call_begin_after(Call *call, enum pgt_call_kind kind, const Call *exec)
{
	begin(call, kind, exec->cursor, exec->text_offset, 0);
}

bool
call_is_open(const Call *call)
{
	return call->trace != 0 && call->trace == trace_id;
}

uint64
call_end(Call *call, const Counters *end, uint32 flags)
{
	struct pgt_call *c;
	Counters	now;

	if (!call_is_open(call))
		return 0;
	if (end == NULL)
	{
		counters_take(&now);
		end = &now;
	}
	call->trace = 0;
	last_end = Max(last_end, end->now);
	c = record_begin(PGT_CALL, call->cursor, call->depth, sizeof(*c), end->now);
	if (c == NULL)
		return end->now - call->start.now;
	c->call = call->kind;
	c->flags = call->flags | flags;
	c->start_ns = call->start.now;
	c->end_ns = end->now;
	c->rows = call->rows;
	c->cpu_ns = end->cpu_ns - call->start.cpu_ns;
	c->runqueue_ns = end->runqueue_ns - call->start.runqueue_ns;
	fill_usage(&c->usage, &call->start, end);
	record_commit();
	return end->now - call->start.now;
}

void
call_write_times(enum pgt_call_kind kind, uint32 cursor, uint32 flags,
				 uint64 start, uint64 end)
{
	struct pgt_call *c = record_begin(PGT_CALL, cursor, calls_depth(),
									  sizeof(*c), end);

	last_end = Max(last_end, end);
	if (c == NULL)
		return;
	memset(c, 0, sizeof(*c));
	c->call = kind;
	c->flags = flags | PGT_CALL_NO_CPU | PGT_CALL_NO_USAGE;
	c->start_ns = start;
	c->end_ns = end;
	record_commit();
}

/* --- frames ----------------------------------------------------------------- */

/* For probes to read: what runs now. */
static void
show_running(void)
{
	struct pgt_header *h = record_header();
	const Call *call = calls_running();

	if (h == NULL)
		return;
	h->cursor = call != NULL ? call->cursor : 0;
	h->depth = call != NULL ? (uint32) call->depth : 0;
}

void
frame_enter(Frame *frame, Call *call)
{
	frame->depth = calls_depth();
	frame->outer = innermost;
	frame->call = call;
	frame->trace = trace_id;
	innermost = frame;
	/* The outermost frame sees the errors of all. */
	if (frame->outer == NULL)
		errors_watch(&frame->on_error);
	show_running();
}

void
frame_leave(Frame *frame)
{
	innermost = frame->outer;
	if (frame->outer == NULL)
		errors_unwatch(&frame->on_error);
	show_running();
}

void
frame_fail(Frame *frame)
{
	innermost = frame->outer;
	if (frame->outer == NULL)
		errors_unwatch(&frame->on_error);
	if (frame->trace == trace_id)
		call_end(frame->call, NULL, PGT_CALL_ERROR);
	show_running();
}
