/* SPDX-License-Identifier: PostgreSQL */
/*
 * struct site - a place in a server's code that reports a wait's start or end, and
 * the instruction near it where a probe is put.
 *
 * pgstat_report_wait_start() and _end() are static inline
 * (src/include/utils/wait_event.h): each use is a 4-byte store through the global
 * pointer my_wait_event_info (PostgreSQL 14 and later), or into
 * MyProc->wait_event_info (13).  Sites are found by following that pointer from
 * every reference to it through registers, spills and branches.
 */
#ifndef SITE_SITE_H
#define SITE_SITE_H

#include <stddef.h>
#include <stdint.h>

#include "elf/image.h"

enum site_role {
	SITE_START = 1,		/* stores an event, constant or not */
	SITE_END,		/* stores zero */
	SITE_MERGED,		/* an end followed at once by the next start: one probe for both */
};

/*
 * What a probe costs there, cheapest first (arch/x86/kernel/uprobes.c): an
 * instruction that the kernel emulates; one that it must single-step out of line;
 * none at all but the function's return.
 */
enum site_cost {
	SITE_EMULATED = 1,
	SITE_STEPPED,
	SITE_RETURN,		/* uretprobe; probe_vaddr is as site_entry says */
};

struct site {
	uint64_t store_vaddr;	/* the store (of SITE_MERGED: the second one) */
	uint64_t probe_vaddr;	/* where the probe goes */
	uint64_t probe_offset;	/* the same in the file */
	uint64_t function_vaddr;	/* start of the function, 0 unknown */
	enum site_role role;
	enum site_cost cost;
	uint32_t event;		/* if constant; 0: a register, or an end */
	char instruction[32];	/* at probe_vaddr, "call", "jmp", ... for people */
};

/*
 * A reference to the pointer from which no store could be reached, or that was lost on one of its
 * ways.  (Not MyProc: what is passed on or computed from it is for other fields.)
 */
struct site_gap {
	uint64_t vaddr;		/* of the instruction where following stopped */
	const char *why;	/* static text: "address escapes to a call", ... */
};

struct site_list {
	struct site *sites;	/* by probe_vaddr; several sites may share one probe */
	size_t count;
	struct site_gap *gaps;
	size_t gap_count;
	/*
	 * Instructions that name the pointer: references = sources + readers + setters +
	 * gap_count.
	 */
	size_t references;
	size_t sources;		/* of them, those that lead to a store */
	size_t readers;		/* that only read through it (MyProc: use its other fields) */
	size_t setters;		/* that give the pointer its value */
	size_t unplaced;	/* stores that no probe can be put at; not in sites */
	const char *symbol;	/* "my_wait_event_info" or "MyProc" */
	uint64_t symbol_vaddr;
	uint32_t field_offset;	/* of wait_event_info behind the pointer: 0, or PGPROC's */
};

/*
 * Finds every site of image, a server or one of its modules (which may have none).  Returns 0,
 * or -1 after one log_error line (no such symbol, no code that can be read).  The caller
 * releases the list with site_list_release.
 */
int site_find(const struct image *image, struct site_list *out);
void site_list_release(struct site_list *list);

/*
 * The cheapest place for a probe at the entry of the function at vaddr: vaddr, or a later
 * instruction that every call reaches once, with the stack and the arguments in registers as they
 * came.  Fills *offset (file) and *cost.  0, or -1 without a line: not code, or refused.
 */
int site_entry(const struct image *image, uint64_t vaddr, uint64_t *offset, enum site_cost *cost);

const char *site_role_name(enum site_role role);	/* "start", ... */
const char *site_cost_name(enum site_cost cost);	/* "emulated", ... */

#endif
