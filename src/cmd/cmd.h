/* SPDX-License-Identifier: PostgreSQL */
/*
 * The subcommands.  Each takes its own arguments (argv[0] is its name) and returns the exit
 * status: 0 well, 1 failure, 2 usage.  Adding one is a file and a row in cmd_table (main.c).
 */
#ifndef CMD_CMD_H
#define CMD_CMD_H

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

int cmd_trace(int argc, char **argv);	/* also without a name: "pgtrace-perf --pid N" */
int cmd_print(int argc, char **argv);	/* print FILE [--format=text|json] [-o OUT] */
int cmd_sites(int argc, char **argv);	/* sites BINARY */
int cmd_doctor(int argc, char **argv);	/* doctor [--pid N] */

#endif
