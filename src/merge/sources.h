/* SPDX-License-Identifier: PostgreSQL */
/*
 * The live sources of a merge: a record file that grows, and a perf ring.
 *
 * Why no slack is needed in their watermarks: each says "now" and looks at its data
 * after that.  What one backend does is in program order, and both its records and its
 * samples are visible before it goes on; so whatever is stamped before that "now" and
 * is not visible yet has nothing of the same backend behind it.
 */
#ifndef MERGE_SOURCES_H
#define MERGE_SOURCES_H

#include <sys/types.h>

#include "merge/merge.h"
#include "ring/ring.h"

/*
 * A kind that only lives between ring_source and activity: body is a struct sample_activity and
 * its text.  Never in a file.
 */
#define EVENT_ACTIVITY 255

/* Takes the file over.  The source ends with the file's PGT_END, or at damage (then a PGT_LOSS is its last). */
struct source *record_source_new(struct stmt_file *file);
void record_source_free(struct source *source);
bool record_source_ended(const struct source *source);
/* Not all of the file could be read. */
bool record_source_damaged(const struct source *source);
/* The backend will write no more: what is committed now is all. */
void record_source_close(struct source *source);
/* Records that the file's writer could not write, as far as its header said at the last look. */
uint64_t record_source_dropped(const struct source *source);

/*
 * The ring stays its set's.  Samples of pid are given own_pid (its pid in its namespace, which records
 * have).  A wait that was under way when the probes came is said to begin at attached_ns.
 */
struct source *ring_source_new(struct ring *ring, pid_t pid, pid_t own_pid, uint64_t attached_ns);
void ring_source_free(struct source *source);

#endif
