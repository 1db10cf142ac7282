/* SPDX-License-Identifier: PostgreSQL */
/* A hash table from addresses to small numbers, which only grows. */
#ifndef SITE_ADDRMAP_H
#define SITE_ADDRMAP_H

#include <stddef.h>
#include <stdint.h>

struct addrmap {		/* all zero: empty */
	struct addrmap_slot {
		uint64_t address;
		uint32_t number;
		uint32_t used;
	} *slots;
	size_t capacity;	/* a power of two, or 0 */
	size_t count;
};

#define ADDRMAP_NONE UINT32_MAX

/* The number of address, or ADDRMAP_NONE. */
uint32_t addrmap_get(const struct addrmap *map, uint64_t address);
/* Adds or replaces. */
void addrmap_put(struct addrmap *map, uint64_t address, uint32_t number);
void addrmap_clear(struct addrmap *map);	/* empties */
void addrmap_release(struct addrmap *map);

#endif
