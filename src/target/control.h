/* SPDX-License-Identifier: PostgreSQL */
/*
 * The collector's side of the control file (ext/control.h): asks one backend's extension to start
 * and stop, and finds its record file.
 */
#ifndef TARGET_CONTROL_H
#define TARGET_CONTROL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ext/control.h"

struct control;

enum control_state {
	CONTROL_WAITING,	/* asked; the backend looks at its next statement */
	CONTROL_TRACING,
	CONTROL_ENDED,		/* it was tracing and is no more */
	CONTROL_FAILED,		/* it could not start; control_failure says why */
};

/*
 * Opens the control file at path for the backend own_pid (its pid in its own namespace).  NULL after
 * one log_error line.
 */
struct control *control_open(const char *path, pid_t own_pid);
void control_close(struct control *control);

/* A trace is on already, started by somebody else; one that was asked to end is not. */
bool control_is_tracing(const struct control *control);
/* SQL, or another collector that lives, has asked for one, and the backend has not looked yet. */
bool control_is_pending(const struct control *control);
/* The trace that is on or asked for ends without a collector's heartbeat. */
bool control_needs_heartbeat(const struct control *control);
/* Asks for a trace of this level named base; 0, or -1 after one line. */
int control_start(struct control *control, uint32_t level, const char *base);
enum control_state control_poll(struct control *control);
int control_failure(const struct control *control);	/* errno of CONTROL_FAILED */
/* "I am alive"; at least once a second while a trace that we asked for is on. */
void control_heartbeat(struct control *control);
/* Asks to end it; the backend does so at its next statement. */
void control_stop(struct control *control);
/*
 * The name of the trace that another asked for, else of the running or last one, copied to out:
 * "pg_trace_12345_1699123456".
 */
void control_base(const struct control *control, char out[PGT_BASE_SIZE]);
/* The record file of the trace base, to open; the caller frees. */
char *control_record_path(const struct control *control, const char *base);

#endif
