/* SPDX-License-Identifier: PostgreSQL */
/* The two clocks: CLOCK_MONOTONIC in ns, and the wall in us since 1970 UTC. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

uint64_t clock_mono_ns(void);
int64_t clock_wall_us(void);

#define CLOCK_TEXT_SIZE 40

/* "2025-11-05 10:30:15.128123" in UTC into out (CLOCK_TEXT_SIZE bytes).  Returns out. */
char *clock_format(int64_t wall_us, char *out);

#endif
