/* SPDX-License-Identifier: PostgreSQL */
/*
 * struct target - what /proc says about the process to trace.
 */
#ifndef TARGET_TARGET_H
#define TARGET_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "elf/image.h"

struct target {
	pid_t pid;		/* in our pid namespace */
	pid_t own_pid;		/* in its own (a container), else the same */
	pid_t postmaster;	/* its parent */
	uint64_t start_ticks;	/* field 22 of /proc/PID/stat: tells a pid's reuse */
	char exe[32];		/* "/proc/PID/exe", to open */
	char *exe_name;		/* where that points, for people */
	char data_directory[32];	/* to open: "/proc/PID/cwd", where every server process is */
	int major_version;	/* 13 to 18, from PG_VERSION; 0 unknown */
	char *title;		/* "postgres: alice shop [local] idle" */
	uint64_t exe_start;	/* where the executable's first byte is mapped */
	bool has_extension;	/* pg_trace.so is mapped */
	char *control;		/* the mapped control file, to open; NULL */
};

/*
 * Looks at pid.  0, or -1 after one log_error line that says why it cannot be traced: no
 * such process, not ours to look at, no PostgreSQL, the postmaster.  target_release in
 * both cases.
 */
int target_open(struct target *target, pid_t pid);
void target_release(struct target *target);

/*
 * What is added to image's addresses in the target's memory; image is of its exe.
 */
uint64_t target_bias(const struct target *target, const struct image *image);
/* False: it has ended (or its pid is another's now). */
bool target_is_alive(const struct target *target);
/* Reads size bytes of its memory at addr (in its address space).  0 or -errno. */
int target_read(const struct target *target, uint64_t addr, void *out, size_t size);

#endif
