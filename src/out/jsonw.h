/* SPDX-License-Identifier: PostgreSQL */
/*
 * Writing one JSON value after the other.  The writer puts the commas; the caller opens and closes in
 * pairs.  Inside an array, key is NULL.
 */
#ifndef OUT_JSONW_H
#define OUT_JSONW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct jsonw {
	FILE *out;
	bool comma;	/* something stands before the next value */
};

void json_open(struct jsonw *w, const char *key, char bracket);	/* '{' or '[' */
void json_close(struct jsonw *w, char bracket);			/* '}' or ']' */
void json_u64(struct jsonw *w, const char *key, uint64_t value);
void json_i64(struct jsonw *w, const char *key, int64_t value);
void json_double(struct jsonw *w, const char *key, double value);	/* null if not finite */
void json_bool(struct jsonw *w, const char *key, bool value);
void json_null(struct jsonw *w, const char *key);
/* Bytes that are no UTF-8 become U+FFFD each. */
void json_text(struct jsonw *w, const char *key, const char *text, size_t length);
void json_str(struct jsonw *w, const char *key, const char *text);

#endif
