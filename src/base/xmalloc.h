/* SPDX-License-Identifier: PostgreSQL */
/* Allocation that ends the program with one line when memory is out. */
#ifndef BASE_XMALLOC_H
#define BASE_XMALLOC_H

#include <stddef.h>

void *xmalloc(size_t size) __attribute__((malloc, alloc_size(1), returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, alloc_size(1, 2), returns_nonnull));
void *xrealloc(void *ptr, size_t count, size_t size) __attribute__((alloc_size(2, 3), returns_nonnull));
char *xstrdup(const char *text) __attribute__((malloc, returns_nonnull));
/* Bytes [text, text + length) and a NUL. */
char *xmemdup0(const void *text, size_t length) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *format, ...) __attribute__((malloc, format(printf, 1, 2), returns_nonnull));

#endif
