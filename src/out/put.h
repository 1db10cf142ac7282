/* SPDX-License-Identifier: PostgreSQL */
/*
 * Writing small things fast: a wait a microsecond is a normal rate, and each is a line.  All write to a
 * stdio stream without its lock; failures are left in the stream.
 */
#ifndef OUT_PUT_H
#define OUT_PUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

void put_str(FILE *out, const char *text);
void put_bytes(FILE *out, const void *bytes, size_t length);
void put_u64(FILE *out, uint64_t value);
void put_i64(FILE *out, int64_t value);
/* value / 10^decimals, exactly: put_fixed(out, -1500, 3) is "-1.500". */
void put_fixed(FILE *out, int64_t value, unsigned int decimals);
/* us since 1970 as "2025-11-05 10:30:15.128123".  Not for two threads at once: the last second's text is kept. */
void put_wall(FILE *out, int64_t wall_us);

/*
 * Text from a file that is not trusted, safe on a terminal and always on one line: control characters and what
 * is no UTF-8 as \xNN, \n and \t so written, a backslash and the quote doubled or escaped by a backslash.
 */
void put_escaped(FILE *out, const char *text, size_t length, char quote);
/*
 * As it is, but for control characters and what is no UTF-8; each further line begins with indent spaces, so that
 * no text can pass for a line of the trace.
 */
void put_paragraph(FILE *out, const char *text, size_t length, unsigned int indent);

/* Bytes of the UTF-8 character at text, or 0: none begins here, or it is not whole or not the shortest form. */
size_t utf8_length(const char *text, size_t left);
/* Bytes from the start of text that are whole plain characters: UTF-8, no control, backslash, quote or apostrophe. */
size_t plain_run(const char *text, size_t length);

#endif
