/* SPDX-License-Identifier: PostgreSQL */
/*
 * A bounds-checked reader over bytes that are not trusted.  A read past the end
 * gives NULL or zero and sets bad, which stays set: read all, then look once.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const uint8_t *at;
	const uint8_t *end;
	bool bad;
};

static inline struct bytes bytes_of(const void *start, size_t length)
{
	return (struct bytes){ start, (const uint8_t *)start + length, false };
}

static inline size_t bytes_left(const struct bytes *b)
{
	return (size_t)(b->end - b->at);
}

/* The next length bytes, or NULL (and bad).  They stay where they are. */
static inline const void *bytes_take(struct bytes *b, size_t length)
{
	const void *here = b->at;

	if (b->bad || length > bytes_left(b)) {
		b->bad = true;
		return NULL;
	}
	b->at += length;
	return here;
}

/* Copies the next length bytes to out, or clears out (and bad). */
static inline void bytes_get(struct bytes *b, void *out, size_t length)
{
	const void *here = bytes_take(b, length);

	if (here)
		memcpy(out, here, length);
	else
		memset(out, 0, length);
}

#endif
