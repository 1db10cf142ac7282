/* SPDX-License-Identifier: PostgreSQL */
/* Events made by hand, for the tests of all that reads, writes, models or shows them. */
#ifndef TESTS_LIB_MADE_H
#define TESTS_LIB_MADE_H

#include "stmt/stmt.h"

#define MADE_MAX 256
#define MADE_PID 4711
#define MADE_WALL_US INT64_C(1762338615123456)	/* 2025-11-05 10:30:15.123456 UTC */
#define MADE_START_NS UINT64_C(1000000000)	/* the monotonic clock at that moment */

struct made {
	struct event events[MADE_MAX];
	size_t count;
	uint32_t pid;		/* of what is added next */
};

void made_init(struct made *made);
void made_release(struct made *made);

/* Appends a record; fixed is its body's fixed part, tail what stands behind it. */
struct event *made_add(struct made *made, uint8_t kind, uint32_t cursor, uint16_t depth, uint64_t time_ns,
		       const void *fixed, size_t fixed_size, const void *tail, size_t tail_size);

void made_session(struct made *made, uint64_t time_ns, uint32_t server_version_num);
void made_text(struct made *made, uint32_t cursor, uint16_t depth, uint64_t time_ns, const char *sql);
void made_begin(struct made *made, uint32_t call, uint32_t cursor, uint16_t depth, uint64_t time_ns);
/* The record is written at end_ns. */
void made_call(struct made *made, const struct pgt_call *call, uint32_t cursor, uint16_t depth);
void made_wait(struct made *made, uint32_t event, uint64_t start_ns, uint64_t end_ns);
/* It took 142 us. */
void made_wait_object(struct made *made, uint32_t event, uint64_t end_ns, const struct pgt_object *object);
/* public.name in database 5 and its default tablespace. */
void made_relation(struct made *made, uint32_t file, uint32_t oid, const char *name, uint64_t time_ns);
void made_end(struct made *made, uint64_t time_ns);

/* A short session with a record of every kind, and of every shape that has its own way to be shown. */
void made_sample(struct made *made);
/* The sample as the bytes of a file; length is set.  The caller frees. */
char *made_file(const struct made *made, size_t *length);

#endif
