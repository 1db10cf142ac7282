/* SPDX-License-Identifier: PostgreSQL */
#include "tests/lib/made.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"

#define MS UINT64_C(1000000)

void made_init(struct made *made)
{
	memset(made, 0, sizeof(*made));
	made->pid = MADE_PID;
}

void made_release(struct made *made)
{
	while (made->count)
		free((void *)made->events[--made->count].body);
}

struct event *made_add(struct made *made, uint8_t kind, uint32_t cursor, uint16_t depth, uint64_t time_ns,
		       const void *fixed, size_t fixed_size, const void *tail, size_t tail_size)
{
	struct event *ev = &made->events[made->count++];
	size_t size = (fixed_size + tail_size + 7) & ~(size_t)7;
	char *body = xcalloc(1, size ? size : 1);

	if (made->count > MADE_MAX)
		abort();
	if (fixed_size)
		memcpy(body, fixed, fixed_size);
	if (tail_size)
		memcpy(body + fixed_size, tail, tail_size);
	*ev = (struct event){
		.head = {
			.length = (uint32_t)(sizeof(ev->head) + size),
			.kind = kind,
			.depth = depth,
			.pid = made->pid,
			.cursor = cursor,
			.time_ns = time_ns,
		},
		.body = body,
		.body_length = size,
	};
	return ev;
}

void made_session(struct made *made, uint64_t time_ns, uint32_t server_version_num)
{
	struct pgt_session session = {
		.server_version_num = server_version_num,
		.level = PGT_LEVEL_DEFAULT,
		.database_oid = 5,
		.user_oid = 10,
		.wall_us = MADE_WALL_US + (int64_t)((time_ns - MADE_START_NS) / 1000),
		.server_version = "15.20 (Debian 15.20-0+deb12u1)",
		.database = "shop",
		.user_name = "anna",
		.application = "psql",
		.client = "[local]",
	};

	made_add(made, PGT_SESSION, 0, 0, time_ns, &session, sizeof(session), NULL, 0);
}

static void add_text(struct made *made, uint32_t cursor, uint16_t depth, uint64_t time_ns, const char *sql,
		     uint32_t more)
{
	struct pgt_text text = {
		.query_id = 0xFFFFFFFFFFFFFF85u,	/* -123 */
		.length = (uint32_t)strlen(sql),
		.true_length = (uint32_t)strlen(sql) + more,
		.command = 1,
	};

	made_add(made, PGT_TEXT, cursor, depth, time_ns, &text, sizeof(text), sql, text.length);
}

void made_text(struct made *made, uint32_t cursor, uint16_t depth, uint64_t time_ns, const char *sql)
{
	add_text(made, cursor, depth, time_ns, sql, 0);
}

void made_begin(struct made *made, uint32_t call, uint32_t cursor, uint16_t depth, uint64_t time_ns)
{
	struct pgt_begin begin = { .call = call };

	made_add(made, PGT_BEGIN, cursor, depth, time_ns, &begin, sizeof(begin), NULL, 0);
}

void made_call(struct made *made, const struct pgt_call *call, uint32_t cursor, uint16_t depth)
{
	made_add(made, PGT_CALL, cursor, depth, call->end_ns, call, sizeof(*call), NULL, 0);
}

void made_wait(struct made *made, uint32_t event, uint64_t start_ns, uint64_t end_ns)
{
	struct pgt_wait wait = { .event = event, .start_ns = start_ns };

	made_add(made, PGT_WAIT, 0, 0, end_ns, &wait, PGT_WAIT_SHORT, NULL, 0);
}

void made_wait_object(struct made *made, uint32_t event, uint64_t end_ns, const struct pgt_object *object)
{
	struct pgt_wait wait = { .event = event, .start_ns = end_ns - 142000, .object = *object };

	made_add(made, PGT_WAIT, 0, 0, end_ns, &wait, sizeof(wait), NULL, 0);
}

void made_relation(struct made *made, uint32_t file, uint32_t oid, const char *name, uint64_t time_ns)
{
	struct pgt_relation relation = { .database = 5, .tablespace = 1663, .file = file, .oid = oid, .kind = 'r',
					 .schema_length = 6, .name_length = (uint16_t)strlen(name) };
	char *text = xasprintf("public%s", name);

	made_add(made, PGT_RELATION, 0, 0, time_ns, &relation, sizeof(relation), text, strlen(text));
	free(text);
}

void made_end(struct made *made, uint64_t time_ns)
{
	struct pgt_end end = { .reason = PGT_END_STOPPED };

	made_add(made, PGT_END, 0, 0, time_ns, &end, sizeof(end), NULL, 0);
}

/* --- lists ------------------------------------------------------------------ */

static void pad(struct strbuf *sb, size_t align)
{
	while (sb->length % align)
		strbuf_addch(sb, '\0');
}

static void add_wait_names(struct made *made, uint64_t time_ns)
{
	static const struct {
		uint32_t event;
		const char *type, *name;
	} rows[] = {
		{ 0x0A000011, "IO", "DataFileRead" },
		{ 0x06000000, "Client", "ClientRead" },
		{ 0x07000001, "Extension", "it's custom" },
	};
	struct pgt_wait_names names = { .count = 3 };
	struct strbuf sb = STRBUF_INIT;
	size_t i;

	for (i = 0; i < names.count; i++) {
		struct pgt_wait_name name = {
			.event = rows[i].event,
			.type_length = (uint16_t)strlen(rows[i].type),
			.name_length = (uint16_t)strlen(rows[i].name),
		};

		strbuf_add(&sb, &name, sizeof(name));
		strbuf_addstr(&sb, rows[i].type);
		strbuf_addstr(&sb, rows[i].name);
		pad(&sb, 4);
	}
	made_add(made, PGT_WAIT_NAMES, 0, 0, time_ns, &names, sizeof(names), sb.text, sb.length);
	strbuf_release(&sb);
}

static void add_binds(struct made *made, uint32_t cursor, uint64_t time_ns)
{
	static const struct {
		uint32_t type, flags;
		const char *text;
		uint64_t more;
	} rows[] = {
		{ 23, 0, "50000", 0 },
		{ 25, 0, "", 0 },
		{ 25, PGT_BIND_NULL, "", 0 },
		{ 25, PGT_BIND_CUT, "Gr\xc3\xbc\xc3\x9f", 4000 },
		{ 25, 0, "a\"b\\c\n\tWAIT\x1b[31m\xff\xc2\x85\x7f", 0 },
		{ 25, PGT_BIND_REDACTED, "", 12 },
		{ 600, PGT_BIND_FAILED, "", 16 },
		{ 25, PGT_BIND_UNSET, "", 0 },
	};
	struct pgt_binds binds = { .count = sizeof(rows) / sizeof(rows[0]) };
	struct strbuf sb = STRBUF_INIT;
	size_t i;

	for (i = 0; i < binds.count; i++) {
		struct pgt_bind bind = {
			.type_oid = rows[i].type,
			.flags = rows[i].flags,
			.length = (uint32_t)strlen(rows[i].text),
			.true_length = strlen(rows[i].text) + rows[i].more,
		};

		strbuf_add(&sb, &bind, sizeof(bind));
		strbuf_addstr(&sb, rows[i].text);
		pad(&sb, 8);
	}
	made_add(made, PGT_BINDS, cursor, 0, time_ns, &binds, sizeof(binds), sb.text, sb.length);
	strbuf_release(&sb);
}

static void add_plan(struct made *made, uint32_t cursor, uint64_t time_ns, uint32_t flags)
{
	static const struct {
		uint32_t parent;
		const char *text;
		double rows, loops;
		uint64_t total_ns;
		int64_t hit, read, temp;
	} rows[] = {
		{ 0, "Hash Join", 1234, 1, 12456789, 33, 12, 0 },
		{ 1, "Seq Scan on public.employees e", 5000, 1, 9000000, 30, 12, 0 },
		{ 1, "Hash", 10, 1, 100000, 3, 0, 7 },
		{ 3, "Index Scan using departments_pkey on public.departments d", 10, 1, 50000, 3, 0, 0 },
	};
	struct pgt_plan plan = { .nodes = 4, .flags = flags, .plan_hash = 0x1234ABCD };
	struct strbuf sb = STRBUF_INIT;
	uint32_t i;

	for (i = 0; i < plan.nodes; i++) {
		struct pgt_node node = {
			.id = i + 1,
			.parent_id = rows[i].parent,
			.relation_oid = 16384 + i,
			.text_length = (uint32_t)strlen(rows[i].text),
			.startup_cost = 1.25,
			.total_cost = 155.5,
			.plan_rows = 5000,
			.plan_width = 8,
			.workers_launched = i == 1 ? 2 : 0,
			.rows = rows[i].rows,
			.loops = rows[i].loops,
			.filtered = i == 1 ? 3766 : 0,
			.startup_ns = 123456,
			.total_ns = rows[i].total_ns,
			.usage = {
				.shared_hit = rows[i].hit,
				.shared_read = rows[i].read,
				.temp_written = rows[i].temp,
			},
		};

		strbuf_add(&sb, &node, sizeof(node));
		strbuf_addstr(&sb, rows[i].text);
		pad(&sb, 8);
	}
	made_add(made, PGT_PLAN, cursor, 0, time_ns, &plan, sizeof(plan), sb.text, sb.length);
	strbuf_release(&sb);
}

/* --- the sample ------------------------------------------------------------- */

static void add_error(struct made *made, uint32_t cursor, uint64_t time_ns, const char *message, const char *sql)
{
	struct pgt_error error = {
		.sqlstate = "42601",
		.level = 21,
		.position = 8,
		.message_length = (uint32_t)strlen(message),
		.statement_length = (uint32_t)strlen(sql),
	};
	struct strbuf sb = STRBUF_INIT;

	strbuf_addstr(&sb, message);
	strbuf_addstr(&sb, sql);
	made_add(made, PGT_ERROR, cursor, 0, time_ns, &error, sizeof(error), sb.text, sb.length);
	strbuf_release(&sb);
}

static void add_xact(struct made *made, uint32_t event, uint32_t xid, uint32_t subxact, uint64_t time_ns)
{
	struct pgt_xact xact = { .event = event, .xid = xid, .subxact = subxact };

	made_add(made, PGT_XACT, 0, 0, time_ns, &xact, sizeof(xact), NULL, 0);
}

static void add_loss(struct made *made, uint32_t reason, uint64_t count, uint64_t time_ns)
{
	struct pgt_loss loss = { .reason = reason, .cpu = 1, .count = count };

	made_add(made, PGT_LOSS, 0, 0, time_ns, &loss, sizeof(loss), NULL, 0);
}

static void add_note(struct made *made, const char *text, uint64_t time_ns)
{
	struct pgt_note note = { .length = (uint32_t)strlen(text) };

	made_add(made, PGT_NOTE, 0, 0, time_ns, &note, sizeof(note), text, note.length);
}

static void add_watch(struct made *made, const char *text, uint64_t time_ns)
{
	struct pgt_watch watch = { .length = (uint32_t)strlen(text) };

	made_add(made, PGT_WATCH, 0, 0, time_ns, &watch, sizeof(watch), text, watch.length);
}

static void add_clock(struct made *made, int64_t moved_us, uint64_t time_ns)
{
	struct pgt_clock clock = { .wall_us = MADE_WALL_US + (int64_t)((time_ns - MADE_START_NS) / 1000) + moved_us };

	made_add(made, PGT_CLOCK, 0, 0, time_ns, &clock, sizeof(clock), NULL, 0);
}

static const struct pgt_usage some_usage = {
	.shared_hit = 33,
	.shared_read = 12,
	.shared_dirtied = 1,
	.local_hit = 2,
	.temp_written = 7,
	.io_read_ns = 1234567,
	.wal_records = 3,
	.wal_fpi = 1,
	.wal_bytes = 8300,
};

/* One statement with all its phases, a nested one in it. */
static void sample_statement(struct made *made, uint64_t t)
{
	made_text(made, 1, 0, t, "SELECT *\n  FROM employees WHERE salary > $1\nWAIT #9: nam='forged' ela=1 us");
	made_call(made, &(struct pgt_call){ .call = PGT_CALL_PARSE, .flags = PGT_CALL_NO_USAGE, .start_ns = t,
		  .end_ns = t + 2 * MS, .cpu_ns = MS, .runqueue_ns = MS / 2 }, 1, 0);
	made_wait(made, 0x0A000011, t + 3 * MS, t + 3 * MS + 142000);
	made_call(made, &(struct pgt_call){ .call = PGT_CALL_PLAN, .flags = PGT_CALL_NO_USAGE, .start_ns = t + 2 * MS,
		  .end_ns = t + 4 * MS, .cpu_ns = MS }, 1, 0);
	add_binds(made, 1, t + 4 * MS);
	made_begin(made, PGT_CALL_EXEC, 1, 0, t + 5 * MS);
	made_wait(made, 0x0A000011, t + 6 * MS, t + 6 * MS + 1499);
	made_text(made, 2, 1, t + 7 * MS, "SELECT nested($1)");
	made_begin(made, PGT_CALL_EXEC, 2, 1, t + 7 * MS);
	made_wait(made, 0x07000001, t + 7 * MS, t + 8 * MS);
	made_call(made, &(struct pgt_call){ .call = PGT_CALL_EXEC, .start_ns = t + 7 * MS, .end_ns = t + 9 * MS,
		  .rows = 1, .cpu_ns = MS }, 2, 1);
	made_wait(made, 0x0A0000FF, t + 9 * MS, t + 9 * MS + 10000);
	made_call(made, &(struct pgt_call){ .call = PGT_CALL_EXEC, .flags = PGT_CALL_GENERIC, .start_ns = t + 5 * MS,
		  .end_ns = t + 17 * MS + 456000, .rows = 1234, .cpu_ns = 9 * MS, .runqueue_ns = MS,
		  .usage = some_usage }, 1, 0);
	add_plan(made, 1, t + 18 * MS, PGT_PLAN_ACTUALS | PGT_PLAN_TIMING);
	made_call(made, &(struct pgt_call){ .call = PGT_CALL_CLOSE, .flags = PGT_CALL_NO_USAGE | PGT_CALL_NO_CPU,
		  .start_ns = t + 18 * MS, .end_ns = t + 18 * MS + 12345 }, 1, 0);
	add_xact(made, PGT_XACT_COMMIT, 742, 0, t + 19 * MS);
}

/* Executed again: fetched in parts, cut short by an error. */
static void sample_fetches(struct made *made, uint64_t t)
{
	made_wait(made, 0x06000000, t - 5 * MS, t);
	made_begin(made, PGT_CALL_EXEC, 1, 0, t);
	made_call(made, &(struct pgt_call){ .call = PGT_CALL_EXEC, .flags = PGT_CALL_LATE, .start_ns = t,
		  .end_ns = t + MS, .rows = 10, .cpu_ns = MS }, 1, 0);
	made_call(made, &(struct pgt_call){ .call = PGT_CALL_FETCH, .flags = PGT_CALL_ERROR | PGT_CALL_NO_USAGE,
		  .start_ns = t + 2 * MS, .end_ns = t + 3 * MS, .cpu_ns = MS / 2 }, 1, 0);
	add_error(made, 1, t + 3 * MS, "division by zero\nLOSS: forged", "");
	add_xact(made, PGT_XACT_SUBROLLBACK, 743, 2, t + 3 * MS);
	add_error(made, 0, t + 4 * MS, "syntax error at or near \"SELEC\"", "SELEC 1\nFROM x");
	made_call(made, &(struct pgt_call){ .call = PGT_CALL_PARSE, .flags = PGT_CALL_NO_START | PGT_CALL_NO_CPU |
		  PGT_CALL_NO_USAGE, .start_ns = t + 5 * MS, .end_ns = t + 5 * MS }, 3, 0);
	add_plan(made, 3, t + 6 * MS, PGT_PLAN_ABORTED);
	add_xact(made, 99, 0, 0, t + 6 * MS);
}

static void add_blocker(struct made *made, uint32_t pid, uint32_t flags, const char *sql, uint64_t time_ns)
{
	struct pgt_blocker blocker = { .pid = pid, .flags = flags };

	if (flags & PGT_BLOCKER_KNOWN) {
		blocker.state = 3;
		blocker.length = (uint32_t)strlen(sql);
		/* The sample's clock has been set back by an hour. */
		blocker.xact_start_us = MADE_WALL_US - 3602500000;
		blocker.statement_start_us = MADE_WALL_US - 3601000000;
	}
	made_add(made, PGT_BLOCKER, 0, 0, time_ns, &blocker, sizeof(blocker), sql, blocker.length);
}

/* Waits that tell what they were for, before and after its name is known. */
static void sample_objects(struct made *made, uint64_t t)
{
	const struct pgt_object read = { .kind = PGT_OBJECT_FILE, .file = { 1663, 5, 16397, -1, 0, 1234, 1 } };
	const struct pgt_object row = { .kind = PGT_OBJECT_LOCK, .lock = { .field1 = 811, .type = 5, .method = 1,
					.mode = 5, .blockers = 2, .pids = { 4712, 0 } } };
	const struct pgt_object table = { .kind = PGT_OBJECT_LOCK, .lock = { .field1 = 5, .field2 = 16390, .type = 0,
					  .method = 1, .mode = 8, .blockers = PGT_LOCK_UNKNOWN } };

	made_wait_object(made, 0x0A000011, t, &read);
	made_wait_object(made, 0x03000000, t + MS, &table);
	made_relation(made, 16397, 16390, "it's\n\"mine\"", t + 2 * MS);
	made_wait_object(made, 0x0A000011, t + 3 * MS, &read);
	made_wait_object(made, 0x03000000, t + 4 * MS, &table);
	add_blocker(made, 4712, PGT_BLOCKER_KNOWN, "UPDATE t\nSET \"i\" = 1", t + 5 * MS);
	add_blocker(made, 4713, PGT_BLOCKER_AHEAD, "", t + 5 * MS);
	add_blocker(made, 0, 0, "", t + 5 * MS);
	made_wait_object(made, 0x03000005, t + 6 * MS, &row);
}

void made_sample(struct made *made)
{
	const uint64_t t = MADE_START_NS;

	made_session(made, t, 150020);
	add_wait_names(made, t);
	add_watch(made, "waits: uprobe source, 183 probes for 183 sites", t);
	add_note(made, "waits: 183 sites, all probed", t);
	sample_statement(made, t + MS);
	sample_fetches(made, t + 40 * MS);
	add_clock(made, 50, t + 60 * MS);
	add_clock(made, -3600000000, t + 61 * MS);
	add_loss(made, PGT_LOSS_RING, 17, t + 62 * MS);
	add_loss(made, PGT_LOSS_SIZE_LIMIT, 3, t + 62 * MS);
	made_add(made, 200, 0, 0, t + 63 * MS, "newer", 5, NULL, 0);
	add_text(made, 4, 0, t + 64 * MS, "COPY big FROM STDIN", 1000000);
	made_begin(made, PGT_CALL_EXEC, 4, 0, t + 64 * MS);
	made_wait(made, 0x06000000, t + 64 * MS, t + 65 * MS);
	sample_objects(made, t + 66 * MS);
	made_end(made, t + 80 * MS);
}

char *made_file(const struct made *made, size_t *length)
{
	struct pgt_header header = {
		.magic = PGT_MAGIC,
		.byte_order = PGT_BYTE_ORDER,
		.format_version = PGT_FORMAT_VERSION,
		.header_size = PGT_HEADER_SIZE,
		.file_kind = PGT_FILE_REC,
		.state = PGT_STATE_CLOSED,
		.pid = MADE_PID,
		.server_version_num = 150020,
		.committed = PGT_HEADER_SIZE,
	};
	char *file, *at;
	size_t i;

	for (i = 0; i < made->count; i++)
		header.committed += made->events[i].head.length;
	header.dropped_records = 3;
	*length = header.committed;
	at = file = xcalloc(1, header.committed);
	memcpy(at, &header, sizeof(header));
	at += PGT_HEADER_SIZE;
	for (i = 0; i < made->count; i++) {
		const struct event *ev = &made->events[i];

		memcpy(at, &ev->head, sizeof(ev->head));
		memcpy(at + sizeof(ev->head), ev->body, ev->body_length);
		at += ev->head.length;
	}
	return file;
}
