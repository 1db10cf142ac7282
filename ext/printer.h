/* SPDX-License-Identifier: PostgreSQL */
/*
 * printer.h
 *	  Runs the program that makes a readable trace (.trc) of a record file.
 */
#ifndef PGT_PRINTER_H
#define PGT_PRINTER_H

/*
 * Starts "<pg_trace.printer> print <base>.rec -o <base>.trc" and does not wait.
 * Returns its pid, or -errno; -ENOENT: it is not installed.  Never raises an error.
 */
extern int	printer_start(const char *base);

/* What printer_wait() has seen. */
typedef enum PrinterEnd
{
	PRINTER_DONE,
	PRINTER_FAILED,				/* it said why on the server's log */
	PRINTER_RUNNING,			/* still, after ten seconds */
} PrinterEnd;

/* Waits for the printer with that pid; may be interrupted by a cancel. */
extern PrinterEnd printer_wait(int pid);

#endif
