/* SPDX-License-Identifier: PostgreSQL */
/*
 * One JSON object a line.  The first line names the format and its version, then each event is an object with
 * kind, pid, cursor, depth, time_ns (CLOCK_MONOTONIC) and time (wall clock, UTC); the last line has the
 * totals, so that a file without it was cut.  Times in names ending in _ns are nanoseconds.  Figures that were
 * not measured are left out.
 */
#include <string.h>

#include "out/jsonw.h"
#include "out/object.h"
#include "out/put.h"
#include "out/text.h"

#define JSON_VERSION 1

static void json_name(struct jsonw *w, const char *key, const char *const *names, size_t count, uint32_t value)
{
	if (value < count && names[value])
		json_str(w, key, names[value]);
	else
		json_u64(w, key, value);
}

#define NAMED(w, key, names, value) json_name(w, key, names, sizeof(names) / sizeof((names)[0]), value)

struct flag_name {
	uint32_t flag;
	const char *name;
};

/* The flags that are set, by name, in an array. */
static void json_flags(struct jsonw *w, const char *key, const struct flag_name *names, uint32_t flags)
{
	json_open(w, key, '[');
	for (; names->name; names++)
		if (flags & names->flag)
			json_str(w, NULL, names->name);
	json_close(w, ']');
}

static void json_field(struct jsonw *w, const char *key, const char *field)
{
	json_text(w, key, field, strnlen(field, PGT_NAME_SIZE));
}

static void json_session(struct jsonw *w, const struct trace_event *te)
{
	const struct pgt_session *info = te->event->body;

	json_u64(w, "leader_pid", info->leader_pid);
	json_u64(w, "server_version_num", info->server_version_num);
	json_field(w, "server_version", info->server_version);
	json_u64(w, "level", info->level);
	json_u64(w, "database_oid", info->database_oid);
	json_field(w, "database", info->database);
	json_u64(w, "user_oid", info->user_oid);
	json_field(w, "user", info->user_name);
	json_field(w, "application", info->application);
	json_field(w, "client", info->client);
	json_bool(w, "extension", !(info->flags & PGT_SESSION_NO_EXTENSION));
	json_bool(w, "waits_traced", te->session->has_waits);
}

static void json_wait_names(struct jsonw *w, const struct trace_event *te)
{
	struct pgt_wait_name name;
	const char *text;
	size_t at = 0;

	json_open(w, "names", '[');
	while (event_next_wait_name(te->event, &at, &name, &text)) {
		json_open(w, NULL, '{');
		json_u64(w, "event", name.event);
		json_text(w, "type", text, name.type_length);
		json_text(w, "name", text + name.type_length, name.name_length);
		json_close(w, '}');
	}
	json_close(w, ']');
}

static void json_statement(struct jsonw *w, const struct trace_event *te)
{
	const struct pgt_text *body = te->event->body;
	size_t length;
	const char *sql = event_text(te->event, &length);

	json_i64(w, "query_id", (int64_t)body->query_id);
	json_u64(w, "command", body->command);
	json_u64(w, "true_length", body->true_length);
	json_text(w, "sql", sql, length);
}

static const char *const call_names[] = {
	[PGT_CALL_PARSE] = "parse",
	[PGT_CALL_PLAN] = "plan",
	[PGT_CALL_EXEC] = "exec",
	[PGT_CALL_FETCH] = "fetch",
	[PGT_CALL_CLOSE] = "close",
};

static const struct flag_name call_flags[] = {
	{ PGT_CALL_UTILITY, "utility" },
	{ PGT_CALL_ERROR, "error" },
	{ PGT_CALL_OPEN, "open" },
	{ PGT_CALL_NO_START, "no_start" },
	{ PGT_CALL_NO_CPU, "no_cpu" },
	{ PGT_CALL_NO_USAGE, "no_usage" },
	{ PGT_CALL_GENERIC, "generic" },
	{ PGT_CALL_ABORTED, "aborted" },
	{ PGT_CALL_LATE, "late" },
	{ 0, NULL }
};

static void json_begin(struct jsonw *w, const struct trace_event *te)
{
	const struct pgt_begin *begin = te->event->body;

	NAMED(w, "call", call_names, begin->call);
	json_flags(w, "flags", call_flags, begin->flags);
}

static void json_usage(struct jsonw *w, const struct pgt_usage *u)
{
	const struct {
		const char *key;
		int64_t value;
	} rows[] = {
		{ "shared_hit", u->shared_hit },
		{ "shared_read", u->shared_read },
		{ "shared_dirtied", u->shared_dirtied },
		{ "shared_written", u->shared_written },
		{ "local_hit", u->local_hit },
		{ "local_read", u->local_read },
		{ "local_dirtied", u->local_dirtied },
		{ "local_written", u->local_written },
		{ "temp_read", u->temp_read },
		{ "temp_written", u->temp_written },
		{ "io_read_ns", u->io_read_ns },
		{ "io_write_ns", u->io_write_ns },
		{ "wal_records", u->wal_records },
		{ "wal_fpi", u->wal_fpi },
		{ "wal_bytes", u->wal_bytes },
	};
	size_t i;

	json_open(w, "usage", '{');
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		json_i64(w, rows[i].key, rows[i].value);
	json_close(w, '}');
}

static void json_account(struct jsonw *w, const struct account *account)
{
	json_open(w, "account", '{');
	json_i64(w, "elapsed_ns", account->elapsed_ns);
	if (account->known_cpu) {
		json_i64(w, "cpu_ns", account->cpu_ns);
		json_i64(w, "runqueue_ns", account->runqueue_ns);
	}
	if (account->known_waits)
		json_i64(w, "wait_ns", account->wait_ns);
	if (account->known_cpu && account->known_waits)
		json_i64(w, "overlap_ns", account->overlap_ns);
	json_i64(w, "rest_ns", account->rest_ns);
	if (account->known_waits) {
		json_u64(w, "waits", account->waits);
		json_u64(w, "self_waits", account->self_waits);
		json_i64(w, "self_wait_ns", account->self_wait_ns);
		json_bool(w, "waits_whole", !account->cut_waits);
	}
	json_close(w, '}');
}

static void json_call(struct jsonw *w, const struct trace_event *te)
{
	const struct pgt_call *call = te->event->body;

	NAMED(w, "call", call_names, call->call);
	json_flags(w, "flags", call_flags, call->flags);
	json_u64(w, "start_ns", call->start_ns);
	json_u64(w, "end_ns", call->end_ns);
	if (!(call->flags & PGT_CALL_NO_CPU)) {
		json_u64(w, "cpu_ns", call->cpu_ns);
		json_u64(w, "runqueue_ns", call->runqueue_ns);
	}
	if (!(call->flags & PGT_CALL_NO_USAGE)) {
		json_u64(w, "rows", call->rows);
		json_usage(w, &call->usage);
	}
	if (te->account)
		json_account(w, te->account);
}

static void json_binds(struct jsonw *w, const struct trace_event *te)
{
	static const struct flag_name names[] = {
		{ PGT_BIND_NULL, "null" },
		{ PGT_BIND_CUT, "cut" },
		{ PGT_BIND_REDACTED, "redacted" },
		{ PGT_BIND_FAILED, "failed" },
		{ PGT_BIND_UNSET, "unset" },
		{ 0, NULL }
	};
	const uint32_t no_value = PGT_BIND_NULL | PGT_BIND_REDACTED | PGT_BIND_FAILED | PGT_BIND_UNSET;
	struct pgt_bind bind;
	const char *text;
	size_t at = 0;

	json_open(w, "binds", '[');
	while (event_next_bind(te->event, &at, &bind, &text)) {
		json_open(w, NULL, '{');
		json_u64(w, "type_oid", bind.type_oid);
		json_flags(w, "flags", names, bind.flags);
		json_u64(w, "true_length", bind.true_length);
		if (bind.flags & no_value)
			json_null(w, "value");
		else
			json_text(w, "value", text, bind.length);
		json_close(w, '}');
	}
	json_close(w, ']');
}

static void json_node(struct jsonw *w, const struct pgt_node *node, const char *text, uint32_t flags)
{
	json_open(w, NULL, '{');
	json_u64(w, "id", node->id);
	json_u64(w, "parent_id", node->parent_id);
	json_text(w, "text", text, node->text_length);
	json_u64(w, "relation_oid", node->relation_oid);
	json_double(w, "startup_cost", node->startup_cost);
	json_double(w, "total_cost", node->total_cost);
	json_double(w, "plan_rows", node->plan_rows);
	json_u64(w, "plan_width", node->plan_width);
	if (flags & PGT_PLAN_ACTUALS) {
		json_u64(w, "workers_launched", node->workers_launched);
		json_double(w, "rows", node->rows);
		json_double(w, "loops", node->loops);
		json_double(w, "filtered", node->filtered);
		json_usage(w, &node->usage);
	}
	if (flags & PGT_PLAN_TIMING) {
		json_u64(w, "startup_ns", node->startup_ns);
		json_u64(w, "total_ns", node->total_ns);
	}
	json_close(w, '}');
}

static void json_plan(struct jsonw *w, const struct trace_event *te)
{
	static const struct flag_name names[] = {
		{ PGT_PLAN_ACTUALS, "actuals" },
		{ PGT_PLAN_TIMING, "timing" },
		{ PGT_PLAN_ABORTED, "aborted" },
		{ 0, NULL }
	};
	const struct pgt_plan *plan = te->event->body;
	struct pgt_node node;
	const char *text;
	char hash[17];
	size_t at = 0;

	snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)plan->plan_hash);
	json_str(w, "plan_hash", hash);
	json_flags(w, "flags", names, plan->flags);
	json_open(w, "nodes", '[');
	while (event_next_node(te->event, &at, &node, &text))
		json_node(w, &node, text, plan->flags);
	json_close(w, ']');
}

static void json_xact(struct jsonw *w, const struct trace_event *te)
{
	static const char *const names[] = {
		[PGT_XACT_COMMIT] = "commit",
		[PGT_XACT_ROLLBACK] = "rollback",
		[PGT_XACT_PREPARE] = "prepare",
		[PGT_XACT_SUBCOMMIT] = "subcommit",
		[PGT_XACT_SUBROLLBACK] = "subrollback",
	};
	const struct pgt_xact *xact = te->event->body;

	NAMED(w, "event", names, xact->event);
	json_u64(w, "xid", xact->xid);
	json_u64(w, "subxact", xact->subxact);
}

static void json_error(struct jsonw *w, const struct trace_event *te)
{
	const struct pgt_error *error = te->event->body;
	size_t length;
	const char *text = event_text(te->event, &length);

	json_text(w, "sqlstate", error->sqlstate, strnlen(error->sqlstate, sizeof(error->sqlstate)));
	json_u64(w, "level", error->level);
	json_i64(w, "position", error->position);
	json_text(w, "message", text, length);
	text = event_error_statement(te->event, &length);
	if (length)
		json_text(w, "sql", text, length);
}

static void json_clock(struct jsonw *w, const struct trace_event *te)
{
	json_i64(w, "wall_us", ((const struct pgt_clock *)te->event->body)->wall_us);
}

static void json_loss(struct jsonw *w, const struct trace_event *te)
{
	static const char *const names[] = {
		[PGT_LOSS_NO_SPACE] = "no_space",
		[PGT_LOSS_SIZE_LIMIT] = "size_limit",
		[PGT_LOSS_IO] = "io",
		[PGT_LOSS_RING] = "ring",
		[PGT_LOSS_BAD_SAMPLE] = "bad_sample",
		[PGT_LOSS_BAD_RECORD] = "bad_record",
		[PGT_LOSS_LATE] = "late",
		[PGT_LOSS_UNTOLD] = "untold",
	};
	const struct pgt_loss *loss = te->event->body;

	NAMED(w, "reason", names, loss->reason);
	json_u64(w, "cpu", loss->cpu);
	json_u64(w, "count", loss->count);
	json_u64(w, "bytes", loss->bytes);
	json_u64(w, "until_ns", event_loss_until(te->event));
}

static void json_blockers(struct jsonw *w, const struct pgt_object *object)
{
	size_t known = object_blockers(object), i;

	if (object->kind != PGT_OBJECT_LOCK || object->lock.blockers == PGT_LOCK_UNKNOWN)
		return;
	json_u64(w, "blocker_count", object->lock.blockers & ~PGT_LOCK_AT_LEAST);
	if (object->lock.blockers & PGT_LOCK_AT_LEAST)
		json_bool(w, "blockers_whole", false);
	json_open(w, "blocker_pids", '[');
	for (i = 0; i < known; i++)
		json_u64(w, NULL, object->lock.pids[i]);
	json_close(w, ']');
}

static void json_object(struct jsonw *w, const struct trace_event *te)
{
	struct object_param params[OBJECT_PARAMS];
	size_t count = object_params(te, params), i;

	json_open(w, "object", '{');
	for (i = 0; i < count; i++)
		if (params[i].is_number)
			json_i64(w, params[i].name, params[i].number);
		else
			json_str(w, params[i].name, params[i].text);
	json_blockers(w, te->object);
	json_close(w, '}');
}

static void json_wait(struct jsonw *w, const struct trace_event *te)
{
	static const struct flag_name names[] = {
		{ PGT_WAIT_NO_START, "no_start" },
		{ PGT_WAIT_OPEN, "open" },
		{ 0, NULL }
	};
	const struct pgt_wait *wait = te->event->body;

	json_u64(w, "event", wait->event);
	json_str(w, "type", te->wait_type);
	json_str(w, "name", te->wait_name);
	json_u64(w, "start_ns", wait->start_ns);
	json_u64(w, "elapsed_ns", te->event->head.time_ns - wait->start_ns);
	json_u64(w, "call_cursor", te->call_cursor);
	json_u64(w, "call_depth", te->call_depth);
	json_flags(w, "flags", names, wait->flags);
	if (te->object)
		json_object(w, te);
}

static void json_relation(struct jsonw *w, const struct trace_event *te)
{
	const struct pgt_relation *relation = te->event->body;
	const char *schema = (const char *)(relation + 1);
	char kind = (char)relation->kind;

	json_u64(w, "database", relation->database);
	json_u64(w, "tablespace", relation->tablespace);
	json_u64(w, "file", relation->file);
	json_u64(w, "oid", relation->oid);
	json_text(w, "relkind", &kind, 1);
	json_text(w, "schema", schema, relation->schema_length);
	json_text(w, "name", schema + relation->schema_length, relation->name_length);
}

static void json_blocker(struct jsonw *w, const struct trace_event *te)
{
	const struct pgt_blocker *blocker = te->event->body;
	size_t length;
	const char *sql = event_text(te->event, &length);

	json_u64(w, "blocker_pid", blocker->pid);
	json_bool(w, "ahead", blocker->flags & PGT_BLOCKER_AHEAD);
	if (!(blocker->flags & PGT_BLOCKER_KNOWN))
		return;
	json_str(w, "state", backend_state_name(te->session->info.server_version_num, blocker->state));
	json_i64(w, "xact_start_us", blocker->xact_start_us);
	json_i64(w, "statement_start_us", blocker->statement_start_us);
	json_text(w, "sql", sql, length);
}

static void json_note(struct jsonw *w, const struct trace_event *te)
{
	size_t length;
	const char *text = event_text(te->event, &length);

	json_text(w, "text", text, length);
}

static void json_end(struct jsonw *w, const struct trace_event *te)
{
	static const char *const names[] = {
		[PGT_END_STOPPED] = "stopped",
		[PGT_END_EXIT] = "exit",
		[PGT_END_KILLED] = "killed",
		[PGT_END_COLLECTOR_GONE] = "collector_gone",
		[PGT_END_GONE] = "gone",
	};
	const struct session *session = te->session;

	NAMED(w, "reason", names, ((const struct pgt_end *)te->event->body)->reason);
	json_u64(w, "statements", session->statements);
	json_u64(w, "calls", session->calls);
	json_u64(w, "waits", session->waits);
	json_i64(w, "wait_ns", session->wait_ns);
}

static const struct {
	const char *name;
	void (*write)(struct jsonw *w, const struct trace_event *te);
} kinds[PGT_KINDS] = {
	[PGT_SESSION]	 = { "session",	   json_session },
	[PGT_WAIT_NAMES] = { "wait_names", json_wait_names },
	[PGT_TEXT]	 = { "text",	   json_statement },
	[PGT_BEGIN]	 = { "begin",	   json_begin },
	[PGT_CALL]	 = { "call",	   json_call },
	[PGT_BINDS]	 = { "binds",	   json_binds },
	[PGT_PLAN]	 = { "plan",	   json_plan },
	[PGT_XACT]	 = { "xact",	   json_xact },
	[PGT_ERROR]	 = { "error",	   json_error },
	[PGT_CLOCK]	 = { "clock",	   json_clock },
	[PGT_LOSS]	 = { "loss",	   json_loss },
	[PGT_WAIT]	 = { "wait",	   json_wait },
	[PGT_NOTE]	 = { "note",	   json_note },
	[PGT_END]	 = { "end",	   json_end },
	[PGT_WATCH]	 = { "watch",	   json_note },
	[PGT_RELATION]	 = { "relation",   json_relation },
	[PGT_BLOCKER]	 = { "blocker",	   json_blocker },
};

static void finish_line(struct jsonw *w)
{
	json_close(w, '}');
	putc_unlocked('\n', w->out);
}

static void json_file_begin(struct sink *sink)
{
	struct jsonw w = { sink->out, false };

	json_open(&w, NULL, '{');
	json_str(&w, "kind", "trace");
	json_str(&w, "format", "pgtrace-json");
	json_u64(&w, "version", JSON_VERSION);
	finish_line(&w);
}

static void json_event(struct sink *sink, const struct trace_event *te)
{
	const struct pgt_record *head = &te->event->head;
	bool known = head->kind < PGT_KINDS && kinds[head->kind].write;
	struct jsonw w = { sink->out, false };

	json_open(&w, NULL, '{');
	json_str(&w, "kind", known ? kinds[head->kind].name : "unknown");
	json_u64(&w, "pid", head->pid);
	json_u64(&w, "cursor", head->cursor);
	json_u64(&w, "depth", head->depth);
	json_u64(&w, "time_ns", head->time_ns);
	put_str(sink->out, ",\"time\":\"");
	put_wall(sink->out, session_wall_us(te->session, head->time_ns));
	put_str(sink->out, "+00\"");
	if (known)
		kinds[head->kind].write(&w, te);
	else
		json_u64(&w, "record_kind", head->kind);
	finish_line(&w);
}

static void json_file_end(struct sink *sink, const struct trace_totals *totals)
{
	struct jsonw w = { sink->out, false };

	json_open(&w, NULL, '{');
	json_str(&w, "kind", "end_of_trace");
	json_u64(&w, "sessions", totals->sessions);
	json_u64(&w, "statements", totals->statements);
	json_u64(&w, "calls", totals->calls);
	json_u64(&w, "waits", totals->waits);
	json_u64(&w, "lost_samples", totals->lost_samples);
	json_u64(&w, "dropped_records", totals->dropped_records);
	json_u64(&w, "cut_values", totals->cut_values);
	json_u64(&w, "failed_values", totals->failed_values);
	json_u64(&w, "bad_records", totals->bad_records);
	json_u64(&w, "late_events", totals->late_events);
	json_u64(&w, "unknown_records", totals->unknown_records);
	json_i64(&w, "first_ns", totals->first_ns);
	json_i64(&w, "last_ns", totals->last_ns);
	finish_line(&w);
}

const struct sink_ops json_ops = {
	.name = "json",
	.suffix = ".json",
	.size = sizeof(struct sink),
	.begin = json_file_begin,
	.event = json_event,
	.end = json_file_end,
};
