/* SPDX-License-Identifier: PostgreSQL */
/* Where near a store its probe goes. */
#ifndef SITE_PLACE_H
#define SITE_PLACE_H

#include "site/addrmap.h"
#include "site/code.h"

struct place_context {
	struct decoder *decoder;
	const struct site *sites;
	const struct addrmap *stores;	/* store_vaddr -> index in sites */
};

struct placement {
	uint64_t vaddr;
	enum site_cost cost;
	size_t merged_with;	/* the start that the end runs into, or SIZE_MAX */
};

/*
 * The cheapest instruction on the straight line behind the store of sites[index].  False:
 * the kernel refuses a probe on all of them.
 */
bool place_probe(const struct place_context *context, size_t index, struct placement *out);
/* See site_entry. */
bool place_entry(struct decoder *decoder, uint64_t vaddr, struct placement *out);

#endif
