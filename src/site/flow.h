/* SPDX-License-Identifier: PostgreSQL */
/*
 * Following the pointer: from one instruction, along every path that still holds it in a
 * register or a stack slot, to the stores through it.
 *
 * The facts kept for each instruction are what may hold the pointer on some path to it (so
 * that no store is missed), and which registers hold one and the same constant on all paths
 * that were followed.  Paths meet by union of the former, agreement of the latter, until
 * nothing changes.
 */
#ifndef SITE_FLOW_H
#define SITE_FLOW_H

#include "site/addrmap.h"
#include "site/code.h"

#define SUBJECT_WORDS 8

/* The variable that is followed: my_wait_event_info or MyProc. */
struct subject {
	const char *name;
	uint64_t vaddr;			/* 0: defined in another object */
	uint64_t words[SUBJECT_WORDS];	/* GOT entries with its address */
	size_t word_count;
	/* MyProc: the pointer is to a big struct, whose other fields are no concern of ours. */
	bool is_struct;
};

struct store {		/* of 4 bytes, through the pointer */
	uint64_t vaddr;
	int64_t field;		/* displacement behind the pointer */
	bool known;		/* value is the constant stored */
	uint32_t value;
};

struct walk {
	/* in */
	struct decoder *decoder;
	const struct subject *subject;
	bool whole;		/* follow every path to its end, pointer in hand or not */
	/* out */
	struct store *stores;
	size_t store_count;
	size_t reads;		/* through the pointer or of the variable, without a store */
	size_t sets;		/* writes of the variable itself */
	bool blind;		/* some path was not followed to its end */
	const char *why;	/* the first thing that could not be followed, or NULL */
	uint64_t why_vaddr;
	/* own */
	size_t *steps;
	struct addrmap seen;	/* vaddr -> state number */
	struct state *states;
	size_t state_count;
	uint64_t *todo;
	size_t todo_count;
	size_t todo_capacity;
	size_t slot_count;
	struct slot {
		int8_t base;
		bool reloaded;
		bool doubtful;	/* it held the variable's address, or the stack moved away */
		int64_t offset;
		uint64_t spilled_at;
	} slots[32];
};

/* Clears walk; release it after the last run.  decoder and subject must outlive it. */
void walk_init(struct walk *walk, struct decoder *decoder, const struct subject *subject);
/*
 * Follows from vaddr and fills the out fields, which stay until the next run.  *steps is how
 * many more instructions may be looked at; it is lowered.
 */
void walk_run(struct walk *walk, uint64_t vaddr, bool whole, size_t *steps);
void walk_release(struct walk *walk);

#endif
