/* SPDX-License-Identifier: PostgreSQL */
/* Statements, their calls, and each call's figures. */
#include <string.h>

#include "out/put.h"
#include "out/text.h"

static struct text_cursor *cursor_of(struct text_sink *text, const struct pgt_record *head)
{
	uint32_t hash = (head->pid ^ head->cursor * UINT32_C(2654435761)) % TEXT_CURSORS;
	struct text_cursor *slot = &text->cursors[hash];

	if (slot->pid != head->pid || slot->cursor != head->cursor)
		*slot = (struct text_cursor){ .pid = head->pid, .cursor = head->cursor };
	return slot;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The beginning of the statement, on one line: each run of white space is one blank. */
static void remember_sql(struct text_cursor *slot, const char *sql, size_t length)
{
	size_t used = 0, at = 0;

	for (; at < length && used < TEXT_SHORT; at++) {
		if (!is_space(sql[at]))
			slot->sql[used++] = sql[at];
		else if (used && slot->sql[used - 1] != ' ')
			slot->sql[used++] = ' ';
	}
	slot->whole = at == length;
	/* Not in the middle of a character. */
	if (!slot->whole && ((uint8_t)sql[at] & 0xC0) == 0x80) {
		while (used && ((uint8_t)slot->sql[used - 1] & 0xC0) == 0x80)
			used--;
		used -= used > 0;
	}
	slot->length = (uint8_t)used;
	slot->executions = 0;
}

/* The block that PARSE TIME, BINDS and EXEC of a new cursor stand in. */
static void open_block(struct text_sink *text, const struct pgt_record *head)
{
	text_rule(text, '=');
	text_head(text, "PARSE", head);
	text->parse_pid = head->pid;
	text->parse_cursor = head->cursor;
}

void text_statement(struct text_sink *text, const struct trace_event *te)
{
	FILE *out = text->sink.out;
	const struct pgt_text *body = te->event->body;
	size_t length;
	const char *sql = event_text(te->event, &length);

	open_block(text, &te->event->head);
	if (body->query_id) {
		put_str(out, " queryid=");
		put_i64(out, (int64_t)body->query_id);
	}
	put_str(out, "\nSQL: ");
	put_paragraph(out, sql, length, 5);
	putc_unlocked('\n', out);
	if (body->true_length > body->length) {
		put_str(out, "     (cut: ");
		put_u64(out, body->length);
		put_str(out, " of ");
		put_u64(out, body->true_length);
		put_str(out, " bytes)\n");
	}
	remember_sql(cursor_of(text, &te->event->head), sql, length);
}

static const char *const call_names[PGT_CALL_KINDS] = {
	[PGT_CALL_PARSE] = "PARSE",
	[PGT_CALL_PLAN] = "PLAN",
	[PGT_CALL_EXEC] = "EXEC",
	[PGT_CALL_FETCH] = "FETCH",
	[PGT_CALL_CLOSE] = "CLOSE",
};

static const char *call_name(uint32_t call)
{
	return call < PGT_CALL_KINDS && call_names[call] ? call_names[call] : "CALL?";
}

/* "EXEC #3 dep=0 at 2025-... sql="SELECT ..."", the statement from its second execution on. */
static void put_begin(struct text_sink *text, const struct trace_event *te, uint32_t call, uint64_t start_ns)
{
	FILE *out = text->sink.out;
	struct text_cursor *slot = cursor_of(text, &te->event->head);

	text_rule(text, '-');
	text_head(text, call_name(call), &te->event->head);
	put_str(out, " at ");
	text_time(text, te, start_ns);
	if (slot->executions++ && slot->length) {
		put_str(out, " sql=\"");
		put_escaped(out, slot->sql, slot->length, '"');
		put_str(out, slot->whole ? "\"" : "...\"");
	}
	putc_unlocked('\n', out);
}

void text_begin(struct text_sink *text, const struct trace_event *te)
{
	const struct pgt_begin *begin = te->event->body;

	put_begin(text, te, begin->call, te->event->head.time_ns);
}

/* --- the end of a call ------------------------------------------------------ */

static void put_flags(FILE *out, uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const char *text;
	} rows[] = {
		{ PGT_CALL_GENERIC, " plan=generic" },
		{ PGT_CALL_ERROR, " (left by an error)" },
		{ PGT_CALL_OPEN, " (had not ended with the trace)" },
		{ PGT_CALL_ABORTED, " (by the end of a failed transaction)" },
		{ PGT_CALL_LATE, " (the trace began inside)" },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (flags & rows[i].flag)
			put_str(out, rows[i].text);
}

/* " ela=0.012456 sec rows=12 cursor=#3" and what is special. */
static void put_end(struct text_sink *text, const struct trace_event *te, bool rows)
{
	FILE *out = text->sink.out;
	const struct pgt_call *call = te->event->body;

	put_str(out, " ela=");
	if (call->flags & PGT_CALL_NO_START) {
		put_str(out, "unknown");
	} else {
		put_fixed(out, (int64_t)((call->end_ns - call->start_ns + 500) / 1000), 6);
		put_str(out, " sec");
	}
	if (rows && !(call->flags & PGT_CALL_NO_USAGE)) {
		put_str(out, " rows=");
		put_u64(out, call->rows);
	}
	put_str(out, " cursor=#");
	put_u64(out, te->event->head.cursor);
	put_flags(out, call->flags);
	putc_unlocked('\n', out);
}

static void put_part(FILE *out, const char *before, int64_t ns)
{
	put_str(out, before);
	put_fixed(out, ns, 6);
}

static void put_waits(FILE *out, const char *before, uint64_t waits, const char *after)
{
	put_str(out, before);
	put_u64(out, waits);
	put_str(out, after);
}

/* The line adds up to the last digit: every figure is whole nanoseconds, shown as milliseconds. */
static void put_account(struct text_sink *text, const struct trace_event *te)
{
	FILE *out = text->sink.out;
	const struct account *account = te->account;

	if (!account)
		return;
	put_str(out, "ACCOUNT #");
	put_u64(out, te->event->head.cursor);
	put_part(out, ": ela=", account->elapsed_ns);
	put_str(out, " ms =");
	if (account->known_cpu) {
		put_part(out, " cpu=", account->cpu_ns);
		put_part(out, " + runqueue=", account->runqueue_ns);
	}
	if (account->known_waits)
		put_part(out, account->known_cpu ? " + wait=" : " wait=", account->wait_ns);
	if (account->known_waits && account->known_cpu)
		put_part(out, " - overlap=", account->overlap_ns);
	put_part(out, account->known_cpu || account->known_waits ? " + rest=" : " rest=", account->rest_ns);
	if (account->known_waits)
		put_waits(out, account->cut_waits ? " waits>=" : " waits=", account->waits, "");
	else
		put_str(out, " (waits not traced)");
	if (!account->known_cpu)
		put_str(out, " (cpu and runqueue not measured)");
	if (account->self_waits != account->waits) {
		put_waits(out, " self: waits=", account->self_waits, "");
		put_part(out, " wait=", account->self_wait_ns);
	}
	putc_unlocked('\n', out);
}

struct figure {
	const char *label;
	int64_t value;
	unsigned int decimals;
};

/* "  LOCAL STATS: cr=1 pr=1": count figures in one line, left out when all are zero. */
static void put_figures(FILE *out, const char *label, const struct figure *figures, size_t count, bool always)
{
	int64_t any = always;
	size_t i;

	for (i = 0; i < count; i++)
		any |= figures[i].value;
	if (!any)
		return;
	put_str(out, label);
	for (i = 0; i < count; i++) {
		put_str(out, figures[i].label);
		put_fixed(out, figures[i].value, figures[i].decimals);
	}
	putc_unlocked('\n', out);
}

/* As Oracle's cr: every block that was looked at, from the cache or not. */
static int64_t looked_at(int64_t hit, int64_t read)
{
	return (int64_t)((uint64_t)hit + (uint64_t)read);
}

static void put_usage(FILE *out, const struct pgt_usage *u)
{
	const struct figure shared[] = {
		{ " cr=", looked_at(u->shared_hit, u->shared_read), 0 },
		{ " pr=", u->shared_read, 0 },
		{ " pw=", u->shared_written, 0 },
		{ " dirtied=", u->shared_dirtied, 0 },
	};
	const struct figure local[] = {
		{ " cr=", looked_at(u->local_hit, u->local_read), 0 },
		{ " pr=", u->local_read, 0 },
		{ " pw=", u->local_written, 0 },
		{ " dirtied=", u->local_dirtied, 0 },
	};
	const struct figure temp[] = { { " pr=", u->temp_read, 0 }, { " pw=", u->temp_written, 0 } };
	const struct figure io[] = { { " read=", u->io_read_ns, 6 }, { " write=", u->io_write_ns, 6 } };
	const struct figure wal[] = {
		{ " records=", u->wal_records, 0 }, { " fpi=", u->wal_fpi, 0 }, { " bytes=", u->wal_bytes, 0 }
	};

	put_figures(out, "  BUFFER STATS:", shared, 4, true);
	put_figures(out, "  LOCAL STATS:", local, 4, false);
	put_figures(out, "  TEMP STATS:", temp, 2, false);
	put_figures(out, "  IO TIME (ms):", io, 2, false);
	put_figures(out, "  WAL STATS:", wal, 3, false);
}

static void put_stats(struct text_sink *text, const struct trace_event *te)
{
	FILE *out = text->sink.out;
	const struct pgt_call *call = te->event->body;

	if (call->flags & PGT_CALL_NO_USAGE)
		return;
	text_rule(text, '-');
	put_str(out, "STATS #");
	put_u64(out, te->event->head.cursor);
	put_str(out, ":\n");
	put_usage(out, &call->usage);
}

/* EXEC and FETCH: announced by a BEGIN, with rows and buffers. */
static void end_run(struct text_sink *text, const struct trace_event *te)
{
	const struct pgt_call *call = te->event->body;

	if (!te->begun)
		put_begin(text, te, call->call, call->start_ns);
	put_str(text->sink.out, call_name(call->call));
	put_str(text->sink.out, " TIME:");
	put_end(text, te, true);
	put_account(text, te);
	put_stats(text, te);
}

/* PARSE and PLAN: two moments. */
static void end_phase(struct text_sink *text, const struct trace_event *te)
{
	FILE *out = text->sink.out;
	const struct pgt_record *head = &te->event->head;
	const struct pgt_call *call = te->event->body;

	if (call->call == PGT_CALL_PARSE && (text->parse_pid != head->pid || text->parse_cursor != head->cursor)) {
		open_block(text, head);
		putc_unlocked('\n', out);
	}
	put_str(out, call_name(call->call));
	put_str(out, " TIME: ");
	if (call->flags & PGT_CALL_NO_START)
		put_str(out, "?");
	else
		text_time(text, te, call->start_ns);
	put_str(out, " to ");
	text_time(text, te, call->end_ns);
	put_end(text, te, false);
	put_account(text, te);
}

static void end_close(struct text_sink *text, const struct trace_event *te)
{
	const struct pgt_call *call = te->event->body;

	text_rule(text, '-');
	text_head(text, call_name(call->call), &te->event->head);
	put_str(text->sink.out, " at ");
	text_time(text, te, call->start_ns);
	put_end(text, te, false);
	put_account(text, te);
}

void text_call(struct text_sink *text, const struct trace_event *te)
{
	static void (*const ends[PGT_CALL_KINDS])(struct text_sink *, const struct trace_event *) = {
		[PGT_CALL_PARSE] = end_phase,
		[PGT_CALL_PLAN] = end_phase,
		[PGT_CALL_EXEC] = end_run,
		[PGT_CALL_FETCH] = end_run,
		[PGT_CALL_CLOSE] = end_close,
	};
	uint32_t call = ((const struct pgt_call *)te->event->body)->call;

	(call < PGT_CALL_KINDS && ends[call] ? ends[call] : end_close)(text, te);
}
