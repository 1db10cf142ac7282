/* SPDX-License-Identifier: PostgreSQL */
/* The box at the head of a session, what is said between its calls, and the last lines. */
#include <stdlib.h>
#include <string.h>

#include "out/put.h"
#include "out/text.h"

/* A clock that is slewed moves by half a millisecond a second at most; this was set. */
#define CLOCK_JUMP_US 10000

static void stars(FILE *out)
{
	put_str(out, "***********************************************************************\n");
}

static void put_named(FILE *out, const char *label, const char *value)
{
	put_str(out, label);
	if (*value)
		put_escaped(out, value, strlen(value), '"');
	else
		put_str(out, "-");
}

static void put_level(FILE *out, uint32_t level)
{
	static const struct {
		uint32_t bit;
		const char *text;
	} rows[] = {
		{ PGT_LEVEL_BINDS, "binds" },
		{ PGT_LEVEL_WAITS, "waits" },
		{ PGT_LEVEL_STAT_EVERY, "plan statistics of every execution" },
		{ PGT_LEVEL_STAT_NEVER, "no plan statistics" },
		{ PGT_LEVEL_STAT_ADAPTIVE, "plan statistics again each minute" },
	};
	size_t i;

	put_u64(out, level);
	put_str(out, " (calls");	/* of any level */
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (level & rows[i].bit) {
			put_str(out, ", ");
			put_str(out, rows[i].text);
		}
	put_str(out, ")\n");
}

static void put_identity(FILE *out, const struct session *session)
{
	const struct pgt_session *info = &session->info;

	put_str(out, "*** PID: ");
	put_u64(out, session->pid);
	if (info->leader_pid) {
		put_str(out, " (parallel worker of ");
		put_u64(out, info->leader_pid);
		put_str(out, ")");
	}
	put_named(out, "\n*** Server: PostgreSQL ", info->server_version);
	put_named(out, "\n*** Session: database=", info->database);
	put_named(out, " user=", info->user_name);
	put_named(out, " application=", info->application);
	put_named(out, " client=", info->client);
	put_str(out, "\n*** Level: ");
	put_level(out, info->level);
}

/* What a reader must know to read the figures right. */
static void put_sources(FILE *out, const struct session *session)
{
	put_str(out, "***\n");
	if (session->info.flags & PGT_SESSION_NO_EXTENSION)
		put_str(out, "*** Note: pg_trace is not loaded in this session: its statements were seen by a probe,\n"
			     "***       without binds, plans, rows, buffers, CPU and nested SQL\n");
	if (!session->has_waits) {
		put_str(out, "*** Note: Waits are not in this trace; pgtrace-perf adds them while the session runs\n"
			     "***       Run: sudo pgtrace-perf --pid ");
		put_u64(out, session->pid);
		put_str(out, "\n");
	}
	put_str(out, "*** Figures of a call include the calls nested in it (dep=); of a plan node, its children and\n"
		     "*** all its loops.  WAIT #0 lies between calls.  ACCOUNT adds up exactly: overlap is CPU and run\n"
		     "*** queue inside waits, which stand in both; rest is sleep that no wait explains.\n");
}

/* The same session again, as another source describes it. */
static void session_again(struct text_sink *text, const struct trace_event *te)
{
	put_identity(text->sink.out, te->session);
	put_str(text->sink.out, "\n");
}

void text_session(struct text_sink *text, const struct trace_event *te)
{
	FILE *out = text->sink.out;

	if (text->in_session && te->session->pid == text->pid) {
		session_again(text, te);
		return;
	}
	text->in_session = true;
	text->any_session = true;
	text->pid = te->session->pid;
	stars(out);
	put_str(out, "*** PostgreSQL Session Trace\n");
	put_identity(out, te->session);
	put_str(out, "*** Start: ");
	text_time(text, te, te->event->head.time_ns);
	put_str(out, "+00\n");
	if (out != stdout) {
		put_str(out, "*** File: ");
		put_escaped(out, text->sink.path, strlen(text->sink.path), '"');
		put_str(out, "\n");
	}
	put_sources(out, te->session);
	stars(out);
	put_str(out, "\n");
	text->has_offset = true;
	text->offset_us = te->session->wall_offset_us;
}

void text_turn(struct text_sink *text, const struct trace_event *te)
{
	FILE *out = text->sink.out;
	uint32_t pid = te->session->pid;
	bool turned = text->any_session && pid != text->pid;

	if (!pid || te->event->head.kind == PGT_SESSION)
		return;
	text->any_session = true;
	text->pid = pid;
	if (!turned)
		return;
	put_str(out, "*** PID: ");
	put_u64(out, pid);
	put_str(out, " tim=");
	text_time(text, te, te->event->head.time_ns);
	put_str(out, "\n");
	text->parse_pid = 0;
}

void text_clock(struct text_sink *text, const struct trace_event *te)
{
	FILE *out = text->sink.out;
	int64_t offset = te->session->wall_offset_us;
	int64_t moved = (int64_t)((uint64_t)offset - (uint64_t)text->offset_us);

	if (text->has_offset && (moved > CLOCK_JUMP_US || moved < -CLOCK_JUMP_US)) {
		put_str(out, "*** Clock: the wall clock was set by ");
		put_fixed(out, moved, 6);
		put_str(out, " sec and is now ");
		text_time(text, te, te->event->head.time_ns);
		put_str(out, "+00\n");
	}
	text->has_offset = true;
	text->offset_us = offset;
}

void text_loss(struct text_sink *text, const struct trace_event *te)
{
	static const char *const reasons[PGT_LOSS_REASONS] = {
		[PGT_LOSS_NO_SPACE] = "records, no room on the file system",
		[PGT_LOSS_SIZE_LIMIT] = "records, pg_trace.max_file_size was reached",
		[PGT_LOSS_IO] = "records, the record file failed",
		[PGT_LOSS_RING] = "samples, the ring was full: waits or statements are missing",
		[PGT_LOSS_BAD_SAMPLE] = "samples that make no sense",
		[PGT_LOSS_BAD_RECORD] = "records, a record file is damaged from here",
		[PGT_LOSS_LATE] = "events came late and stand out of order",
		[PGT_LOSS_UNTOLD] = "records, counted by the record file alone",
	};
	FILE *out = text->sink.out;
	const struct pgt_loss *loss = te->event->body;
	const char *reason = loss->reason < PGT_LOSS_REASONS ? reasons[loss->reason] : NULL;

	put_str(out, "LOSS: ");
	put_u64(out, loss->count);
	put_str(out, " ");
	put_str(out, reason ? reason : "of an unknown kind");
	if (loss->bytes) {
		put_str(out, " (");
		put_u64(out, loss->bytes);
		put_str(out, " bytes)");
	}
	put_str(out, " tim=");
	text_time(text, te, te->event->head.time_ns);
	if (event_loss_until(te->event)) {
		put_str(out, " to ");
		text_time(text, te, event_loss_until(te->event));
	}
	put_str(out, "\n");
}

void text_note(struct text_sink *text, const struct trace_event *te)
{
	FILE *out = text->sink.out;
	size_t length;
	const char *note = event_text(te->event, &length);

	put_str(out, "*** Note: ");
	put_escaped(out, note, length, '"');
	put_str(out, "\n");
}

void text_session_end(struct text_sink *text, const struct trace_event *te)
{
	static const char *const reasons[] = {
		[PGT_END_STOPPED] = "the trace was stopped",
		[PGT_END_EXIT] = "the backend left",
		[PGT_END_KILLED] = "the backend died",
		[PGT_END_COLLECTOR_GONE] = "the collector that asked for it was gone",
		[PGT_END_GONE] = "the backend has ended",
	};
	FILE *out = text->sink.out;
	const struct session *session = te->session;
	uint32_t reason = ((const struct pgt_end *)te->event->body)->reason;
	bool known = reason >= PGT_END_STOPPED && reason <= PGT_END_GONE;

	text->in_session = false;
	text_rule(text, '=');
	put_str(out, "*** End of PID ");
	put_u64(out, session->pid);
	put_str(out, " at ");
	text_time(text, te, te->event->head.time_ns);
	put_str(out, "+00: ");
	put_str(out, known ? reasons[reason] : "?");
	put_str(out, "\n***   statements=");
	put_u64(out, session->statements);
	put_str(out, " calls=");
	put_u64(out, session->calls);
	put_str(out, " waits=");
	put_u64(out, session->waits);
	put_str(out, " waited=");
	put_fixed(out, session->wait_ns / 1000, 6);
	put_str(out, " sec\n");
}

static bool put_lost(FILE *out, const struct trace_totals *totals)
{
	const struct {
		uint64_t count;
		const char *text;
	} rows[] = {
		{ totals->lost_samples, "samples lost: waits are missing" },
		{ totals->dropped_records, "records dropped: statements or their parts are missing" },
		{ totals->bad_records, "places of damage: what was behind them is missing" },
		{ totals->late_events, "events late: shown out of order" },
		{ totals->cut_values, "texts or values cut" },
		{ totals->failed_values, "values that could not be made text" },
		{ totals->unknown_records, "records of a kind unknown to this program" },
	};
	bool any = false;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].count) {
			put_str(out, "*** ");
			put_u64(out, rows[i].count);
			put_str(out, " ");
			put_str(out, rows[i].text);
			put_str(out, "\n");
			any = true;
		}
	return any;
}

void text_totals(struct text_sink *text, const struct trace_totals *totals)
{
	FILE *out = text->sink.out;

	stars(out);
	put_str(out, "*** sessions=");
	put_u64(out, totals->sessions);
	put_str(out, " statements=");
	put_u64(out, totals->statements);
	put_str(out, " calls=");
	put_u64(out, totals->calls);
	put_str(out, " waits=");
	put_u64(out, totals->waits);
	put_str(out, " time=");
	put_fixed(out, (int64_t)(((uint64_t)totals->last_ns - (uint64_t)totals->first_ns) / 1000), 6);
	put_str(out, " sec\n");
	if (!put_lost(out, totals))
		put_str(out, "*** Nothing was lost.\n");
	put_str(out, "*** End of trace\n");
	stars(out);
}
