/* SPDX-License-Identifier: PostgreSQL */
#include "out/put.h"

#include <string.h>

#include "base/clock.h"

#define SPACES "                                                                                "

void put_bytes(FILE *out, const void *bytes, size_t length)
{
	fwrite_unlocked(bytes, 1, length, out);
}

void put_str(FILE *out, const char *text)
{
	put_bytes(out, text, strlen(text));
}

/* Writes value so that it ends before end, with at least digits digits.  Its first character. */
static char *digits_before(char *end, uint64_t value, unsigned int digits)
{
	for (; value || digits; value /= 10, digits -= digits > 0)
		*--end = (char)('0' + value % 10);
	return end;
}

void put_u64(FILE *out, uint64_t value)
{
	char text[20];
	char *at = digits_before(text + sizeof(text), value, 1);

	put_bytes(out, at, (size_t)(text + sizeof(text) - at));
}

void put_i64(FILE *out, int64_t value)
{
	put_fixed(out, value, 0);
}

void put_fixed(FILE *out, int64_t value, unsigned int decimals)
{
	uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;
	char text[24], *at = text + sizeof(text);
	unsigned int i;

	for (i = 0; i < decimals; i++, magnitude /= 10)
		*--at = (char)('0' + magnitude % 10);
	if (decimals)
		*--at = '.';
	at = digits_before(at, magnitude, 1);
	if (value < 0)
		*--at = '-';
	put_bytes(out, at, (size_t)(text + sizeof(text) - at));
}

void put_wall(FILE *out, int64_t wall_us)
{
	/* Second 0 is as good as any to begin with. */
	static char text[CLOCK_TEXT_SIZE];
	static int64_t second = -1;
	int64_t now = wall_us / 1000000, micro = wall_us % 1000000;

	if (micro < 0 || now != second || !text[0]) {
		clock_format(wall_us, text);
		second = micro < 0 ? -1 : now;
		/* A year that the calendar cannot show has another form. */
		if (strlen(text) != sizeof("2025-11-05 10:30:15.128123") - 1)
			second = -1;
	} else {
		digits_before(text + sizeof("2025-11-05 10:30:15.128123") - 1, (uint64_t)micro, 6);
	}
	put_str(out, text);
}

size_t utf8_length(const char *text, size_t left)
{
	const uint8_t *s = (const uint8_t *)text;
	size_t length = s[0] < 0x80 ? 1 : s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : s[0] < 0xF5 ? 4 : 0;
	size_t i;

	if (length > left)
		return 0;
	for (i = 1; i < length; i++)
		if ((s[i] & 0xC0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, and beyond U+10FFFF. */
	if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) || (s[0] == 0xF0 && s[1] < 0x90) ||
	    (s[0] == 0xF4 && s[1] > 0x8F))
		return 0;
	return length;
}

/* Bytes of the character at text if it can be shown as it is, else 0. */
static size_t shown_length(const char *text, size_t left)
{
	const uint8_t *s = (const uint8_t *)text;

	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7F;
	/* U+0080 to U+009F steer terminals, as the first 32 do. */
	if (s[0] == 0xC2 && left > 1 && s[1] < 0xA0)
		return 0;
	return utf8_length(text, left);
}

size_t plain_run(const char *text, size_t length)
{
	size_t at = 0, step;

	while (at < length && text[at] != '\\' && text[at] != '"' && text[at] != '\'') {
		step = shown_length(text + at, length - at);
		if (!step)
			break;
		at += step;
	}
	return at;
}

static void put_hex(FILE *out, char c)
{
	static const char digit[] = "0123456789abcdef";
	char text[4] = { '\\', 'x', digit[(uint8_t)c >> 4], digit[(uint8_t)c & 15] };

	put_bytes(out, text, sizeof(text));
}

static void put_escape(FILE *out, char c, char quote)
{
	static const char letters[] = "\nn\tt\rr\\\\";
	const char *letter = letters;

	while (*letter && *letter != c)
		letter += 2;
	if (*letter && c) {
		putc_unlocked('\\', out);
		putc_unlocked(letter[1], out);
	} else if (c == '"' || c == '\'') {
		if (c == quote)
			putc_unlocked('\\', out);
		putc_unlocked(c, out);
	} else {
		put_hex(out, c);
	}
}

void put_escaped(FILE *out, const char *text, size_t length, char quote)
{
	size_t run;

	while (length) {
		run = plain_run(text, length);
		put_bytes(out, text, run);
		text += run;
		length -= run;
		if (length) {
			put_escape(out, *text++, quote);
			length--;
		}
	}
}

/* As plain_run, but for what means something only in quotes; tabs stay too. */
static size_t paragraph_run(const char *text, size_t length)
{
	size_t at = 0, step;

	while (at < length) {
		step = text[at] == '\t' ? 1 : shown_length(text + at, length - at);
		if (!step)
			break;
		at += step;
	}
	return at;
}

void put_paragraph(FILE *out, const char *text, size_t length, unsigned int indent)
{
	size_t run;

	while (length) {
		run = paragraph_run(text, length);
		put_bytes(out, text, run);
		text += run;
		length -= run;
		if (!length)
			break;
		if (*text == '\n') {
			putc_unlocked('\n', out);
			put_bytes(out, SPACES, indent < sizeof(SPACES) ? indent : sizeof(SPACES) - 1);
		} else if (*text != '\r' || length < 2 || text[1] != '\n') {
			put_hex(out, *text);
		}
		text++;
		length--;
	}
}
