/* SPDX-License-Identifier: PostgreSQL */
/* The ELF reader and the site finder over any bytes: clang's libFuzzer, or driver.c. */
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "elf/image.h"
#include "site/site.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(const char *line, void *arg)
{
	(void)line;
	(void)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct site_list list;
	struct image *image;

	log_set_hook(ignore, NULL);
	image = image_from_memory("input", data, size);
	if (image && !site_find(image, &list))
		site_list_release(&list);
	image_free(image);
	return 0;
}
