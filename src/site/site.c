/* SPDX-License-Identifier: PostgreSQL */
#include "site/site.h"

#include <stdlib.h>
#include <string.h>

#include "site/place.h"

void site_list_release(struct site_list *list)
{
	free(list->sites);
	free(list->gaps);
	memset(list, 0, sizeof(*list));
}

const char *site_role_name(enum site_role role)
{
	static const char *const names[] = {
		[SITE_START] = "start",
		[SITE_END] = "end",
		[SITE_MERGED] = "merged",
	};

	return role <= SITE_MERGED && names[role] ? names[role] : "?";
}

const char *site_cost_name(enum site_cost cost)
{
	static const char *const names[] = {
		[SITE_EMULATED] = "emulated",
		[SITE_STEPPED] = "stepped",
		[SITE_RETURN] = "return",
	};

	return cost <= SITE_RETURN && names[cost] ? names[cost] : "?";
}

int site_entry(const struct image *image, uint64_t vaddr, uint64_t *offset, enum site_cost *cost)
{
	struct decoder *decoder = decoder_new(image);
	struct placement placement;
	bool found;

	if (!decoder)
		return -1;
	found = place_entry(decoder, vaddr, &placement) &&
		image_file_offset(image, placement.vaddr, offset);
	if (found)
		*cost = placement.cost;
	decoder_free(decoder);
	return found ? 0 : -1;
}
