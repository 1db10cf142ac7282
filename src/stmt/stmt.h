/* SPDX-License-Identifier: PostgreSQL */
/*
 * Reading and writing the record format (ext/record.h): .rec files of the extension, also
 * while they grow, and .pgt files of the collector.
 *
 * A file is untrusted input: every length is checked before a byte behind it is touched.
 * Reading is by pread, so a file that shrinks cannot raise SIGBUS.
 */
#ifndef STMT_STMT_H
#define STMT_STMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ext/record.h"

/*
 * One record as it was read or made.  The body has been checked by event_check: its fixed
 * part is whole, and all lengths inside it lie within body_length.
 */
struct event {
	struct pgt_record head;
	const void *body;	/* valid until the next call on its source; 8-byte aligned */
	size_t body_length;
};

/*
 * Checks that the body of ev holds what its kind promises.  NULL when well, else a static text that
 * says what is wrong.  Unknown kinds are well.
 */
const char *event_check(const struct event *ev);

/* The parts behind a fixed body, for bodies that event_check has passed. */
const char *event_text(const struct event *ev, size_t *length);	/* of TEXT, NOTE, WATCH, BLOCKER; message of ERROR */
/* until_ns of a LOSS, which the earliest files do not have: then 0. */
uint64_t event_loss_until(const struct event *ev);
/* What a WAIT was for; NULL: not known. */
const struct pgt_object *event_object(const struct event *ev);
const char *event_error_statement(const struct event *ev, size_t *length);
/*
 * Walks the entries of WAIT_NAMES, BINDS and PLAN: *at begins at 0; gives the fixed entry
 * (copied to out, which has the kind's entry size) and its text; false at the end.
 */
bool event_next_wait_name(const struct event *ev, size_t *at, struct pgt_wait_name *out, const char **text);
bool event_next_bind(const struct event *ev, size_t *at, struct pgt_bind *out, const char **text);
bool event_next_node(const struct event *ev, size_t *at, struct pgt_node *out, const char **text);

struct stmt_file;

/* Opens path and checks its header.  NULL after one log_error line. */
struct stmt_file *stmt_open(const char *path);
void stmt_close(struct stmt_file *file);
const struct pgt_header *stmt_header(const struct stmt_file *file);
/* Reads the header again, for a file that grows.  0, or -1 after one line. */
int stmt_refresh(struct stmt_file *file);
/*
 * The next record below committed.  1: *out is filled; 0: none now; -1: damage, said in one log_error
 * line with the offset; what comes behind it cannot be read.
 */
int stmt_next(struct stmt_file *file, struct event *out);
/* Where the next record is; bytes. */
uint64_t stmt_offset(const struct stmt_file *file);

struct stmt_writer;

/* Creates path (0600, replaced) with a header made from *header; kind and state are set here.  NULL after one
 * line. */
struct stmt_writer *stmt_create(const char *path, const struct pgt_header *header);
/* Appends a record; pads it; 0, or -1 after one line (once: later failures are silent and counted). */
int stmt_write(struct stmt_writer *writer, const struct event *ev);
/* Makes what was written visible to readers (moves committed). */
int stmt_flush(struct stmt_writer *writer);
/* Flushes, marks the file closed.  0, or -1 if any byte of it did not reach the file. */
int stmt_finish(struct stmt_writer *writer);

#endif
