/* SPDX-License-Identifier: PostgreSQL */
/*
 * A growing string.  Invariants: text is never NULL and always ends in a NUL that
 * length does not count; the bytes before it may hold NULs.
 */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include <stddef.h>

struct strbuf {
	char *text;
	size_t length;
	size_t capacity;	/* 0: text is not ours to free yet */
};

extern char strbuf_empty[];
#define STRBUF_INIT { strbuf_empty, 0, 0 }

void strbuf_init(struct strbuf *sb);
void strbuf_release(struct strbuf *sb);	/* frees; the struct may be used again */
void strbuf_clear(struct strbuf *sb);	/* empties, keeps the memory */
void strbuf_add(struct strbuf *sb, const void *bytes, size_t length);
void strbuf_addch(struct strbuf *sb, char c);
void strbuf_addstr(struct strbuf *sb, const char *text);
void strbuf_addf(struct strbuf *sb, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
