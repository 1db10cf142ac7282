/* SPDX-License-Identifier: PostgreSQL */
/* Record files: read back what was written, and nothing but that from a file that is not whole. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "stmt/memory.h"
#include "tests/lib/made.h"

static struct made made;
static char *file;
static size_t length;
static char last_line[4096];
static int lines;
static char dir[] = "/tmp/check_stmt.XXXXXX";
static const struct pgt_header empty_header = { .pid = MADE_PID };

static void keep_line(const char *line, void *arg)
{
	(void)arg;
	snprintf(last_line, sizeof(last_line), "%s", line);
	lines++;
}

static void setup(void)
{
	made_init(&made);
	made_sample(&made);
	file = made_file(&made, &length);
	lines = 0;
	log_set_hook(keep_line, NULL);
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
}

static void teardown(void)
{
	free(file);
	made_release(&made);
	log_set_hook(NULL, NULL);
	unlink("a.pgt");
	unlink("b.rec");
	unlink("link");
	ck_assert_int_eq(chdir("/"), 0);
	rmdir(dir);
}

static void put_file(const char *path, const void *bytes, size_t size)
{
	FILE *out = fopen(path, "w");

	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(bytes, 1, size, out), size);
	ck_assert_int_eq(fclose(out), 0);
}

/* Plain comparisons: Check writes to a file at each of its assertions, and there are a million. */
static void assert_same(const struct event *a, const struct event *b)
{
	if (memcmp(&a->head, &b->head, sizeof(a->head)) || a->body_length != b->body_length ||
	    memcmp(a->body, b->body, a->body_length))
		ck_abort_msg("a record of kind %d is another", a->head.kind);
	if ((uintptr_t)a->body % 8)
		ck_abort_msg("a body is not aligned");
}

/* Reads everything; how many records there were.  *end is what stmt_next said last. */
static size_t read_all(struct stmt_file *in, int *end)
{
	struct event ev;
	size_t count = 0;

	while ((*end = stmt_next(in, &ev)) == 1)
		if (count++ < made.count)
			assert_same(&ev, &made.events[count - 1]);
	return count;
}

START_TEST(every_kind_comes_back)
{
	struct stmt_writer *out = stmt_create("a.pgt", &empty_header);
	struct stmt_file *in;
	struct stat st;
	bool seen[PGT_KINDS] = { false };
	size_t i;
	int end;

	ck_assert_ptr_nonnull(out);
	for (i = 0; i < made.count; i++) {
		if (made.events[i].head.kind < PGT_KINDS)
			seen[made.events[i].head.kind] = true;
		ck_assert_int_eq(stmt_write(out, &made.events[i]), 0);
	}
	for (i = 1; i < PGT_KINDS; i++)
		ck_assert_msg(seen[i], "the sample has no record of kind %zu", i);
	ck_assert_int_eq(stmt_finish(out), 0);
	ck_assert_int_eq(stat("a.pgt", &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	in = stmt_open("a.pgt");
	ck_assert_ptr_nonnull(in);
	ck_assert_uint_eq(stmt_header(in)->state, PGT_STATE_CLOSED);
	ck_assert_uint_eq(stmt_header(in)->file_kind, PGT_FILE_PGT);
	ck_assert_uint_eq(stmt_header(in)->records, made.count);
	ck_assert_uint_eq(stmt_header(in)->committed, (uint64_t)st.st_size);
	ck_assert_uint_eq(read_all(in, &end), made.count);
	ck_assert_int_eq(end, 0);
	ck_assert_uint_eq(stmt_offset(in), (uint64_t)st.st_size);
	stmt_close(in);
	ck_assert_int_eq(lines, 0);
}
END_TEST

START_TEST(writer_pads_bodies)
{
	const struct pgt_note note = { .length = 3 };
	char body[sizeof(note) + 3];
	struct event ev = { .head = { .kind = PGT_NOTE }, .body = body, .body_length = sizeof(body) };
	struct stmt_writer *out = stmt_create("a.pgt", &empty_header);
	struct stmt_file *in;
	size_t size;

	memcpy(body, &note, sizeof(note));
	memcpy(body + sizeof(note), "abc", 3);
	ck_assert_int_eq(stmt_write(out, &ev), 0);
	ck_assert_int_eq(stmt_finish(out), 0);
	in = stmt_open("a.pgt");
	ck_assert_int_eq(stmt_next(in, &ev), 1);
	ck_assert_uint_eq(ev.head.length, 40);
	ck_assert_mem_eq(event_text(&ev, &size), "abc", 3);
	ck_assert_uint_eq(size, 3);
	stmt_close(in);
}
END_TEST

START_TEST(a_growing_file_is_followed)
{
	struct stmt_writer *out = stmt_create("a.pgt", &empty_header);
	struct stmt_file *in = stmt_open("a.pgt");
	struct event ev;
	size_t i, read = 0;

	for (i = 0; i < made.count; i++) {
		ck_assert_int_eq(stmt_write(out, &made.events[i]), 0);
		if (i % 3)
			continue;
		/* Nothing is seen before it is committed. */
		ck_assert_int_eq(stmt_refresh(in), 0);
		ck_assert_int_eq(stmt_next(in, &ev), 0);
		ck_assert_int_eq(stmt_flush(out), 0);
		ck_assert_int_eq(stmt_next(in, &ev), 0);
		ck_assert_int_eq(stmt_refresh(in), 0);
		while (stmt_next(in, &ev) == 1)
			assert_same(&ev, &made.events[read++]);
		ck_assert_uint_eq(read, i + 1);
	}
	ck_assert_int_eq(stmt_finish(out), 0);
	ck_assert_int_eq(stmt_refresh(in), 0);
	ck_assert_uint_eq(stmt_header(in)->state, PGT_STATE_CLOSED);
	stmt_close(in);
}
END_TEST

START_TEST(records_longer_than_the_buffer)
{
	static const size_t sizes[] = { 100, 300 << 10, 8, 1 << 20, 3 << 20, 255 << 10 };
	struct stmt_writer *out = stmt_create("a.pgt", &empty_header);
	struct stmt_file *in;
	char *text = xcalloc(1, 3 << 20);
	struct made big;
	struct event ev;
	size_t i, got;

	memset(text, 'x', 3 << 20);
	made_init(&big);
	for (i = 0; i < 6; i++) {
		struct pgt_text fixed = { .length = (uint32_t)sizes[i], .true_length = (uint32_t)sizes[i] };

		made_add(&big, PGT_TEXT, 1, 0, 1, &fixed, sizeof(fixed), text, sizes[i]);
		ck_assert_int_eq(stmt_write(out, &big.events[i]), 0);
	}
	ck_assert_int_eq(stmt_finish(out), 0);
	in = stmt_open("a.pgt");
	for (i = 0; i < 6; i++) {
		ck_assert_int_eq(stmt_next(in, &ev), 1);
		assert_same(&ev, &big.events[i]);
		event_text(&ev, &got);
		ck_assert_uint_eq(got, sizes[i]);
	}
	ck_assert_int_eq(stmt_next(in, &ev), 0);
	stmt_close(in);
	made_release(&big);
	free(text);
}
END_TEST

/* --- files that are not well ------------------------------------------------ */

/* A cut anywhere gives the records before it, and one line. */
START_TEST(cut_at_every_byte)
{
	uint64_t ends[MADE_MAX + 1];
	size_t cut, whole = 0, i;
	struct stmt_file *in;
	char *copy;
	int end;

	ends[0] = PGT_HEADER_SIZE;
	for (i = 0; i < made.count; i++)
		ends[i + 1] = ends[i] + made.events[i].head.length;
	for (cut = 0; cut <= length; cut++) {
		while (whole < made.count && ends[whole + 1] <= cut)
			whole++;
		lines = 0;
		/* The exact size, so that the sanitizer sees a byte read behind it. */
		copy = malloc(cut ? cut : 1);
		memcpy(copy, file, cut);
		in = stmt_open_memory(copy, cut, "x.rec");
		if (cut < sizeof(struct pgt_header)) {
			ck_assert_ptr_null(in);
		} else {
			ck_assert_ptr_nonnull(in);
			ck_assert_uint_eq(read_all(in, &end), whole);
			ck_assert_int_eq(end, cut < length ? -1 : 0);
			ck_assert_int_eq(stmt_refresh(in), cut < length ? -1 : 0);
		}
		ck_assert_int_eq(lines, cut < length);
		if (cut >= PGT_HEADER_SIZE && cut < length && !strstr(last_line, "the file is cut") &&
		    !strstr(last_line, "less than a record is left"))
			ck_abort_msg("cut at %zu: %s", cut, last_line);
		stmt_close(in);
		free(copy);
	}
}
END_TEST

/* Whatever a flipped byte says, reading ends, inside the file. */
START_TEST(flipped_bytes)
{
	static const uint8_t masks[] = { 0x01, 0x80, 0xFF };
	struct stmt_file *in;
	struct event ev;
	size_t at, i, count;
	char *copy = malloc(length);

	memcpy(copy, file, length);
	for (at = 0; at < length; at++) {
		if (at == sizeof(struct pgt_header))
			at = PGT_HEADER_SIZE;
		for (i = 0; i < sizeof(masks); i++) {
			copy[at] ^= (char)masks[i];
			in = stmt_open_memory(copy, length, "x.rec");
			for (count = 0; in && stmt_next(in, &ev) == 1; count++)
				if (stmt_offset(in) > length)
					ck_abort_msg("byte %zu: read beyond the end", at);
			stmt_close(in);
			copy[at] ^= (char)masks[i];
		}
	}
	free(copy);
}
END_TEST

static const struct {
	size_t offset;
	uint64_t value;
	size_t size;
	const char *says;
} headers[] = {
	{ 0, 'X', 1, "its first bytes are others" },
	{ offsetof(struct pgt_header, byte_order), 0x04030201, 4, "other byte order" },
	{ offsetof(struct pgt_header, byte_order), 7, 4, "byte order mark is damaged" },
	{ offsetof(struct pgt_header, format_version), 2, 4, "newer than this program" },
	{ offsetof(struct pgt_header, format_version), 0, 4, "version is unknown" },
	{ offsetof(struct pgt_header, header_size), 8, 4, "header has a wrong size" },
	{ offsetof(struct pgt_header, header_size), 4097, 4, "header has a wrong size" },
	{ offsetof(struct pgt_header, header_size), 0xFFFFFFF8, 4, "header has a wrong size" },
	{ offsetof(struct pgt_header, file_kind), 3, 4, "unknown kind" },
	{ offsetof(struct pgt_header, committed), 5, 8, "less was written" },
};

START_TEST(wrong_headers)
{
	memcpy(file + headers[_i].offset, &headers[_i].value, headers[_i].size);
	ck_assert_ptr_null(stmt_open_memory(file, length, "x.rec"));
	ck_assert_int_eq(lines, 1);
	ck_assert_msg(strstr(last_line, "x.rec is no pgtrace record file") && strstr(last_line, headers[_i].says),
		      "%s", last_line);
}
END_TEST

START_TEST(a_longer_header_is_skipped)
{
	struct stmt_file *in;
	int end;

	file = realloc(file, length + 64);
	memmove(file + PGT_HEADER_SIZE + 64, file + PGT_HEADER_SIZE, length - PGT_HEADER_SIZE);
	((struct pgt_header *)file)->header_size += 64;
	((struct pgt_header *)file)->committed += 64;
	in = stmt_open_memory(file, length + 64, "x.rec");
	ck_assert_uint_eq(read_all(in, &end), made.count);
	ck_assert_int_eq(end, 0);
	stmt_close(in);
}
END_TEST

START_TEST(what_is_no_file)
{
	ck_assert_ptr_null(stmt_open("none.rec"));
	ck_assert_ptr_nonnull(strstr(last_line, "cannot open none.rec: No such file"));
	ck_assert_ptr_null(stmt_open("."));
	ck_assert_ptr_nonnull(strstr(last_line, "it is a directory"));
	ck_assert_int_eq(mkfifo("link", 0600), 0);
	ck_assert_ptr_null(stmt_open("link"));
	ck_assert_ptr_nonnull(strstr(last_line, "it is no regular file"));
	put_file("b.rec", "", 0);
	ck_assert_ptr_null(stmt_open("b.rec"));
	ck_assert_ptr_nonnull(strstr(last_line, "it is empty"));
	ck_assert_int_eq(lines, 4);
}
END_TEST

START_TEST(a_file_that_shrinks_is_damage)
{
	struct stmt_file *in;
	struct event ev;

	put_file("b.rec", file, length);
	in = stmt_open("b.rec");
	ck_assert_int_eq(truncate("b.rec", PGT_HEADER_SIZE + 100), 0);
	while (stmt_next(in, &ev) == 1)
		;
	ck_assert_ptr_nonnull(strstr(last_line, "cut while it was read"));
	ck_assert_int_eq(lines, 1);
	stmt_close(in);
}
END_TEST

/* --- bodies that do not hold what they promise ------------------------------- */

static const struct body_row {
	const char *name;
	uint8_t kind;
	uint32_t words[12];
	size_t length;
	bool well;
} bodies[] = {
	{ "session, short", PGT_SESSION, { 0 }, 40, false },
	{ "begin", PGT_BEGIN, { 3 }, 8, true },
	{ "begin, short", PGT_BEGIN, { 3 }, 4, false },
	{ "clock with a new field", PGT_CLOCK, { 1 }, 24, true },
	{ "text, none", PGT_TEXT, { 0, 0, 0 }, 24, true },
	{ "text, one too long", PGT_TEXT, { 0, 0, 9 }, 32, false },
	{ "text, huge", PGT_TEXT, { 0, 0, 0xFFFFFFFF }, 32, false },
	{ "note, fits", PGT_NOTE, { 8 }, 16, true },
	{ "note, too long", PGT_NOTE, { 9 }, 16, false },
	{ "error, sum too long", PGT_ERROR, { 0, 0, 0, 0, 8, 1 }, 32, false },
	{ "error, sum wraps", PGT_ERROR, { 0, 0, 0, 0, 0xFFFFFFFF, 2 }, 32, false },
	{ "error, fits", PGT_ERROR, { 0, 0, 0, 0, 4, 4 }, 32, true },
	{ "binds, none", PGT_BINDS, { 0 }, 8, true },
	{ "binds, fewer than counted", PGT_BINDS, { 1 }, 8, false },
	{ "binds, one", PGT_BINDS, { 1, 0, 25, 0, 8 }, 40, true },
	{ "binds, value too long", PGT_BINDS, { 1, 0, 25, 0, 9 }, 40, false },
	{ "binds, value huge", PGT_BINDS, { 1, 0, 25, 0, 0xFFFFFFFF }, 40, false },
	{ "names, one", PGT_WAIT_NAMES, { 1, 0, 7, 4 << 16 | 4 }, 24, true },
	{ "names, too long", PGT_WAIT_NAMES, { 1, 0, 7, 4 << 16 | 5 }, 24, false },
	{ "plan, no nodes", PGT_PLAN, { 0 }, 16, true },
	{ "plan, nodes missing", PGT_PLAN, { 1 }, 16, false },
	{ "call, ends first", PGT_CALL, { 3, 0, 5, 0, 4, 0 }, 168, false },
	{ "wait, ends first", PGT_WAIT, { 3, 0, 101, 0 }, 16, false },
	{ "wait", PGT_WAIT, { 3, 0, 100, 0 }, 16, true },
	{ "wait, short", PGT_WAIT, { 3, 0, 100 }, 12, false },
	{ "wait, half an object", PGT_WAIT, { 3, 0, 100, 0, 1 }, 40, true },
	{ "relation, short", PGT_RELATION, { 5 }, 16, false },
	{ "relation, fits", PGT_RELATION, { 5, 1663, 1, 1, 'r', 4 << 16 | 4 }, 32, true },
	{ "relation, name too long", PGT_RELATION, { 5, 1663, 1, 1, 'r', 4 << 16 | 5 }, 32, false },
	{ "relation, sum too long", PGT_RELATION, { 5, 1663, 1, 1, 'r', 0xFFFFFFFF }, 32, false },
	{ "blocker, short", PGT_BLOCKER, { 1 }, 24, false },
	{ "blocker, fits", PGT_BLOCKER, { 1, 2, 2, 8 }, 40, true },
	{ "blocker, text too long", PGT_BLOCKER, { 1, 2, 2, 9 }, 40, false },
	{ "blocker, text huge", PGT_BLOCKER, { 1, 2, 2, 0xFFFFFFFF }, 40, false },
	{ "unknown", 200, { 3 }, 8, true },
	{ "unknown, empty", PGT_KINDS, { 0 }, 0, true },
};

/* A wait without an object may be as long as old writers made it, and one that is cut inside it has none. */
START_TEST(an_object_is_whole_or_none)
{
	const struct pgt_wait wait = { .event = 1, .object = { .kind = PGT_OBJECT_FILE } };
	const struct pgt_wait plain = { .event = 1 };
	struct event ev = { .head = { .kind = PGT_WAIT, .time_ns = 1 }, .body = &wait };

	for (ev.body_length = PGT_WAIT_SHORT; ev.body_length <= sizeof(wait); ev.body_length += 8) {
		ck_assert_ptr_null(event_check(&ev));
		ck_assert_int_eq(event_object(&ev) != NULL, ev.body_length == sizeof(wait));
	}
	ev.body = &plain;
	ev.body_length = sizeof(plain);
	ck_assert_ptr_null(event_object(&ev));
}
END_TEST

START_TEST(bodies_are_checked)
{
	const struct body_row *row = &bodies[_i];
	char *body = calloc(1, row->length ? row->length : 1);
	struct event ev = { .head = { .kind = row->kind, .time_ns = 100 }, .body = body, .body_length = row->length };
	const char *wrong;

	memcpy(body, row->words, row->length < sizeof(row->words) ? row->length : sizeof(row->words));
	wrong = event_check(&ev);
	ck_assert_msg(row->well == !wrong, "%s: %s", row->name, wrong ? wrong : "well");
	free(body);
}
END_TEST

static void set_node(void *body, uint32_t index, uint32_t id, uint32_t parent)
{
	struct pgt_node node = { .id = id, .parent_id = parent };

	memcpy((char *)body + sizeof(struct pgt_plan) + index * sizeof(node), &node, sizeof(node));
}

START_TEST(plan_nodes_are_in_order)
{
	static const struct {
		uint32_t second, parent;
		bool well;
	} rows[] = { { 2, 1, true }, { 2, 0, true }, { 2, 2, false }, { 3, 1, false }, { 1, 0, false } };
	uint64_t body[(sizeof(struct pgt_plan) + 2 * sizeof(struct pgt_node)) / 8];
	struct event ev = { .head = { .kind = PGT_PLAN }, .body = body, .body_length = sizeof(body) };
	struct pgt_plan plan = { .nodes = 2 };

	memcpy(body, &plan, sizeof(plan));
	set_node(body, 0, 1, 0);
	set_node(body, 1, rows[_i].second, rows[_i].parent);
	ck_assert_int_eq(!event_check(&ev), rows[_i].well);
}
END_TEST

/* What a newer writer puts behind the entries is not taken for one. */
START_TEST(iterators_stop_at_the_count)
{
	uint64_t body[1 + 2 * sizeof(struct pgt_bind) / 8] = { 0 };
	struct event ev = { .head = { .kind = PGT_BINDS }, .body = body, .body_length = sizeof(body) };
	struct pgt_bind bind;
	const char *text;
	size_t at = 0;

	memcpy(body, &(struct pgt_binds){ .count = 1 }, sizeof(struct pgt_binds));
	ck_assert_ptr_null(event_check(&ev));
	ck_assert(event_next_bind(&ev, &at, &bind, &text));
	ck_assert(!event_next_bind(&ev, &at, &bind, &text));
}
END_TEST

/* --- the writer among others' files ----------------------------------------- */

START_TEST(links_are_not_followed)
{
	struct stmt_writer *out;
	struct stat st;

	put_file("b.rec", "precious", 8);
	ck_assert_int_eq(symlink("b.rec", "link"), 0);
	out = stmt_create("link", &empty_header);
	ck_assert_ptr_nonnull(out);
	ck_assert_int_eq(stmt_finish(out), 0);
	ck_assert_int_eq(stat("b.rec", &st), 0);
	ck_assert_int_eq(st.st_size, 8);
	ck_assert_int_eq(lstat("link", &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	ck_assert_ptr_null(stmt_create(".", &empty_header));
	ck_assert_ptr_nonnull(strstr(last_line, "it is a directory"));
	ck_assert_ptr_null(stmt_create("none/a.pgt", &empty_header));
	ck_assert_ptr_nonnull(strstr(last_line, "cannot create none/a.pgt"));
}
END_TEST

static void limit_size(rlim_t size)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = size;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Full in the middle, room again later: whole records, and a LOSS that counts what is missing. */
START_TEST(a_full_disk_costs_whole_records)
{
	struct stmt_writer *out = stmt_create("a.pgt", &empty_header);
	const struct event *note = &made.events[2];
	struct stmt_file *in;
	struct event ev;
	uint64_t lost = 0, read = 0;
	int i;

	limit_size(PGT_HEADER_SIZE + 10 * note->head.length + 5);
	for (i = 0; i < 40; i++) {
		if (i == 30)
			limit_size(RLIM_INFINITY);
		stmt_write(out, note);
		if (i % 5 == 4)
			ck_assert_int_eq(stmt_flush(out), i < 10 || i >= 30 ? 0 : -1);
	}
	ck_assert_int_eq(stmt_finish(out), -1);
	ck_assert_int_eq(lines, 1);
	in = stmt_open("a.pgt");
	while (stmt_next(in, &ev) == 1) {
		if (ev.head.kind == PGT_LOSS)
			lost += ((const struct pgt_loss *)ev.body)->count;
		else
			read++;
	}
	ck_assert_uint_eq(read, 20);
	ck_assert_uint_eq(lost, 20);
	ck_assert_uint_eq(stmt_header(in)->dropped_records, 20);
	ck_assert_uint_eq(stmt_header(in)->records, 20);
	ck_assert_int_eq(lines, 1);
	stmt_close(in);
}
END_TEST

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *suite = suite_create("stmt");
	TCase *tc = tcase_create("stmt");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, every_kind_comes_back);
	tcase_add_test(tc, writer_pads_bodies);
	tcase_add_test(tc, a_growing_file_is_followed);
	tcase_add_test(tc, records_longer_than_the_buffer);
	tcase_add_test(tc, cut_at_every_byte);
	tcase_add_test(tc, flipped_bytes);
	tcase_add_loop_test(tc, wrong_headers, 0, ROWS(headers));
	tcase_add_test(tc, a_longer_header_is_skipped);
	tcase_add_test(tc, what_is_no_file);
	tcase_add_test(tc, a_file_that_shrinks_is_damage);
	tcase_add_test(tc, an_object_is_whole_or_none);
	tcase_add_loop_test(tc, bodies_are_checked, 0, ROWS(bodies));
	tcase_add_loop_test(tc, plan_nodes_are_in_order, 0, 5);
	tcase_add_test(tc, iterators_stop_at_the_count);
	tcase_add_test(tc, links_are_not_followed);
	tcase_add_test(tc, a_full_disk_costs_whole_records);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
