/* SPDX-License-Identifier: PostgreSQL */
#include "base/xmalloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void out_of_memory(size_t size)
{
	fprintf(stderr, "pgtrace-perf: out of memory asking for %zu bytes\n", size);
	exit(1);
}

void *xmalloc(size_t size)
{
	void *ptr = malloc(size ? size : 1);

	if (!ptr)
		out_of_memory(size);
	return ptr;
}

void *xcalloc(size_t count, size_t size)
{
	void *ptr = calloc(count ? count : 1, size ? size : 1);

	if (!ptr)
		out_of_memory(count * size);
	return ptr;
}

void *xrealloc(void *ptr, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		out_of_memory(SIZE_MAX);
	ptr = realloc(ptr, bytes ? bytes : 1);
	if (!ptr)
		out_of_memory(bytes);
	return ptr;
}

char *xmemdup0(const void *text, size_t length)
{
	char *copy = xmalloc(length + 1);

	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

char *xstrdup(const char *text)
{
	return xmemdup0(text, strlen(text));
}

char *xasprintf(const char *format, ...)
{
	va_list ap;
	char *text;
	int length;

	va_start(ap, format);
	length = vasprintf(&text, format, ap);
	va_end(ap);
	if (length < 0)
		out_of_memory(0);
	return text;
}
