/* SPDX-License-Identifier: PostgreSQL */
/*
 * clock.h
 *	  The clocks of a trace.  Both are read through the vDSO: 25 ns each.
 */
#ifndef PGT_CLOCK_H
#define PGT_CLOCK_H

#include <time.h>

#define NS_PER_SEC UINT64CONST(1000000000)

static inline uint64
clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64) t.tv_sec * NS_PER_SEC + (uint64) t.tv_nsec;
}

/* What bpf_ktime_get_ns() gives, too. */
static inline uint64
clock_mono_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* Microseconds since 1970-01-01 UTC. */
static inline int64
clock_wall_us(void)
{
	return (int64) (clock_ns(CLOCK_REALTIME) / 1000);
}

#endif
