/* SPDX-License-Identifier: PostgreSQL */
/* Whose definition is this, and does its collector still live?  (The rule is in tracefs.h.) */
#ifndef PROBE_ORPHAN_H
#define PROBE_ORPHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ORPHAN_PREFIX "pgtrace_"

/* Start time of pid in ticks since boot, into *start.  false: no such process, or dead (zombie). */
bool process_start(pid_t pid, uint64_t *start);

struct orphan_name {
	char group[64], event[64];	/* MAX_EVENT_NAME_LEN of the kernel */
	pid_t pid;
	uint64_t start;
};

/*
 * Reads "p:pgtrace_12_3456/e1 /proc/12/exe:0x10 ..." as uprobe_events shows it.  false: not a
 * definition of ours.
 */
bool orphan_parse(const char *line, struct orphan_name *out);

#endif
