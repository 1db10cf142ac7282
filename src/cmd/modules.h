/* SPDX-License-Identifier: PostgreSQL */
/*
 * struct modules - shared objects of the traced process that report waits by themselves: a
 * foreign data wrapper or another extension that stores through its own GOT entry of the server's
 * pointer.  (None that comes with PostgreSQL 15 does.)
 *
 * A look at a process that has loaded nothing costs one reading of its /proc/PID/maps.  What waits a module
 * reports between its loading and the next look are not seen.
 */
#ifndef CMD_MODULES_H
#define CMD_MODULES_H

#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

struct attachment;

struct modules {
	uint64_t *inodes;	/* of the objects that were looked at, whatever became of them */
	size_t count;
};

/*
 * Defines probes for the modules that were not there at the last look, in the attachment's set, where its
 * wait source uses sites; probe_set_attach then opens them.  Adds to news what a reader of the trace must
 * know, separated by "; ".  Returns how many probes were defined.
 */
size_t modules_look(struct attachment *at, struct strbuf *news);
void modules_release(struct modules *modules);

#endif
