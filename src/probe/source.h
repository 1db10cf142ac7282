/* SPDX-License-Identifier: PostgreSQL */
/*
 * struct wait_source - a way to see a task's waits: a row of a table that probe_set_use takes.
 *
 * What they share is the state map, the rings and the sample (kernel/sample.h), so that nobody behind
 * them asks which it was.  What sets them apart is said here: what it needs, what it cannot see, and
 * what it costs (one wait, measured as the README tells).
 */
#ifndef PROBE_SOURCE_H
#define PROBE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/feature.h"

#define SOURCE_FDS 2

struct loaded;

struct wait_source {
	const char *name;	/* as --waits takes it */
	const char *mend;	/* what to do where it does not work */
	const char *misses;	/* what it does not see; NULL: it sees every wait */
	bool uses_sites;	/* its probes are the caller's to define, one a site */
	bool is_late;		/* its samples may come after younger ones (kernel/sample.h) */
	/* Asks the kernel whether it works here; leaves nothing behind.  detail: one line. */
	enum feature_state (*check)(char *detail, size_t size);
	/*
	 * Once, for all tasks; NULL: nothing to do.  fds come as -1, and what is put there is closed
	 * with the set, also after a failure.  0, or -1 after one line.
	 */
	int (*open)(struct loaded *loaded, int fds[SOURCE_FDS]);
	/*
	 * For one task whose wait_event_info is at word; NULL: nothing to do.  A descriptor, closed
	 * when the task is let go, or -errno.
	 */
	int (*attach)(const struct loaded *loaded, pid_t pid, uint64_t word);
};

enum source_id {		/* in the order in which one would take them */
	SOURCE_UPROBE,
	SOURCE_WATCHPOINT,
	SOURCE_SYSCALL,
	SOURCE_COUNT
};

extern const struct wait_source wait_sources[SOURCE_COUNT];

/* The source of that name, or NULL. */
const struct wait_source *wait_source_find(const char *name);

/*
 * The system call source over raw_syscalls/sys_enter and sys_exit in tracefs, which its open falls
 * back on by itself: where raw tracepoints are refused.  As wait_source.open.
 */
int source_open_tracepoints(struct loaded *loaded, int fds[SOURCE_FDS]);

#endif
