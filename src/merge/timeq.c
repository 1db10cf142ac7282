/* SPDX-License-Identifier: PostgreSQL */
/*
 * A binary heap of pointers to copies.  What comes nearly in order, as it does here, is added in
 * constant time.  Small copies are used again, so that a queue that has grown does not allocate.
 */
#include "merge/timeq.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

#define SMALL 192		/* bytes of body; what is longer is rare (statement texts) */

struct held {
	struct event event;
	struct held *next;	/* of those that are free */
	size_t room;
	uint64_t body[];
};

struct entry {
	uint64_t time_ns, order;
	struct held *held;
};

struct timeq {
	struct entry *heap;
	size_t count, room;
	uint64_t added;
	struct held *unused;	/* each with SMALL bytes */
};

struct timeq *timeq_new(void)
{
	return xcalloc(1, sizeof(struct timeq));
}

void timeq_free(struct timeq *q)
{
	struct held *held;

	if (!q)
		return;
	while (q->count)
		timeq_drop(q);
	while ((held = q->unused)) {
		q->unused = held->next;
		free(held);
	}
	free(q->heap);
	free(q);
}

static struct held *copy(struct timeq *q, const struct event *ev)
{
	struct held *held = q->unused;
	size_t room = ev->body_length > SMALL ? ev->body_length : SMALL;

	if (held && ev->body_length <= SMALL) {
		q->unused = held->next;
	} else {
		held = xcalloc(1, sizeof(*held) + room);
		held->room = room;
	}
	held->event = *ev;
	held->event.body = held->body;
	if (ev->body_length)
		memcpy(held->body, ev->body, ev->body_length);
	return held;
}

static bool is_before(const struct entry *a, const struct entry *b)
{
	return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : a->order < b->order;
}

void timeq_add(struct timeq *q, const struct event *ev)
{
	struct entry entry = { ev->head.time_ns, q->added++, copy(q, ev) };
	size_t i = q->count++;

	if (q->count > q->room) {
		q->room = q->room ? 2 * q->room : 64;
		q->heap = xrealloc(q->heap, q->room, sizeof(*q->heap));
	}
	for (; i > 0 && is_before(&entry, &q->heap[(i - 1) / 2]); i = (i - 1) / 2)
		q->heap[i] = q->heap[(i - 1) / 2];
	q->heap[i] = entry;
}

const struct event *timeq_first(const struct timeq *q)
{
	return q->count ? &q->heap[0].held->event : NULL;
}

size_t timeq_count(const struct timeq *q)
{
	return q->count;
}

static void let_go(struct timeq *q, struct held *held)
{
	if (held->room != SMALL) {
		free(held);
		return;
	}
	held->next = q->unused;
	q->unused = held;
}

void timeq_drop(struct timeq *q)
{
	struct entry last = q->heap[--q->count];
	size_t i = 0, child;

	let_go(q, q->heap[0].held);
	while ((child = 2 * i + 1) < q->count) {
		if (child + 1 < q->count && is_before(&q->heap[child + 1], &q->heap[child]))
			child++;
		if (!is_before(&q->heap[child], &last))
			break;
		q->heap[i] = q->heap[child];
		i = child;
	}
	q->heap[i] = last;
}
