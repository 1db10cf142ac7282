/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "config.h"
#include "ext/record.h"
#include "probe/source.h"

enum { OPT_LEVEL = 256, OPT_KEEP, OPT_AT_STORES, OPT_NO_OBJECTS, OPT_WAITS };

static const char help[] =
	"Usage: pgtrace-perf [trace] -p PID [OPTION]...\n"
	"Trace one PostgreSQL session: statements, binds, plans, errors and every wait.\n\n"
	"  -p, --pid=PID           the session's backend (SELECT pg_backend_pid())\n"
	"  -o, --output=BASE       write BASE.trc and BASE.pgt; - streams the readable trace to\n"
	"                          standard output (default: the record file's name, else\n"
	"                          pgtrace_PID_EPOCH, in the current directory)\n"
	"  -d, --duration=SECONDS  end after this time (default: at Ctrl-C or the backend's end)\n"
	"      --level=N           Oracle's bits: 1 calls, 4 binds, 8 waits, 12 both; plan statistics\n"
	"                          16 of every execution, 32 never, 64 adaptive (default 12)\n"
	"      --waits=SOURCE      how waits are seen: uprobe, syscall (cheapest; not every wait),\n"
	"                          watchpoint (dearest), or auto, the cheapest that sees every wait\n"
	"  -m, --mmap-pages=N      size of each CPU's ring in pages, a power of two (default 256)\n"
	"      --keep-record       leave the server's own record file when all of it is in BASE.pgt\n"
	"      --no-objects        do not note what waits are for (blocks, locks, blockers): cheaper\n"
	"  -q, --quiet             say errors only\n"
	"  -v, --verbose           say more\n"
	"  -h, --help              this text\n"
	"  -V, --version           the version\n\n"
	"Ctrl-C ends the trace.  If something is missing, 'pgtrace-perf doctor' says what.\n";

static const struct option long_options[] = {
	{ "pid", required_argument, NULL, 'p' },
	{ "output", required_argument, NULL, 'o' },
	{ "duration", required_argument, NULL, 'd' },
	{ "level", required_argument, NULL, OPT_LEVEL },
	{ "waits", required_argument, NULL, OPT_WAITS },
	{ "mmap-pages", required_argument, NULL, 'm' },
	{ "keep-record", no_argument, NULL, OPT_KEEP },
	{ "no-objects", no_argument, NULL, OPT_NO_OBJECTS },
	{ "quiet", no_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "probe-at-stores", no_argument, NULL, OPT_AT_STORES },	/* for make bench */
	{ NULL, 0, NULL, 0 }
};

bool parse_number(const char *text, long low, long high, long *out)
{
	char *end;

	errno = 0;
	*out = strtol(text, &end, 10);
	return !errno && end != text && !*end && *out >= low && *out <= high;
}

static int usage_error(const char *what, const char *text)
{
	log_error("%s '%s'; see pgtrace-perf trace --help", what, text);
	return EXIT_USAGE;
}

static int set_pid(struct trace_options *options, const char *text)
{
	long number;

	if (!parse_number(text, 1, 1L << 22, &number))	/* PID_MAX_LIMIT, linux/threads.h */
		return usage_error("--pid takes a process number, not", text);
	options->pid = (pid_t)number;
	return -1;
}

static int set_duration(struct trace_options *options, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds > 0) || seconds > 1e9)
		return usage_error("--duration takes seconds, not", text);
	options->duration_ns = (uint64_t)(seconds * 1e9);
	return -1;
}

static int set_level(struct trace_options *options, const char *text)
{
	long number;

	if (!parse_number(text, 1, PGT_LEVEL_ALL, &number))
		return usage_error("--level takes a number from 1 to 127, not", text);
	options->level = (uint32_t)number;
	return -1;
}

static int set_source(struct trace_options *options, const char *text)
{
	options->source = wait_source_find(text);
	if (!options->source && strcmp(text, "auto"))
		return usage_error("--waits takes uprobe, syscall, watchpoint or auto, not", text);
	return -1;
}

static int set_pages(struct trace_options *options, const char *text)
{
	long number;

	if (!parse_number(text, 1, 1L << 18, &number) || (number & (number - 1)))
		return usage_error("--mmap-pages takes a power of two, not", text);
	options->ring_pages = (size_t)number;
	return -1;
}

/* name: the option as it was written, for messages. */
static int apply(struct trace_options *options, int c, const char *text, const char *name)
{
	switch (c) {
	case 'p':
		return set_pid(options, text);
	case 'o':
		options->output = text;
		return *text ? -1 : usage_error("--output takes a name, not", text);
	case 'd':
		return set_duration(options, text);
	case OPT_LEVEL:
		return set_level(options, text);
	case 'm':
		return set_pages(options, text);
	case OPT_WAITS:
		return set_source(options, text);
	case OPT_KEEP:
		options->keep_record = true;
		return -1;
	case OPT_NO_OBJECTS:
		options->no_objects = true;
		return -1;
	case OPT_AT_STORES:
		options->at_stores = true;
		return -1;
	case 'q':
		log_set_level(LOG_QUIET);
		return -1;
	case 'v':
		log_set_level(LOG_VERBOSE);
		return -1;
	case 'h':
		fputs(help, stdout);
		return EXIT_OK;
	case 'V':
		printf("pgtrace-perf %s\n", PACKAGE_VERSION);
		return EXIT_OK;
	case ':':
		return usage_error("an argument is missing behind", name);
	default:
		return usage_error("no such option:", name);
	}
}

int trace_options_parse(struct trace_options *options, int argc, char **argv)
{
	int c, status;

	*options = (struct trace_options){ .level = PGT_LEVEL_DEFAULT, .ring_pages = 256 };
	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, ":p:o:d:m:qvhV", long_options, NULL)) != -1) {
		status = apply(options, c, optarg, argv[optind - 1]);
		if (status >= 0)
			return status;
	}
	if (optind < argc)
		return usage_error("this is no option of trace:", argv[optind]);
	if (!options->pid) {
		log_error("which session?  Name its backend with --pid N (SELECT pg_backend_pid())");
		return EXIT_USAGE;
	}
	return -1;
}
