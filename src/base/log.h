/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the program says on standard error: one line a message, headed by the
 * program's name.  A message says what failed, on what, and what to do.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_QUIET = -1,		/* -q: errors only */
	LOG_NORMAL = 0,
	LOG_VERBOSE = 1,	/* -v */
};

void log_set_level(enum log_level level);
bool log_is_verbose(void);
bool log_is_quiet(void);

/* While set, messages go to fn instead of standard error (tests, status line). */
void log_set_hook(void (*fn)(const char *line, void *arg), void *arg);

/* Always shown.  Returns -1, so that "return log_error(...)" reads well. */
int log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Shown unless -q. */
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Shown with -v. */
void log_verbose(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
