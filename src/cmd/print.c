/* SPDX-License-Identifier: PostgreSQL */
/* print: shows a record file or a kept trace again, with no privileges and no server. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "cmd/cmd.h"
#include "out/sink.h"
#include "stmt/stmt.h"
#include "trace/trace.h"

struct options {
	const char *path;
	const char *output;
	const struct sink_ops *format;
};

static const struct option long_options[] = {
	{ "format", required_argument, NULL, 'f' },
	{ "output", required_argument, NULL, 'o' },
	{ "help",   no_argument,       NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static void usage(FILE *out)
{
	size_t i;

	fprintf(out,
		"Usage: pgtrace-perf print FILE [OPTION]...\n"
		"Show a record file (.rec) of pg_trace or a trace (.pgt) that pgtrace-perf kept.\n\n"
		"  -f, --format=FORMAT  one of:");
	for (i = 0; sink_formats[i]; i++)
		fprintf(out, " %s", sink_formats[i]->name);
	fprintf(out,
		" (default: %s)\n"
		"  -o, --output=OUT     write to OUT (mode 0600) instead of standard output\n"
		"  -h, --help           this text\n"
		"\nExit status: 0 well, 1 failure or a damaged file, 2 wrong usage.\n", sink_formats[0]->name);
}

/* -1: go on; else the exit status. */
static int parse_options(int argc, char **argv, struct options *options)
{
	int c;

	*options = (struct options){ .output = "-", .format = sink_formats[0] };
	optind = 0;
	while ((c = getopt_long(argc, argv, "f:o:h", long_options, NULL)) != -1) {
		switch (c) {
		case 'f':
			options->format = sink_format(optarg);
			if (!options->format) {
				log_error("no format '%s'; print --help lists them", optarg);
				return EXIT_USAGE;
			}
			break;
		case 'o':
			options->output = optarg;
			break;
		case 'h':
			usage(stdout);
			return EXIT_OK;
		default:
			return EXIT_USAGE;
		}
	}
	if (argc - optind != 1) {
		log_error("print takes one file; print --help tells more");
		return EXIT_USAGE;
	}
	options->path = argv[optind];
	return -1;
}

/* The output replaces what has its name: that must not be the input. */
static int check_output(const struct options *options)
{
	struct stat in, out;

	if (!strcmp(options->output, "-") || stat(options->output, &out) || stat(options->path, &in))
		return 0;
	if (in.st_dev == out.st_dev && in.st_ino == out.st_ino)
		return log_error("%s is the file to print; choose another output with -o", options->output);
	return 0;
}

static void apply_note(struct trace *trace, const struct pgt_header *header, const char *text)
{
	uint32_t length = (uint32_t)strlen(text);
	size_t size = sizeof(struct pgt_note) + length;
	struct pgt_note *note = xmalloc(size);
	struct event ev = {
		.head = {
			.kind = PGT_NOTE,
			.pid = header->pid,
			.time_ns = (uint64_t)trace_totals(trace)->last_ns,
		},
		.body = note,
		.body_length = size,
	};

	*note = (struct pgt_note){ .length = length };
	memcpy(note + 1, text, length);
	trace_apply(trace, &ev);
	free(note);
}

static void apply_damage(struct trace *trace, const struct pgt_header *header)
{
	struct pgt_loss loss = { .reason = PGT_LOSS_BAD_RECORD, .count = 1 };
	struct event ev = {
		.head = {
			.kind = PGT_LOSS,
			.pid = header->pid,
			.time_ns = (uint64_t)trace_totals(trace)->last_ns,
		},
		.body = &loss,
		.body_length = sizeof(loss),
	};

	trace_apply(trace, &ev);
}

/* All events from the one in ev on.  0, or -1: the file is damaged. */
static int apply_all(struct trace *trace, const struct sink *sink, struct stmt_file *file, struct event *ev, int got)
{
	const struct pgt_header *header = stmt_header(file);

	while (got == 1 && !sink->failed) {
		trace_apply(trace, ev);
		got = stmt_next(file, ev);
	}
	if (got < 0)
		apply_damage(trace, header);
	trace_apply_header(trace, header);
	if (header->state != PGT_STATE_CLOSED && got >= 0)
		apply_note(trace, header, "the file was not closed: it is still being written, or its writer was killed");
	return got < 0 ? -1 : 0;
}

static int print_file(const struct options *options, struct stmt_file *file)
{
	struct trace *trace;
	struct sink *sink;
	struct event ev;
	int got = stmt_next(file, &ev), rc;

	/* Nothing to show: leave no output that could pass for a trace. */
	if (got < 0)
		return -1;
	sink = sink_open(options->format, options->output);
	if (!sink)
		return -1;
	trace = trace_new();
	trace_add_sink(trace, sink);
	if (stmt_header(file)->file_kind == PGT_FILE_PGT)
		trace_expect_waits(trace);
	rc = apply_all(trace, sink, file, &ev, got);
	rc |= trace_finish(trace);
	trace_free(trace);
	return rc;
}

int cmd_print(int argc, char **argv)
{
	struct options options;
	struct stmt_file *file;
	int rc = parse_options(argc, argv, &options);

	if (rc >= 0)
		return rc;
	/* A reader that leaves (| head) is no error to talk about. */
	signal(SIGPIPE, SIG_IGN);
	file = stmt_open(options.path);
	if (!file)
		return EXIT_FAILED;
	rc = check_output(&options);
	if (!rc)
		rc = print_file(&options, file);
	stmt_close(file);
	return rc ? EXIT_FAILED : EXIT_OK;
}
