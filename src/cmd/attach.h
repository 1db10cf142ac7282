/* SPDX-License-Identifier: PostgreSQL */
/*
 * From a pid to running probes: target, image, sites, probes, rings, in this order, and back.
 */
#ifndef CMD_ATTACH_H
#define CMD_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "cmd/objects.h"
#include "cmd/modules.h"
#include "probe/probe.h"
#include "probe/source.h"
#include "ring/ring.h"
#include "site/site.h"
#include "target/target.h"

struct attach_options {
	const struct wait_source *source;	/* NULL: the cheapest that sees every wait */
	bool at_stores;		/* probe the stores themselves: slow, to compare (make bench) */
	bool objects;		/* note what waits are for */
	size_t ring_pages;	/* data pages of each CPU's ring, a power of two */
};

struct attachment {
	struct target target;
	struct image *image;
	struct site_list sites;
	const struct wait_source *source;
	struct probe *probes;
	size_t probe_count;
	size_t probes_failed;	/* did not open */
	size_t stepped, returns;	/* probes that are not of the cheapest kind */
	bool has_statements;	/* pgstat_report_activity is probed */
	bool has_objects;	/* what waits are for is noted, as objects says */
	struct objects objects;
	struct modules modules;
	struct strbuf module_news;	/* what there is to be said of those that were there at the beginning */
	struct probe_set *set;
	struct ring_set *rings;
	uint64_t wait_event_addr;	/* in the target's memory */
	uint64_t attached_ns;	/* from when on waits are seen */
	uint64_t attach_took_ns;
};

/*
 * Attaches to pid; also to pgstat_report_activity, if the extension cannot be asked there.
 * 0, or -1 after one log_error line; attachment_close in both cases.
 */
int attachment_open(struct attachment *at, pid_t pid, const struct attach_options *options);
/*
 * Probes pgstat_report_activity after all, where the extension turned out not to work.  0, or -1: statements
 * cannot be seen.
 */
int attachment_add_statements(struct attachment *at);
/*
 * Looks whether the process has loaded a module that waits by itself, and probes it.  Adds to news, if there
 * are any, what a reader of the trace must know.  0, or -1: probes did not open.
 */
int attachment_add_modules(struct attachment *at, struct strbuf *news);
/* The probes for sites of image, in the order of their places, into out (room for sites->count); how many. */
size_t probes_of_sites(const struct site_list *sites, const struct image *image, bool at_stores,
		       struct probe *out);
/*
 * Takes the probes off and reads the last state; the rings stay readable.  Returns the moment (CLOCK_MONOTONIC
 * ns) from which on nothing was seen any more: nothing younger is evidence of anything.
 */
uint64_t attachment_detach(struct attachment *at, struct task_state *last);
void attachment_close(struct attachment *at);
/* What a reader of the trace must know of the probes, one line. */
void attachment_describe(const struct attachment *at, struct strbuf *out);

#endif
