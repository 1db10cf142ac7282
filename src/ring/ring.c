/* SPDX-License-Identifier: PostgreSQL */
/*
 * The protocol of the shared page is in include/uapi/linux/perf_event.h, at data_head: the kernel
 * moves data_head when a record is whole, we move data_tail when we have copied it.  Both
 * count bytes for ever; their place in the buffer is the remainder.  A record:
 *
 *	struct perf_event_header { u32 type; u16 misc; u16 size; }
 *	PERF_RECORD_SAMPLE:	u32 length, then so many bytes (PERF_SAMPLE_RAW alone)
 *	PERF_RECORD_LOST:	u64 id, u64 lost
 *
 * The bytes of a sample stand 4 beyond a multiple of 8, and may run over the buffer's end,
 * so a sample is always copied out; 32 bytes cost nothing beside the rest.
 */
#include "ring/ring.h"

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xmalloc.h"

/* The longest record: its size is a uint16_t. */
#define RECORD_MAX 65536

struct ring {
	struct perf_event_mmap_page *page;
	const uint8_t *data;
	size_t size;
	uint32_t cpu;
	bool reading;		/* head is that of this round */
	uint64_t head, tail;	/* as of this round; what of it is read */
	uint64_t lost, bad;
	/* One record; 4 bytes in front put what follows header and length at a multiple of 8. */
	union {
		uint64_t align;
		uint8_t bytes[4 + RECORD_MAX];
	} copy;
	struct sample_lost loss;
};

static const size_t least[SAMPLE_KINDS] = {
	[SAMPLE_WAIT] = sizeof(struct sample_wait),
	[SAMPLE_ACTIVITY] = sizeof(struct sample_activity),
	[SAMPLE_WAIT_OBJECT] = sizeof(struct sample_wait_object),
	[SAMPLE_BLOCKER] = sizeof(struct sample_blocker),
	/* 0: no program makes one */
};

struct ring *ring_new(void *base, size_t page_size, size_t data_size, uint32_t cpu)
{
	struct ring *ring = xcalloc(1, sizeof(*ring));

	ring->page = base;
	ring->data = (const uint8_t *)base + page_size;
	ring->size = data_size;
	ring->cpu = cpu;
	return ring;
}

void ring_free(struct ring *ring)
{
	free(ring);
}

uint64_t ring_lost(const struct ring *ring)
{
	return ring->lost;
}

uint64_t ring_bad(const struct ring *ring)
{
	return ring->bad;
}

/* Acquire: the records up to head are read after head is. */
static void begin_round(struct ring *ring)
{
	ring->head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
	ring->tail = ring->page->data_tail;
	ring->reading = true;
	if (ring->head - ring->tail > ring->size) {
		ring->bad++;
		ring->tail = ring->head;
	}
}

/* Release: the kernel overwrites the bytes only after we have read them. */
void ring_done(struct ring *ring)
{
	if (!ring->reading)
		return;
	__atomic_store_n(&ring->page->data_tail, ring->tail, __ATOMIC_RELEASE);
	ring->reading = false;
}

/* length bytes at the count position; length <= ring->size. */
static void copy_out(const struct ring *ring, uint64_t position, void *out, size_t length)
{
	size_t at = (size_t)(position & (ring->size - 1));
	size_t first = ring->size - at < length ? ring->size - at : length;

	memcpy(out, ring->data + at, first);
	memcpy((uint8_t *)out + first, ring->data, length - first);
}

/* The next record into ring->copy.  false: no more, or one that makes no sense. */
static bool take_record(struct ring *ring, struct perf_event_header *header)
{
	uint64_t available = ring->head - ring->tail;

	if (!available)
		return false;
	memset(header, 0, sizeof(*header));
	if (available >= sizeof(*header))
		copy_out(ring, ring->tail, header, sizeof(*header));
	if (header->size < sizeof(*header) || header->size % 8 || header->size > available) {
		ring->bad++;
		ring->tail = ring->head;
		return false;
	}
	copy_out(ring, ring->tail, ring->copy.bytes + 4, header->size);
	ring->tail += header->size;
	return true;
}

static bool is_whole(const struct sample *sample, size_t size)
{
	struct sample_activity activity;
	struct sample_blocker blocker;

	if (size < sizeof(*sample) || sample->kind >= SAMPLE_KINDS || !least[sample->kind] ||
	    size < least[sample->kind])
		return false;
	if (sample->kind == SAMPLE_BLOCKER) {
		memcpy(&blocker, sample, sizeof(blocker));
		return blocker.length < SAMPLE_BLOCKER_TEXT_MAX && blocker.length <= size - sizeof(blocker);
	}
	if (sample->kind != SAMPLE_ACTIVITY)
		return true;
	memcpy(&activity, sample, sizeof(activity));
	return activity.length < SAMPLE_TEXT_MAX && activity.length <= size - sizeof(activity);
}

static const struct sample *take_sample(struct ring *ring, size_t record_size, size_t *size)
{
	const uint8_t *body = ring->copy.bytes + 4 + sizeof(struct perf_event_header);
	size_t room = record_size - sizeof(struct perf_event_header);
	const struct sample *sample = (const void *)(body + sizeof(uint32_t));
	uint32_t length = 0;

	if (room >= sizeof(length))
		memcpy(&length, body, sizeof(length));
	if (room < sizeof(length) || length > room - sizeof(length) || !is_whole(sample, length)) {
		ring->bad++;
		return NULL;
	}
	*size = length;
	return sample;
}

static const struct sample *take_loss(struct ring *ring, size_t record_size, size_t *size)
{
	uint64_t body[2];	/* id, lost */

	if (record_size < sizeof(struct perf_event_header) + sizeof(body)) {
		ring->bad++;
		return NULL;
	}
	memcpy(body, ring->copy.bytes + 4 + sizeof(struct perf_event_header), sizeof(body));
	ring->lost += body[1];
	ring->loss = (struct sample_lost){
		.head = { .kind = SAMPLE_LOST, .time_ns = clock_mono_ns() },
		.count = body[1],
		.cpu = ring->cpu,
	};
	*size = sizeof(ring->loss);
	return &ring->loss.head;
}

const struct sample *ring_next(struct ring *ring, size_t *size)
{
	const struct sample *sample = NULL;
	struct perf_event_header header;

	if (!ring->reading)
		begin_round(ring);
	while (!sample && take_record(ring, &header)) {
		if (header.type == PERF_RECORD_SAMPLE)
			sample = take_sample(ring, header.size, size);
		else if (header.type == PERF_RECORD_LOST)
			sample = take_loss(ring, header.size, size);
	}
	return sample;
}
