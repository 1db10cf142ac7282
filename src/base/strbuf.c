/* SPDX-License-Identifier: PostgreSQL */
#include "base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

char strbuf_empty[1];

void strbuf_init(struct strbuf *sb)
{
	sb->text = strbuf_empty;
	sb->length = 0;
	sb->capacity = 0;
}

void strbuf_release(struct strbuf *sb)
{
	if (sb->capacity)
		free(sb->text);
	strbuf_init(sb);
}

void strbuf_clear(struct strbuf *sb)
{
	sb->length = 0;
	if (sb->capacity)
		sb->text[0] = '\0';
}

static void reserve(struct strbuf *sb, size_t more)
{
	size_t need = sb->length + more + 1;
	size_t capacity = sb->capacity ? sb->capacity : 64;

	if (need <= sb->capacity)
		return;
	while (capacity < need)
		capacity *= 2;
	sb->text = xrealloc(sb->capacity ? sb->text : NULL, capacity, 1);
	sb->capacity = capacity;
}

void strbuf_add(struct strbuf *sb, const void *bytes, size_t length)
{
	if (!length)
		return;
	reserve(sb, length);
	memcpy(sb->text + sb->length, bytes, length);
	sb->length += length;
	sb->text[sb->length] = '\0';
}

void strbuf_addch(struct strbuf *sb, char c)
{
	strbuf_add(sb, &c, 1);
}

void strbuf_addstr(struct strbuf *sb, const char *text)
{
	strbuf_add(sb, text, strlen(text));
}

void strbuf_addf(struct strbuf *sb, const char *format, ...)
{
	va_list ap;
	int length;

	va_start(ap, format);
	length = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	if (length <= 0)
		return;
	reserve(sb, length);
	va_start(ap, format);
	vsnprintf(sb->text + sb->length, length + 1, format, ap);
	va_end(ap);
	sb->length += length;
}
