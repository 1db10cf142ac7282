/* SPDX-License-Identifier: PostgreSQL */
/* pgtrace-perf: the table of subcommands. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cmd/cmd.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "trace", cmd_trace, "trace one session: pgtrace-perf --pid N" },
	{ "print", cmd_print, "print a record file (.rec) or a kept trace (.pgt) again" },
	{ "doctor", cmd_doctor, "say what a trace needs and whether it is there" },
	{ "sites", cmd_sites, "where a server binary reports its waits" },
	{ NULL, NULL, NULL }
};

static void usage(FILE *out)
{
	size_t i;

	fprintf(out,
		"Usage: pgtrace-perf --pid N [OPTION]...\n"
		"       pgtrace-perf COMMAND [OPTION]...\n"
		"Trace a PostgreSQL session as Oracle's event 10046 does.\n\n"
		"Commands (trace is meant where none is named):\n");
	for (i = 0; commands[i].name; i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].help);
	fprintf(out,
		"\n  -h, --help     this text; COMMAND --help tells a command's options\n"
		"  -V, --version  the version\n"
		"\nExit status: 0 well, 1 failure, 2 wrong usage.\n");
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help")) {
		usage(stdout);
		return EXIT_OK;
	}
	if (!strcmp(argv[1], "-V") || !strcmp(argv[1], "--version")) {
		printf("pgtrace-perf %s\n", PACKAGE_VERSION);
		return EXIT_OK;
	}
	if (argv[1][0] == '-')
		return cmd_trace(argc, argv);
	for (i = 0; commands[i].name; i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	log_error("no command '%s'; pgtrace-perf --help lists them", argv[1]);
	return EXIT_USAGE;
}
