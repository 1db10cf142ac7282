/* SPDX-License-Identifier: PostgreSQL */
/*
 * What waits are for: where the probes go that note it (kernel/file.c, kernel/lock.c), and what the programs must
 * know of this server.
 */
#ifndef CMD_OBJECTS_H
#define CMD_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "elf/image.h"
#include "probe/probe.h"
#include "target/target.h"

#define OBJECT_PROBES_MAX 16

struct objects {
	struct probe probes[OBJECT_PROBES_MAX];
	size_t probe_count;
	bool has_files;		/* relation files are known */
	bool has_locks;		/* and heavyweight locks */
	bool has_texts;		/* and the statements of blockers */
	uint32_t proc_size, count_at, first_number;	/* PGPROC, PROC_HDR, PgBackendStatus; if has_locks */
	uint32_t file_base;	/* for struct task_state */
	struct lock_work work;	/* the collector's part, for probe_set_lock_work; if has_locks */
};

/* Fills *out; what the server does not have is left out. */
void objects_plan(const struct target *target, const struct image *image, struct objects *out);
/* Brings what the program for locks reads into the target's page table. */
void objects_touch(const struct target *target, const struct image *image, const struct objects *objects);
/* What the wait under way is for; kind NONE: not known. */
void objects_of_wait(const struct task_state *state, struct pgt_object *out);
/* For the trace's reader: what it will not find, one clause, "" where all is there. */
void objects_describe(const struct objects *objects, struct strbuf *out);

#endif
