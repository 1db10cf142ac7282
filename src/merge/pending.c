/* SPDX-License-Identifier: PostgreSQL */
#include "merge/pending.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "merge/timeq.h"

#define FINAL_NS ((uint64_t)2 * SAMPLE_PAUSE_NS)
#define CLOSED_ROUNDS 3		/* in which the rings are read to what they held when the task was let go */
#define ORDERED_MOST (1u << 16)	/* events held for one ring; then the ring itself holds the rest */

struct waiter {
	uint32_t pid, own_pid;
	uint64_t attached_ns;
	int rounds_left;	/* until it is forgotten; 0: it is attached */
	uint64_t start_ns, end_ns;	/* of the pending wait of the last round; end 0: none */
	uint64_t taken_end_ns;	/* of the last one that was taken from the state */
};

struct ordered {
	struct source source;
	struct source *inner;
	struct pending *pending;
	struct timeq *queue;
	bool reads;		/* the ring, at the next look: once a round */
};

struct pending {
	struct source source;
	bool (*read_state)(void *arg, uint32_t pid, struct task_state *out);
	void *arg;
	struct waiter *waiters;
	size_t count;
	struct timeq *queue;	/* waits taken from states */
	struct ordered **ordered;
	size_t ordered_count;
};

/* --- waits taken from states ------------------------------------------------- */

/* The object of the wait in the state, where it is of that wait: as the programs say it (kernel/wait.c). */
static bool has_object(const struct task_state *state)
{
	uint32_t n = state->event - state->object_base;

	return state->object.kind != PGT_OBJECT_NONE && n < 32 && state->object_events >> n & 1;
}

static void take(struct pending *pending, struct waiter *waiter, const struct task_state *state)
{
	struct pgt_wait wait = { .event = state->event, .start_ns = state->start_ns };
	struct event ev = {
		.head = { .kind = PGT_WAIT, .pid = waiter->own_pid, .time_ns = state->end_ns },
		.body = &wait, .body_length = PGT_WAIT_SHORT,
	};

	if (!wait.start_ns) {
		wait.flags |= PGT_WAIT_NO_START;
		wait.start_ns = waiter->attached_ns < state->end_ns ? waiter->attached_ns : state->end_ns;
	}
	if (has_object(state)) {
		wait.object = state->object;
		ev.body_length = sizeof(wait);
	}
	timeq_add(pending->queue, &ev);
	waiter->taken_end_ns = state->end_ns;
}

/* Up to when this task has shown all it will: now, or the end of a wait whose sample has yet to come. */
static uint64_t look_at(struct pending *pending, struct waiter *waiter, uint64_t now)
{
	struct task_state state;
	bool is_same;

	if (waiter->rounds_left || !pending->read_state(pending->arg, waiter->pid, &state) || !state.event || !state.end_ns) {
		waiter->end_ns = 0;
		return now;
	}
	if (state.end_ns == waiter->taken_end_ns)
		return now;
	is_same = state.end_ns == waiter->end_ns && state.start_ns == waiter->start_ns;
	waiter->start_ns = state.start_ns;
	waiter->end_ns = state.end_ns;
	if (is_same && now > state.end_ns && now - state.end_ns > FINAL_NS) {
		take(pending, waiter, &state);
		return now;
	}
	return state.end_ns < now ? state.end_ns : now;
}

static void forget_closed(struct pending *pending)
{
	size_t i, kept = 0;

	for (i = 0; i < pending->count; i++) {
		struct waiter *waiter = &pending->waiters[i];

		if (waiter->rounds_left && --waiter->rounds_left == 0)
			continue;
		pending->waiters[kept++] = *waiter;
	}
	pending->count = kept;
}

static uint64_t pending_watermark(struct source *source)
{
	struct pending *pending = (struct pending *)source;
	uint64_t now = clock_mono_ns(), least = now;
	size_t i;

	forget_closed(pending);
	for (i = 0; i < pending->count; i++) {
		uint64_t until = look_at(pending, &pending->waiters[i], now);

		least = until < least ? until : least;
	}
	return least;
}

static const struct event *pending_peek(struct source *source)
{
	return timeq_first(((struct pending *)source)->queue);
}

static void pending_consume(struct source *source)
{
	timeq_drop(((struct pending *)source)->queue);
}

static const struct source_ops pending_ops = { pending_peek, pending_consume, pending_watermark };

/* --- rings in order ---------------------------------------------------------- */

static bool is_taken(const struct pending *pending, const struct event *ev)
{
	size_t i;

	if (ev->head.kind != PGT_WAIT)
		return false;
	for (i = 0; i < pending->count; i++)
		if (pending->waiters[i].own_pid == ev->head.pid)
			return pending->waiters[i].taken_end_ns == ev->head.time_ns;
	return false;
}

static const struct event *ordered_peek(struct source *source)
{
	struct ordered *o = (struct ordered *)source;
	const struct event *ev;

	while (o->reads && timeq_count(o->queue) < ORDERED_MOST && (ev = o->inner->ops->peek(o->inner))) {
		if (!is_taken(o->pending, ev))
			timeq_add(o->queue, ev);
		o->inner->ops->consume(o->inner);
	}
	o->reads = false;
	return timeq_first(o->queue);
}

static void ordered_consume(struct source *source)
{
	timeq_drop(((struct ordered *)source)->queue);
}

static uint64_t ordered_watermark(struct source *source)
{
	struct ordered *o = (struct ordered *)source;

	o->reads = true;
	return o->inner->ops->watermark(o->inner);
}

static const struct source_ops ordered_ops = { ordered_peek, ordered_consume, ordered_watermark };

/* --- life -------------------------------------------------------------------- */

struct pending *pending_new(bool (*read_state)(void *arg, uint32_t pid, struct task_state *out), void *arg)
{
	struct pending *pending = xcalloc(1, sizeof(*pending));

	pending->source.ops = &pending_ops;
	pending->read_state = read_state;
	pending->arg = arg;
	pending->queue = timeq_new();
	return pending;
}

void pending_free(struct pending *pending)
{
	size_t i;

	if (!pending)
		return;
	for (i = 0; i < pending->ordered_count; i++) {
		timeq_free(pending->ordered[i]->queue);
		free(pending->ordered[i]);
	}
	timeq_free(pending->queue);
	free(pending->ordered);
	free(pending->waiters);
	free(pending);
}

void pending_add(struct pending *pending, uint32_t pid, uint32_t own_pid, uint64_t attached_ns)
{
	pending->waiters = xrealloc(pending->waiters, pending->count + 1, sizeof(*pending->waiters));
	pending->waiters[pending->count++] =
		(struct waiter){ .pid = pid, .own_pid = own_pid, .attached_ns = attached_ns };
}

void pending_close(struct pending *pending, uint32_t pid, const struct task_state *last)
{
	size_t i;

	for (i = 0; i < pending->count; i++)
		if (pending->waiters[i].pid == pid && !pending->waiters[i].rounds_left)
			break;
	if (i == pending->count)
		return;
	if (last->event && last->end_ns && last->end_ns != pending->waiters[i].taken_end_ns)
		take(pending, &pending->waiters[i], last);
	pending->waiters[i].rounds_left = CLOSED_ROUNDS;
}

struct source *pending_source(struct pending *pending)
{
	return &pending->source;
}

struct source *pending_ordered(struct pending *pending, struct source *ring)
{
	struct ordered *o = xcalloc(1, sizeof(*o));

	o->source.ops = &ordered_ops;
	o->inner = ring;
	o->pending = pending;
	o->queue = timeq_new();
	pending->ordered = xrealloc(pending->ordered, pending->ordered_count + 1, sizeof(*pending->ordered));
	pending->ordered[pending->ordered_count++] = o;
	return &o->source;
}
