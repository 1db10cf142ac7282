/* SPDX-License-Identifier: PostgreSQL */
/*
 * Compares text with the file tests/data/NAME, found by the variable srcdir that
 * make sets ("." without it).  UPDATE=1 writes the file instead.
 */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

static FILE *golden_open(const char *name, const char *mode)
{
	const char *srcdir = getenv("srcdir");
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/data/%s", srcdir ? srcdir : ".", name);
	file = fopen(path, mode);
	ck_assert_msg(file != NULL, "%s cannot be opened", path);
	return file;
}

static void golden_check(const char *name, const struct strbuf *text)
{
	struct strbuf expected = STRBUF_INIT;
	char chunk[4096];
	size_t got;
	FILE *file;

	if (getenv("UPDATE")) {
		file = golden_open(name, "w");
		ck_assert_uint_eq(fwrite(text->text, 1, text->length, file), text->length);
		ck_assert_int_eq(fclose(file), 0);
		return;
	}
	file = golden_open(name, "r");
	while ((got = fread(chunk, 1, sizeof(chunk), file)))
		strbuf_add(&expected, chunk, got);
	fclose(file);
	ck_assert_str_eq(text->text, expected.text);
	strbuf_release(&expected);
}

#endif
