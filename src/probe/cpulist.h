/* SPDX-License-Identifier: PostgreSQL */
/*
 * Lists of CPUs as the kernel writes them ("0-3,8\n"), in /sys/devices/system/cpu/online
 * and possible.
 */
#ifndef PROBE_CPULIST_H
#define PROBE_CPULIST_H

#include <stddef.h>
#include <stdint.h>

#define CPU_MAX 8192u	/* CONFIG_NR_CPUS goes no higher on any architecture */

/*
 * Fills cpus (room for max) with the numbers in text, ascending as written.  Returns how many, or
 * -1: not such a list, or more than max.
 */
int cpulist_parse(const char *text, uint32_t *cpus, size_t max);
/* The same of a file; -1 also if it cannot be read. */
int cpulist_read(const char *path, uint32_t *cpus, size_t max);
/* One more than the highest possible CPU; 1 if that cannot be learned. */
uint32_t cpu_possible_end(void);

#endif
