/* SPDX-License-Identifier: PostgreSQL */
/*
 * printer.h
 *	  Runs the program that makes a readable trace (.trc) of a record file.
 */
#ifndef PGT_PRINTER_H
#define PGT_PRINTER_H

/*
 * Starts "<pg_trace.printer> print <base>.rec -o <base>.trc" and does not wait.
 * Returns its pid, or -errno; -ENOENT: it is not installed, -EBUSY: that of the trace
 * before is still running.  Never raises an error.
 */
extern int	printer_start(const char *base);

/* What printer_wait() has seen. */
typedef enum PrinterEnd
{
	PRINTER_DONE,
	PRINTER_FAILED,				/* it said why on the server's log */
	PRINTER_RUNNING,			/* still, after ten seconds */
} PrinterEnd;

/* Waits for the printer with that pid; may be interrupted by a cancel, which ends it. */
extern PrinterEnd printer_wait(int pid);

/* Ends a printer that is still running: before this process exits. */
extern void printer_kill(void);

#endif
