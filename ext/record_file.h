/* SPDX-License-Identifier: PostgreSQL */
/*
 * record_file.h
 *	  The writer of the record file: one trace, one file, one writer.
 *
 * Nothing here allocates memory or reports an error, so records may be written
 * from abort callbacks and error contexts.  A record that finds no room is
 * counted in the header and, as soon as there is room, told by a PGT_LOSS record.
 */
#ifndef PGT_RECORD_FILE_H
#define PGT_RECORD_FILE_H

#include "record.h"

/*
 * Creates <base>.rec in the directory open as dirfd; the file is 0600 and must
 * not exist.  The header's first words and committed are filled in here, the rest
 * is copied from *header.  Returns 0 or an errno.
 */
extern int	record_file_open(int dirfd, const char *base,
							 const struct pgt_header *header);

/* Gives the space not used back to the file system, closes. */
extern void record_file_close(void);

/*
 * Room for one record with a body of body_size bytes: returns where the body
 * goes, or NULL when it has been counted as lost.  The record's time is now, or
 * that of the record before if that was later.  Nothing that can raise an error
 * or write a record may happen before record_commit().
 */
extern void *record_begin(enum pgt_kind kind, uint32 cursor, int depth,
						  uint64 body_size, uint64 now);

/* The record is whole: readers may see it. */
extern void record_commit(void);

/* The last two records of a trace use space kept for them: no loss here. */
extern void record_write_end(enum pgt_end_reason reason, uint64 now);

/* One line for the trace's reader. */
extern void record_write_note(const char *line, uint64 now);

/* The mapped header; NULL when no file is open. */
extern struct pgt_header *record_header(void);

/* When the trace began, CLOCK_MONOTONIC ns. */
extern uint64 record_start_time(void);

/* The time of the last record, CLOCK_MONOTONIC ns. */
extern uint64 record_last_time(void);

/*
 * The reason of the first loss of this trace, once, for the one WARNING; 0 if
 * there is nothing to say.  *error is set to the errno, 0 for the size limit.
 */
extern enum pgt_loss_reason record_new_loss(int *error);

#endif
