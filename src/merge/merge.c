/* SPDX-License-Identifier: PostgreSQL */
/*
 * A round: the limit is the slowest source's watermark; the heap holds each source
 * whose next event is not younger than that.  When the heap is empty the round has ended.  So a
 * source is asked for its watermark once a round, not once an event, and a round ends however fast events come.
 */
#include "merge/merge.h"

#include <stdlib.h>

#include "base/xmalloc.h"

struct entry {			/* of the heap */
	uint64_t time_ns;
	size_t order;		/* of the source: equal times leave in this order */
};

struct merge {
	struct source **sources;	/* in the order of their adding; NULL: removed */
	size_t count;
	struct entry *heap;	/* heap[0] leaves first */
	size_t heap_count;
	bool in_round;
	uint64_t limit;
	uint64_t last_ns;	/* of the youngest event that has left */
	uint64_t late;
	struct source *taken;	/* whose event the caller still looks at */
	size_t taken_order;
};

struct merge *merge_new(void)
{
	return xcalloc(1, sizeof(struct merge));
}

void merge_free(struct merge *merge)
{
	if (!merge)
		return;
	free(merge->sources);
	free(merge->heap);
	free(merge);
}

void merge_add(struct merge *merge, struct source *source)
{
	size_t n = merge->count + 1;

	merge->sources = xrealloc(merge->sources, n, sizeof(*merge->sources));
	merge->heap = xrealloc(merge->heap, n, sizeof(*merge->heap));
	merge->sources[merge->count++] = source;
}

static void heap_remove_order(struct merge *merge, size_t order);

void merge_remove(struct merge *merge, struct source *source)
{
	size_t i;

	if (merge->taken == source)
		merge->taken = NULL;
	for (i = 0; i < merge->count; i++) {
		if (merge->sources[i] != source)
			continue;
		merge->sources[i] = NULL;
		heap_remove_order(merge, i);
	}
}

static bool leaves_before(const struct entry *a, const struct entry *b)
{
	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns;
	return a->order < b->order;
}

static void sift_down(struct merge *merge, size_t i)
{
	for (;;) {
		size_t least = i, child = 2 * i + 1;
		struct entry swap;

		for (; child <= 2 * i + 2 && child < merge->heap_count; child++)
			if (leaves_before(&merge->heap[child], &merge->heap[least]))
				least = child;
		if (least == i)
			return;
		swap = merge->heap[i];
		merge->heap[i] = merge->heap[least];
		merge->heap[least] = swap;
		i = least;
	}
}

static void sift_up(struct merge *merge, size_t i)
{
	while (i > 0 && leaves_before(&merge->heap[i], &merge->heap[(i - 1) / 2])) {
		struct entry swap = merge->heap[i];

		merge->heap[i] = merge->heap[(i - 1) / 2];
		merge->heap[(i - 1) / 2] = swap;
		i = (i - 1) / 2;
	}
}

static void heap_remove_order(struct merge *merge, size_t order)
{
	size_t i, kept = 0;

	for (i = 0; i < merge->heap_count; i++)
		if (merge->heap[i].order != order)
			merge->heap[kept++] = merge->heap[i];
	merge->heap_count = kept;
	for (i = kept; i-- > 0;)
		sift_down(merge, i);
}

/* Into the heap with the source's next event, if it may leave in this round. */
static void offer(struct merge *merge, size_t order)
{
	struct source *source = merge->sources[order];
	const struct event *ev = source->ops->peek(source);

	if (!ev || ev->head.time_ns > merge->limit)
		return;
	merge->heap[merge->heap_count] = (struct entry){ ev->head.time_ns, order };
	sift_up(merge, merge->heap_count++);
}

static void begin_round(struct merge *merge)
{
	size_t i;

	merge->limit = UINT64_MAX;
	for (i = 0; i < merge->count; i++) {
		struct source *source = merge->sources[i];
		uint64_t watermark = source ? source->ops->watermark(source) : UINT64_MAX;

		if (watermark < merge->limit)
			merge->limit = watermark;
	}
	for (i = 0; i < merge->count; i++)
		if (merge->sources[i])
			offer(merge, i);
}

const struct event *merge_next(struct merge *merge)
{
	const struct event *ev;

	if (merge->taken) {
		merge->taken->ops->consume(merge->taken);
		merge->taken = NULL;
		offer(merge, merge->taken_order);
	}
	if (!merge->in_round)
		begin_round(merge);
	merge->in_round = merge->heap_count > 0;
	if (!merge->in_round)
		return NULL;
	merge->taken_order = merge->heap[0].order;
	merge->taken = merge->sources[merge->taken_order];
	merge->heap[0] = merge->heap[--merge->heap_count];
	sift_down(merge, 0);
	ev = merge->taken->ops->peek(merge->taken);
	if (ev->head.time_ns < merge->last_ns)
		merge->late++;
	else
		merge->last_ns = ev->head.time_ns;
	return ev;
}

uint64_t merge_late(const struct merge *merge)
{
	return merge->late;
}
