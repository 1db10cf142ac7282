/* SPDX-License-Identifier: PostgreSQL */
#include "site/addrmap.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

#define CLEAR_MAX 1024

/* Fibonacci hashing; linear probing; at most half full. */
static struct addrmap_slot *slot_of(const struct addrmap *map, uint64_t address)
{
	size_t mask = map->capacity - 1;
	size_t i = (size_t)(address * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;

	while (map->slots[i].used && map->slots[i].address != address)
		i = (i + 1) & mask;
	return &map->slots[i];
}

static void grow(struct addrmap *map)
{
	struct addrmap old = *map;
	size_t i;

	map->capacity = old.capacity ? old.capacity * 2 : 64;
	map->slots = xcalloc(map->capacity, sizeof(*map->slots));
	for (i = 0; i < old.capacity; i++)
		if (old.slots[i].used)
			*slot_of(map, old.slots[i].address) = old.slots[i];
	free(old.slots);
}

uint32_t addrmap_get(const struct addrmap *map, uint64_t address)
{
	const struct addrmap_slot *slot = map->count ? slot_of(map, address) : NULL;

	return slot && slot->used ? slot->number : ADDRMAP_NONE;
}

void addrmap_put(struct addrmap *map, uint64_t address, uint32_t number)
{
	struct addrmap_slot *slot;

	if (2 * (map->count + 1) > map->capacity)
		grow(map);
	slot = slot_of(map, address);
	map->count += !slot->used;
	*slot = (struct addrmap_slot){ address, number, 1 };
}

void addrmap_clear(struct addrmap *map)
{
	/* Clearing what one big use left behind would cost every small one after it. */
	if (map->capacity > CLEAR_MAX && map->count < map->capacity / 8) {
		addrmap_release(map);
		return;
	}
	if (map->count)
		memset(map->slots, 0, map->capacity * sizeof(*map->slots));
	map->count = 0;
}

void addrmap_release(struct addrmap *map)
{
	free(map->slots);
	*map = (struct addrmap){ NULL, 0, 0 };
}
