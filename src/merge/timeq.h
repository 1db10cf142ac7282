/* SPDX-License-Identifier: PostgreSQL */
/*
 * struct timeq - copies of events, given back in the order of time; of equal times the first
 * that came.
 */
#ifndef MERGE_TIMEQ_H
#define MERGE_TIMEQ_H

#include "stmt/stmt.h"

struct timeq;

struct timeq *timeq_new(void);
void timeq_free(struct timeq *q);
/* Copies ev and its body. */
void timeq_add(struct timeq *q, const struct event *ev);
/* The first, or NULL; valid until it is taken off, whatever is added. */
const struct event *timeq_first(const struct timeq *q);
/* Takes off the first, of a queue that is not empty. */
void timeq_drop(struct timeq *q);
size_t timeq_count(const struct timeq *q);

#endif
