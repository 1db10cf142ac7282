/* SPDX-License-Identifier: PostgreSQL */
/*
 * The file uprobe_events of tracefs: a line written there defines or removes a probe
 * (Documentation/trace/uprobetracer.rst).  tracefs_path() is in probe.h.
 *
 * Our definitions are in the group "pgtrace_PID_START": the pid of the collector, and its start
 * time in ticks (field 22 of /proc/PID/stat), so that an orphan is told from a
 * definition of a living collector even after the pid has been used again.
 */
#ifndef PROBE_TRACEFS_H
#define PROBE_TRACEFS_H

#include <stddef.h>
#include <sys/types.h>

#define GROUP_SIZE 48

/* This process's group, into out (GROUP_SIZE bytes).  Returns out. */
char *uprobe_group(char *out);
/*
 * uprobe_events, for writing.  A descriptor, or -1 after one line that says what to do (not
 * mounted, no right, no such kernel option).
 */
int uprobe_events_open(void);
/* Writes one line.  0 or -errno. */
int uprobe_events_write(int fd, const char *line);
/*
 * Removes group/event with all its places; while it is in use (EBUSY), tries again for patience_ms.
 * 0 or -errno.
 */
int uprobe_events_remove(int fd, const char *group, const char *event, unsigned patience_ms);
/* The number that perf_event_open knows group/event by, or -errno. */
int uprobe_event_id(const char *group, const char *event);

#endif
