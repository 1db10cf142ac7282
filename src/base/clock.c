/* SPDX-License-Identifier: PostgreSQL */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id, int64_t per_second)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * per_second + ts.tv_nsec / (1000000000 / per_second);
}

uint64_t clock_mono_ns(void)
{
	return (uint64_t)read_clock(CLOCK_MONOTONIC, 1000000000);
}

int64_t clock_wall_us(void)
{
	return read_clock(CLOCK_REALTIME, 1000000);
}

char *clock_format(int64_t wall_us, char *out)
{
	int64_t micro = wall_us % 1000000;
	time_t second;
	struct tm tm;
	size_t used;

	second = (time_t)(wall_us / 1000000 - (micro < 0));
	if (micro < 0)
		micro += 1000000;
	if (!gmtime_r(&second, &tm) ||
	    !(used = strftime(out, CLOCK_TEXT_SIZE, "%Y-%m-%d %H:%M:%S", &tm))) {
		/* A year beyond the calendar: only a damaged file has one. */
		snprintf(out, CLOCK_TEXT_SIZE, "%lld us", (long long)wall_us);
		return out;
	}
	snprintf(out + used, CLOCK_TEXT_SIZE - used, ".%06d", (int)micro);
	return out;
}
