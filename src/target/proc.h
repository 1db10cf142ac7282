/* SPDX-License-Identifier: PostgreSQL */
/* Small readers of /proc/PID. */
#ifndef TARGET_PROC_H
#define TARGET_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Reads /proc/PID/name (name may be "cwd/PG_VERSION") into text, at most size - 1 bytes and a
 * NUL.  Returns the bytes read, or -errno.
 */
ssize_t proc_read(pid_t pid, const char *name, char *text, size_t size);
/* Where the link /proc/PID/name points; the caller frees.  NULL: errno says why. */
char *proc_link(pid_t pid, const char *name);
/* Field 22 of /proc/PID/stat, clock ticks since boot; 0: no such process (proc(5)). */
uint64_t proc_start_ticks(pid_t pid);
/* Field 4 of /proc/PID/stat; 0: no such process. */
pid_t proc_parent(pid_t pid);
/* The last number of NSpid in /proc/PID/status: the pid in its own namespace. */
pid_t proc_own_pid(pid_t pid);

/*
 * Calls fn for each line of /proc/PID/maps that maps a file, until fn returns false.
 * Returns 0 or -errno.
 */
struct proc_map {
	uint64_t start, end;
	uint64_t offset;
	uint64_t inode;
	const char *path;	/* as the process's own mount namespace names it */
};
int proc_each_map(pid_t pid, bool (*fn)(const struct proc_map *map, void *arg), void *arg);

#endif
