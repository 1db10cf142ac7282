/* SPDX-License-Identifier: PostgreSQL */
/* The options of "trace"; the habits are those of perf and strace. */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct wait_source;

struct trace_options {
	pid_t pid;
	const char *output;	/* NULL: the default name; "-": standard output */
	uint64_t duration_ns;	/* 0: until the end */
	uint32_t level;		/* PGT_LEVEL_* */
	size_t ring_pages;
	bool keep_record;	/* leave the record file with the server */
	bool at_stores;
	bool no_objects;	/* waits without what they were for */
	const struct wait_source *source;	/* NULL: auto */
};

/* Fills *options.  -1: go on; else the exit status to leave with (after --help, or a usage error's line). */
int trace_options_parse(struct trace_options *options, int argc, char **argv);

/* A whole decimal number in [low, high] from text; false: it is not. */
bool parse_number(const char *text, long low, long high, long *out);

#endif
