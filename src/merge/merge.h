/* SPDX-License-Identifier: PostgreSQL */
/*
 * merge - sources of events into one stream in the order of time.
 *
 * Rule: nothing leaves that is younger than the slowest source's watermark, the time up to
 * which that source has shown everything it will ever show.  Equal times leave in the order in
 * which the sources were added, and within a source as they came.  An event that is older than
 * one that has left already (a source broke its promise) leaves at once, and is counted as late.
 */
#ifndef MERGE_MERGE_H
#define MERGE_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stmt/stmt.h"

struct source;

struct source_ops {
	/* The event that is next, or NULL: none now.  It stays valid until consume. */
	const struct event *(*peek)(struct source *source);
	void (*consume)(struct source *source);
	/* See above; UINT64_MAX: the source has ended. */
	uint64_t (*watermark)(struct source *source);
};

struct source {			/* first member of each kind of source */
	const struct source_ops *ops;
};

struct merge;

struct merge *merge_new(void);
void merge_free(struct merge *merge);
/* The source stays its owner's, and must outlive the merge or be removed. */
void merge_add(struct merge *merge, struct source *source);
void merge_remove(struct merge *merge, struct source *source);
/*
 * The next event that may leave; valid until the next call.  NULL: the round has ended, that is,
 * all has left that was there when it began; the next call begins another.
 */
const struct event *merge_next(struct merge *merge);
uint64_t merge_late(const struct merge *merge);	/* events out of order so far */

#endif
