/* SPDX-License-Identifier: PostgreSQL */
#include "tests/lib/guard.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t whole_pages(size_t size)
{
	return (size + page_size() - 1) / page_size() * page_size();
}

void *guard_alloc(size_t size)
{
	size_t usable = whole_pages(size);
	uint8_t *map = mmap(NULL, usable + page_size(), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED || mprotect(map + usable, page_size(), PROT_NONE)) {
		perror("guard_alloc");
		exit(99);	/* Automake: hard error */
	}
	return map + usable - size;
}

void *guard_copy(const void *bytes, size_t size)
{
	void *memory = guard_alloc(size);

	if (size)
		memcpy(memory, bytes, size);
	return memory;
}

void guard_free(void *memory, size_t size)
{
	size_t usable = whole_pages(size);

	if (munmap((uint8_t *)memory + size - usable, usable + page_size()))
		abort();
}
