/* SPDX-License-Identifier: PostgreSQL */
#include "out/jsonw.h"

#include <math.h>
#include <string.h>

#include "out/put.h"

static void begin_value(struct jsonw *w, const char *key)
{
	if (w->comma)
		putc_unlocked(',', w->out);
	w->comma = true;
	if (!key)
		return;
	putc_unlocked('"', w->out);
	put_str(w->out, key);
	put_str(w->out, "\":");
}

void json_open(struct jsonw *w, const char *key, char bracket)
{
	begin_value(w, key);
	putc_unlocked(bracket, w->out);
	w->comma = false;
}

void json_close(struct jsonw *w, char bracket)
{
	putc_unlocked(bracket, w->out);
	w->comma = true;
}

void json_u64(struct jsonw *w, const char *key, uint64_t value)
{
	begin_value(w, key);
	put_u64(w->out, value);
}

void json_i64(struct jsonw *w, const char *key, int64_t value)
{
	begin_value(w, key);
	put_i64(w->out, value);
}

void json_double(struct jsonw *w, const char *key, double value)
{
	if (!isfinite(value)) {
		json_null(w, key);
		return;
	}
	begin_value(w, key);
	fprintf(w->out, "%.17g", value);
}

void json_bool(struct jsonw *w, const char *key, bool value)
{
	begin_value(w, key);
	put_str(w->out, value ? "true" : "false");
}

void json_null(struct jsonw *w, const char *key)
{
	begin_value(w, key);
	put_str(w->out, "null");
}

/* One byte that cannot stand as it is. */
static void put_special(FILE *out, char c)
{
	if (c == '\'')
		putc_unlocked(c, out);
	else if (c == '"' || c == '\\')
		fprintf(out, "\\%c", c);
	else if (c == '\n')
		put_str(out, "\\n");
	else if ((uint8_t)c < 0x80)
		fprintf(out, "\\u%04x", (unsigned int)(uint8_t)c);
	else
		put_str(out, "\\ufffd");
}

void json_text(struct jsonw *w, const char *key, const char *text, size_t length)
{
	size_t run;

	begin_value(w, key);
	putc_unlocked('"', w->out);
	while (length) {
		run = plain_run(text, length);
		/* plain_run stops at U+0080 to U+009F, which JSON may hold. */
		if (!run && (uint8_t)*text == 0xC2 && utf8_length(text, length))
			run = 2;
		put_bytes(w->out, text, run);
		text += run;
		length -= run;
		if (!run) {
			put_special(w->out, *text++);
			length--;
		}
	}
	putc_unlocked('"', w->out);
}

void json_str(struct jsonw *w, const char *key, const char *text)
{
	json_text(w, key, text, strlen(text));
}
