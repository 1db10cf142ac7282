/* SPDX-License-Identifier: PostgreSQL */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static enum log_level shown = LOG_NORMAL;
static void (*hook)(const char *line, void *arg);
static void *hook_arg;

void log_set_level(enum log_level level)
{
	shown = level;
}

bool log_is_verbose(void)
{
	return shown >= LOG_VERBOSE;
}

bool log_is_quiet(void)
{
	return shown < LOG_NORMAL;
}

void log_set_hook(void (*fn)(const char *line, void *arg), void *arg)
{
	hook = fn;
	hook_arg = arg;
}

static void __attribute__((format(printf, 2, 0))) say(const char *prefix, const char *format, va_list ap)
{
	char line[2048];
	int used = snprintf(line, sizeof(line), "pgtrace-perf: %s", prefix);

	vsnprintf(line + used, sizeof(line) - used, format, ap);
	if (hook)
		hook(line, hook_arg);
	else
		fprintf(stderr, "%s\n", line);
}

int log_error(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say("", format, ap);
	va_end(ap);
	return -1;
}

void log_warn(const char *format, ...)
{
	va_list ap;

	if (shown < LOG_NORMAL)
		return;
	va_start(ap, format);
	say("warning: ", format, ap);
	va_end(ap);
}

void log_info(const char *format, ...)
{
	va_list ap;

	if (shown < LOG_NORMAL)
		return;
	va_start(ap, format);
	say("", format, ap);
	va_end(ap);
}

void log_verbose(const char *format, ...)
{
	va_list ap;

	if (shown < LOG_VERBOSE)
		return;
	va_start(ap, format);
	say("", format, ap);
	va_end(ap);
}
