/* SPDX-License-Identifier: PostgreSQL */
/*
 * struct ring - one perf ring buffer of one CPU, and struct ring_set - all of them.
 *
 * ring_next() gives the samples of one ring in order; the bytes are 8-byte aligned, a copy,
 * and valid until the next call.  What the kernel lost comes as a SAMPLE_LOST in its place.  A record
 * whose length makes no sense ends the reading of what is in that ring now; a sample that is
 * shorter than its kind, or of no kind, is skipped.  Both are counted as bad.
 *
 *	while ((sample = ring_next(ring, &size)))
 *		use(sample);
 *	ring_done(ring);
 *
 * The end is what the kernel had written when reading began, so that loop ends however fast
 * samples come.
 */
#ifndef RING_RING_H
#define RING_RING_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/sample.h"

struct ring;

/*
 * Over size bytes of mapped memory: one page of struct perf_event_mmap_page, then data
 * whose length is a power of two.  For tests; ring_set_open makes the real ones.
 */
struct ring *ring_new(void *base, size_t page_size, size_t data_size, uint32_t cpu);
void ring_free(struct ring *ring);

/* The next sample, at least sizeof(struct sample) and as long as its kind asks; *size bytes.
 * NULL: the ring is empty. */
const struct sample *ring_next(struct ring *ring, size_t *size);
/* Gives the bytes read so far back to the kernel. */
void ring_done(struct ring *ring);
uint64_t ring_lost(const struct ring *ring);	/* samples, so far */
uint64_t ring_bad(const struct ring *ring);	/* records that made no sense */

struct ring_set;

/*
 * A ring on each CPU that is online now, data_pages pages each (a power of two, at least 16: a
 * sample can take 32 KB), put into the BPF_MAP_TYPE_PERF_EVENT_ARRAY map_fd.  NULL after one
 * log_error line.
 */
struct ring_set *ring_set_open(int map_fd, size_t data_pages);
void ring_set_free(struct ring_set *set);
size_t ring_set_count(const struct ring_set *set);
struct ring *ring_set_ring(struct ring_set *set, size_t i);
/*
 * An epoll descriptor that is readable when a ring is a quarter full.  Less than that wakes
 * nobody: wait on it with a timeout, and read the rings after either.
 */
int ring_set_fd(const struct ring_set *set);

#endif
