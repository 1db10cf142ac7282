/* SPDX-License-Identifier: PostgreSQL */
/*
 * struct pending - brings the samples of a late wait source into order.
 *
 * The system call source knows that a wait is over only at its task's next system call
 * (kernel/syscall.c), so its sample comes after the wait's end, behind younger samples, and how long
 * after is the task's affair.  Three things put that right:
 *
 * - A wait that may be over is in the task's state, with its end.  The source here looks there once a
 *   round, before any ring is read, and gives that end as its watermark: nothing younger leaves.
 * - Each ring is read through pending_ordered(), which puts what the ring holds in order of time.  What has
 *   not come yet is held back by the watermark; what has come is in the ring when it is read.
 * - A wait that is pending for SAMPLE_PAUSE_NS is final.  After twice that time the source here takes it
 *   from the state, once the state has said the same in two rounds; the sample that comes later
 *   is dropped.  So nothing is held back longer than that and a round.
 *
 *	pending = pending_new(read_state, arg);
 *	pending_add(pending, pid, own_pid, attached_ns);
 *	merge_add(merge, pending_source(pending));
 *	merge_add(merge, pending_ordered(pending, ring));	for each ring
 *	...
 *	pending_close(pending, pid, &last);	what was pending at the end is over
 */
#ifndef MERGE_PENDING_H
#define MERGE_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/sample.h"
#include "merge/merge.h"

struct pending;

/* read_state: the state of a task as it is now; false: there is none. */
struct pending *pending_new(bool (*read_state)(void *arg, uint32_t pid, struct task_state *out), void *arg);
/* The sources that were made go with it; those they read from do not. */
void pending_free(struct pending *pending);
/* As in ring_source_new. */
void pending_add(struct pending *pending, uint32_t pid, uint32_t own_pid, uint64_t attached_ns);
/* The task has been let go, with this last state. */
void pending_close(struct pending *pending, uint32_t pid, const struct task_state *last);
/* To be added to the merge before the rings. */
struct source *pending_source(struct pending *pending);
struct source *pending_ordered(struct pending *pending, struct source *ring);

#endif
