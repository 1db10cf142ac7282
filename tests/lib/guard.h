/* SPDX-License-Identifier: PostgreSQL */
/*
 * Memory that ends at a page that is not mapped: a read of one byte too many is a
 * SIGSEGV there and then, with or without sanitizers.
 */
#ifndef LIB_GUARD_H
#define LIB_GUARD_H

#include <stddef.h>

/* A copy of size bytes (0 is fine) whose end is the guard.  Never NULL. */
void *guard_copy(const void *bytes, size_t size);
/* size zero bytes that end at the guard. */
void *guard_alloc(size_t size);
/* Takes what either gave, with the same size. */
void guard_free(void *memory, size_t size);

#endif
