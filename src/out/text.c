/* SPDX-License-Identifier: PostgreSQL */
#include "out/text.h"

#include <string.h>

#include "out/object.h"
#include "out/put.h"

#define RULE_WIDTH 69

void text_rule(struct text_sink *text, char c)
{
	char line[RULE_WIDTH + 1];

	memset(line, c, RULE_WIDTH);
	line[RULE_WIDTH] = '\n';
	put_bytes(text->sink.out, line, sizeof(line));
}

void text_head(struct text_sink *text, const char *what, const struct pgt_record *head)
{
	FILE *out = text->sink.out;

	put_str(out, what);
	put_str(out, " #");
	put_u64(out, head->cursor);
	put_str(out, " dep=");
	put_u64(out, head->depth);
}

void text_time(struct text_sink *text, const struct trace_event *te, uint64_t time_ns)
{
	put_wall(text->sink.out, session_wall_us(te->session, time_ns));
}

static void put_oid(FILE *out, const char *name, uint32_t oid)
{
	put_str(out, name);
	put_u64(out, oid);
}

/* What stands where a value would. */
static bool put_missing_value(FILE *out, uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const char *text;
	} rows[] = {
		{ PGT_BIND_NULL, "NULL" },
		{ PGT_BIND_REDACTED, "<redacted>" },
		{ PGT_BIND_FAILED, "<failed: the type's output function raised an error>" },
		{ PGT_BIND_UNSET, "<unset>" },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (flags & rows[i].flag) {
			put_str(out, rows[i].text);
			return true;
		}
	return false;
}

static void put_bind(FILE *out, uint64_t number, const struct pgt_bind *bind, const char *value)
{
	put_str(out, " Bind#");
	put_u64(out, number);
	put_oid(out, "\n  oacdty=", bind->type_oid);
	put_str(out, " value=");
	if (!put_missing_value(out, bind->flags)) {
		putc_unlocked('"', out);
		put_escaped(out, value, bind->length, '"');
		putc_unlocked('"', out);
	}
	if (bind->flags & PGT_BIND_CUT) {
		put_str(out, " avl=");
		put_u64(out, bind->true_length);
		put_str(out, " (cut to ");
		put_u64(out, bind->length);
		put_str(out, " bytes)");
	}
	putc_unlocked('\n', out);
}

static void text_binds(struct text_sink *text, const struct trace_event *te)
{
	FILE *out = text->sink.out;
	struct pgt_bind bind;
	const char *value;
	uint64_t number = 0;
	size_t at = 0;

	text_rule(text, '-');
	put_str(out, "BINDS #");
	put_u64(out, te->event->head.cursor);
	put_str(out, ":\n");
	while (event_next_bind(te->event, &at, &bind, &value))
		put_bind(out, number++, &bind, value);
}

static void put_object(FILE *out, const struct trace_event *te)
{
	struct object_param params[OBJECT_PARAMS];
	size_t count = object_params(te, params), i;

	for (i = 0; i < count; i++) {
		putc_unlocked(' ', out);
		put_str(out, params[i].name);
		putc_unlocked('=', out);
		if (params[i].is_number)
			put_i64(out, params[i].number);
		else
			put_escaped(out, params[i].text, strlen(params[i].text), '\'');
	}
}

static void text_wait(struct text_sink *text, const struct trace_event *te)
{
	FILE *out = text->sink.out;
	const struct pgt_record *head = &te->event->head;
	const struct pgt_wait *wait = te->event->body;

	put_str(out, "WAIT #");
	put_u64(out, te->call_cursor);
	put_str(out, ": nam='");
	if (!strcmp(te->wait_name, "?"))
		fprintf(out, "unknown(0x%08X)", wait->event);
	else
		put_escaped(out, te->wait_name, strlen(te->wait_name), '\'');
	put_str(out, "' ela=");
	put_u64(out, (head->time_ns - wait->start_ns + 500) / 1000);
	put_str(out, " us");
	if (te->object)
		put_object(out, te);
	put_str(out, " tim=");
	text_time(text, te, head->time_ns);
	put_str(out, " type=");
	put_escaped(out, te->wait_type, strlen(te->wait_type), '\'');
	if (wait->flags & PGT_WAIT_NO_START)
		put_str(out, " (began before the trace)");
	if (wait->flags & PGT_WAIT_OPEN)
		put_str(out, " (had not ended)");
	putc_unlocked('\n', out);
}

/* How long ago, in seconds. */
static void put_age(FILE *out, const char *name, const struct trace_event *te, int64_t start_us)
{
	int64_t age = session_wall_us(te->session, te->event->head.time_ns) - start_us;

	if (!start_us)
		return;
	put_str(out, name);
	put_fixed(out, age > 0 ? age : 0, 6);
	put_str(out, " sec");
}

static void text_blocker(struct text_sink *text, const struct trace_event *te)
{
	FILE *out = text->sink.out;
	const struct pgt_blocker *blocker = te->event->body;
	size_t length;
	const char *sql = event_text(te->event, &length);

	put_oid(out, "BLOCKER: pid=", blocker->pid);
	put_str(out, blocker->flags & PGT_BLOCKER_AHEAD ? " waits ahead" : " holds the lock");
	if (!blocker->pid) {
		put_str(out, " (a prepared transaction)");
	} else if (blocker->flags & PGT_BLOCKER_KNOWN) {
		put_str(out, ", ");
		put_str(out, backend_state_name(te->session->info.server_version_num, blocker->state));
		put_age(out, " xact=", te, blocker->xact_start_us);
		put_age(out, " statement=", te, blocker->statement_start_us);
		put_str(out, " sql=\"");
		put_escaped(out, sql, length, '"');
		put_str(out, "\"");
	}
	put_str(out, " tim=");
	text_time(text, te, te->event->head.time_ns);
	putc_unlocked('\n', out);
}

static void text_xact(struct text_sink *text, const struct trace_event *te)
{
	static const char *const names[] = {
		[PGT_XACT_COMMIT] = "COMMIT",
		[PGT_XACT_ROLLBACK] = "ROLLBACK",
		[PGT_XACT_PREPARE] = "PREPARE TRANSACTION",
		[PGT_XACT_SUBCOMMIT] = "RELEASE",
		[PGT_XACT_SUBROLLBACK] = "ROLLBACK TO",
	};
	FILE *out = text->sink.out;
	const struct pgt_xact *xact = te->event->body;
	bool known = xact->event >= PGT_XACT_COMMIT && xact->event <= PGT_XACT_SUBROLLBACK;

	put_str(out, "XACT ");
	put_str(out, known ? names[xact->event] : "?");
	put_oid(out, " xid=", xact->xid);
	if (xact->subxact)
		put_oid(out, " sub=", xact->subxact);
	put_str(out, " tim=");
	text_time(text, te, te->event->head.time_ns);
	putc_unlocked('\n', out);
}

static void text_error(struct text_sink *text, const struct trace_event *te)
{
	FILE *out = text->sink.out;
	const struct pgt_error *error = te->event->body;
	size_t length;
	const char *message = event_text(te->event, &length);

	text_rule(text, '-');
	put_str(out, "ERROR #");
	put_u64(out, te->event->head.cursor);
	put_str(out, ": SQLSTATE ");
	put_escaped(out, error->sqlstate, strnlen(error->sqlstate, sizeof(error->sqlstate)), '"');
	put_str(out, " \"");
	put_escaped(out, message, length, '"');
	put_str(out, "\"");
	if (error->position > 0) {
		put_str(out, " position=");
		put_u64(out, (uint64_t)error->position);
	}
	put_str(out, " tim=");
	text_time(text, te, te->event->head.time_ns);
	putc_unlocked('\n', out);
	message = event_error_statement(te->event, &length);
	if (length) {
		put_str(out, "SQL: ");
		put_paragraph(out, message, length, 5);
		putc_unlocked('\n', out);
	}
}

static void (*const writers[PGT_KINDS])(struct text_sink *text, const struct trace_event *te) = {
	[PGT_SESSION] = text_session,
	[PGT_TEXT]    = text_statement,
	[PGT_BEGIN]   = text_begin,
	[PGT_CALL]    = text_call,
	[PGT_BINDS]   = text_binds,
	[PGT_PLAN]    = text_plan,
	[PGT_XACT]    = text_xact,
	[PGT_ERROR]   = text_error,
	[PGT_CLOCK]   = text_clock,
	[PGT_LOSS]    = text_loss,
	[PGT_WAIT]    = text_wait,
	[PGT_NOTE]    = text_note,
	[PGT_END]     = text_session_end,
	[PGT_WATCH]   = text_note,
	[PGT_BLOCKER] = text_blocker,
};

static void text_event(struct sink *sink, const struct trace_event *te)
{
	struct text_sink *text = (struct text_sink *)sink;
	uint8_t kind = te->event->head.kind;

	if (kind >= PGT_KINDS || !writers[kind])
		return;
	text_turn(text, te);
	writers[kind](text, te);
}

static void text_end(struct sink *sink, const struct trace_totals *totals)
{
	text_totals((struct text_sink *)sink, totals);
}

const struct sink_ops text_ops = {
	.name = "text",
	.suffix = ".trc",
	.size = sizeof(struct text_sink),
	.event = text_event,
	.end = text_end,
};
