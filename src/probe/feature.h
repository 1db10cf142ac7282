/* SPDX-License-Identifier: PostgreSQL */
/*
 * struct feature - one thing that tracing needs of the kernel, asked of the kernel and not
 * deduced from its version: for 'pgtrace-perf doctor' and for the reason of a skipped
 * test.
 */
#ifndef PROBE_FEATURE_H
#define PROBE_FEATURE_H

#include <stddef.h>

enum feature_state {
	FEATURE_OK,
	FEATURE_MISSING,
};

struct feature {
	const char *name;	/* "tracefs mounted" */
	const char *lost;	/* what cannot be done without it */
	const char *mend;	/* the command or step that mends it */
	enum feature_state (*check)(char *detail, size_t size);
};

size_t feature_count(void);
/* The i-th, in the order in which they matter: a missing one may be why those after it are. */
const struct feature *feature_at(size_t i);
/*
 * Asks the kernel; leaves nothing behind.  detail (size bytes) gets one line: what was
 * found, or why not.
 */
enum feature_state feature_check(const struct feature *feature, char *detail, size_t size);
/* The first that is missing, with its detail, or NULL: tracing can work here. */
const struct feature *feature_first_missing(char *detail, size_t size);

#endif
