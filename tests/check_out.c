/* SPDX-License-Identifier: PostgreSQL */
/*
 * What is printed.  The sample of tests/lib/made.c in each format is compared with tests/data/golden; UPDATE=1
 * in the environment writes those files anew, to be read before they are committed.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "cmd/cmd.h"
#include "out/put.h"
#include "out/sink.h"
#include "tests/lib/made.h"

static char dir[] = "/tmp/check_out.XXXXXX";
static char *golden;
static char last_line[4096];
static int lines;
static struct made made;

static void keep_line(const char *line, void *arg)
{
	(void)arg;
	snprintf(last_line, sizeof(last_line), "%s", line);
	lines++;
}

static void setup(void)
{
	const char *srcdir = getenv("srcdir");
	char *relative = xasprintf("%s/tests/data/golden", srcdir ? srcdir : ".");

	golden = realpath(relative, NULL);
	ck_assert_msg(golden != NULL, "no folder %s; set srcdir", relative);
	free(relative);
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	lines = 0;
	log_set_hook(keep_line, NULL);
	made_init(&made);
	made_sample(&made);
}

static void teardown(void)
{
	static const char *const names[] = { "sample.trc", "sample.json", "sample.rec", "in.rec", "out", "text" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(names[i]);
	log_set_hook(NULL, NULL);
	made_release(&made);
	free(golden);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}

static char *read_text(const char *path, size_t *length)
{
	FILE *in = fopen(path, "r");
	char *text = NULL;

	ck_assert_msg(in != NULL, "cannot read %s", path);
	*length = 0;
	for (;;) {
		text = xrealloc(text, *length + 65537, 1);
		size_t got = fread(text + *length, 1, 65536, in);

		*length += got;
		if (!got)
			break;
	}
	fclose(in);
	text[*length] = '\0';
	return text;
}

static void put_file(const char *path, const void *bytes, size_t size)
{
	FILE *out = fopen(path, "w");

	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(bytes, 1, size, out), size);
	ck_assert_int_eq(fclose(out), 0);
}

static void render(const char *format, const char *path)
{
	struct sink *sink = sink_open(sink_format(format), path);
	struct trace *trace = trace_new();
	size_t i;

	ck_assert_ptr_nonnull(sink);
	trace_add_sink(trace, sink);
	trace_expect_waits(trace);
	for (i = 0; i < made.count; i++)
		trace_apply(trace, &made.events[i]);
	ck_assert_int_eq(trace_finish(trace), 0);
	trace_free(trace);
}

static void compare(const char *name)
{
	char *path = xasprintf("%s/%s", golden, name), *want, *have;
	size_t want_length, have_length, at, line = 1;

	have = read_text(name, &have_length);
	if (getenv("UPDATE"))
		put_file(path, have, have_length);
	want = read_text(path, &want_length);
	for (at = 0; at < have_length && have[at] == want[at]; at++)
		line += have[at] == '\n';
	ck_assert_msg(at == have_length && at == want_length, "line %zu of %s is another: %.200s", line, name,
		      have + at);
	free(want);
	free(have);
	free(path);
}

static const struct {
	const char *format, *name;
} formats[] = { { "text", "sample.trc" }, { "json", "sample.json" } };

START_TEST(sample_is_as_it_was)
{
	struct stat st;

	render(formats[_i].format, formats[_i].name);
	ck_assert_int_eq(stat(formats[_i].name, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	compare(formats[_i].name);
}
END_TEST

/* The bytes of the format: what an older program wrote must stay readable.  Also the seed of fuzz_record. */
START_TEST(the_format_is_as_it_was)
{
	size_t length;
	char *file = made_file(&made, &length);

	put_file("sample.rec", file, length);
	free(file);
	compare("sample.rec");
}
END_TEST

/* A parser of another make reads every line, and finds the texts as they were. */
START_TEST(json_is_json)
{
	static const char program[] =
		"import json, sys\n"
		"rows = [json.loads(line) for line in open('sample.json', encoding='utf-8')]\n"
		"kinds = [row['kind'] for row in rows]\n"
		"assert kinds[0] == 'trace' and rows[0]['version'] == 1, rows[0]\n"
		"assert kinds[-1] == 'end_of_trace' and rows[-1]['lost_samples'] == 17, rows[-1]\n"
		"want = 'session wait_names text begin call binds plan xact error clock loss wait note end unknown relation blocker'\n"
		"assert set(want.split()) <= set(kinds), kinds\n"
		"sql = next(row for row in rows if row['kind'] == 'text')['sql']\n"
		"assert sql.startswith('SELECT *\\n  FROM employees'), sql\n"
		"value = next(row for row in rows if row['kind'] == 'binds')['binds'][4]['value']\n"
		"assert value == 'a\"b\\\\c\\n\\tWAIT\\x1b[31m\\ufffd\\x85\\x7f', repr(value)\n"
		"for row in rows:\n"
		"    a = row.get('account')\n"
		"    if a:\n"
		"        parts = [a.get(k, 0) for k in ('cpu_ns', 'runqueue_ns', 'wait_ns', 'rest_ns')]\n"
		"        assert a['elapsed_ns'] == sum(parts) - a.get('overlap_ns', 0), a\n";

	render("json", "sample.json");
	put_file("text", program, sizeof(program) - 1);
	if (system("command -v python3 >/dev/null 2>&1")) {
		fprintf(stderr, "json_is_json: skipped, no python3 here\n");
		return;
	}
	ck_assert_int_eq(system("python3 text"), 0);
}
END_TEST

/* Nothing from the session begins a line, and every account can be added up from what is printed. */
START_TEST(text_keeps_its_promises)
{
	size_t length, accounts = 0;
	char *text, *line, *save = NULL;
	double ela, cpu, runqueue, wait, overlap, rest, off;

	render("text", "sample.trc");
	text = read_text("sample.trc", &length);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		ck_assert_msg(strncmp(line, "WAIT #9", 7) && strncmp(line, "LOSS: forged", 12), "%s", line);
		if (sscanf(line, "ACCOUNT #%*u: ela=%lf ms = cpu=%lf + runqueue=%lf + wait=%lf - overlap=%lf + rest=%lf",
			   &ela, &cpu, &runqueue, &wait, &overlap, &rest) != 6)
			continue;
		accounts++;
		off = ela - cpu - runqueue - wait + overlap - rest;
		ck_assert_msg(off < 1e-7 && off > -1e-7, "%s", line);
	}
	ck_assert_uint_eq(accounts, 6);
	free(text);
}
END_TEST

/* --- bytes -------------------------------------------------------------------- */

static const struct {
	const char *text;
	size_t length;
	const char *escaped, *paragraph;
} texts[] = {
	{ "plain", 5, "plain", "plain" },
	{ "", 0, "", "" },
	{ "a\"b'c\\", 6, "a\\\"b'c\\\\", "a\"b'c\\" },
	{ "a\nb\r\nc\rd\te", 10, "a\\nb\\r\\nc\\rd\\te", "a\n  b\n  c\\x0dd\te" },
	{ "a\0b", 3, "a\\x00b", "a\\x00b" },
	{ "\x1b[2J\x7f", 5, "\\x1b[2J\\x7f", "\\x1b[2J\\x7f" },
	{ "Gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x98", 15, "Gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x98",
	  "Gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x98" },
	{ "\xc3", 1, "\\xc3", "\\xc3" },			/* cut */
	{ "\xe2\x82", 2, "\\xe2\\x82", "\\xe2\\x82" },
	{ "\xc0\xaf", 2, "\\xc0\\xaf", "\\xc0\\xaf" },		/* overlong */
	{ "\xe0\x80\xaf", 3, "\\xe0\\x80\\xaf", "\\xe0\\x80\\xaf" },
	{ "\xed\xa0\x80", 3, "\\xed\\xa0\\x80", "\\xed\\xa0\\x80" },	/* surrogate */
	{ "\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80", "\\xf4\\x90\\x80\\x80" },
	{ "\xc2\x85", 2, "\\xc2\\x85", "\\xc2\\x85" },		/* a control character of Latin 1 */
};

START_TEST(texts_are_made_safe)
{
	char *out = NULL;
	size_t length = 0;
	FILE *stream = open_memstream(&out, &length);
	/* The exact size, so that the sanitizer sees a byte read behind it. */
	char *copy = malloc(texts[_i].length ? texts[_i].length : 1);
	size_t first;

	memcpy(copy, texts[_i].text, texts[_i].length);
	put_escaped(stream, copy, texts[_i].length, '"');
	fflush(stream);
	first = length;
	ck_assert_uint_eq(first, strlen(texts[_i].escaped));
	ck_assert_mem_eq(out, texts[_i].escaped, first);
	put_paragraph(stream, copy, texts[_i].length, 2);
	fclose(stream);
	ck_assert_str_eq(out + first, texts[_i].paragraph);
	free(out);
	free(copy);
}
END_TEST

static const struct {
	int64_t value;
	unsigned int decimals;
	const char *text;
} numbers[] = {
	{ 0, 0, "0" }, { 0, 6, "0.000000" }, { 1, 6, "0.000001" }, { -1, 6, "-0.000001" }, { 12456789, 6, "12.456789" },
	{ -1500, 3, "-1.500" }, { INT64_MAX, 6, "9223372036854.775807" }, { INT64_MIN, 0, "-9223372036854775808" },
};

START_TEST(numbers_are_exact)
{
	char *out = NULL;
	size_t length = 0;
	FILE *stream = open_memstream(&out, &length);

	put_fixed(stream, numbers[_i].value, numbers[_i].decimals);
	fclose(stream);
	ck_assert_str_eq(out, numbers[_i].text);
	free(out);
}
END_TEST

/* The text of the last second is kept: each switch of second, and none, must come out right. */
START_TEST(wall_clocks)
{
	static const struct {
		int64_t us;
		const char *text;
	} rows[] = {
		{ MADE_WALL_US, "2025-11-05 10:30:15.123456" }, { MADE_WALL_US + 1, "2025-11-05 10:30:15.123457" },
		{ MADE_WALL_US - 123456, "2025-11-05 10:30:15.000000" },
		{ MADE_WALL_US + 1000000, "2025-11-05 10:30:16.123456" }, { 0, "1970-01-01 00:00:00.000000" },
		{ 7, "1970-01-01 00:00:00.000007" }, { -1, "1969-12-31 23:59:59.999999" },
		{ -1000001, "1969-12-31 23:59:58.999999" }, { 5, "1970-01-01 00:00:00.000005" },
		{ INT64_MAX, "294247-01-10 04:00:54.775807" }, { MADE_WALL_US, "2025-11-05 10:30:15.123456" },
	};
	char *out = NULL;
	size_t length = 0, i, at = 0;
	FILE *stream = open_memstream(&out, &length);

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put_wall(stream, rows[i].us);
		fflush(stream);
		ck_assert_str_eq(out + at, rows[i].text);
		at = length;
	}
	fclose(stream);
	free(out);
}
END_TEST

/* --- the command ---------------------------------------------------------------- */

static int print(const char *a, const char *b, const char *c, const char *d)
{
	char *argv[] = { (char *)"print", (char *)a, (char *)b, (char *)c, (char *)d, NULL };
	int argc = 1;

	while (argv[argc])
		argc++;
	return cmd_print(argc, argv);
}

static bool out_holds(const char *what)
{
	size_t length;
	char *text = read_text("out", &length);
	bool found = strstr(text, what) != NULL;

	free(text);
	return found;
}

static void put_sample(size_t cut, uint32_t state)
{
	size_t length;
	char *file = made_file(&made, &length);

	((struct pgt_header *)file)->state = state;
	put_file("in.rec", file, cut && cut < length ? cut : length);
	free(file);
}

START_TEST(print_a_record_file)
{
	put_sample(0, PGT_STATE_CLOSED);
	ck_assert_int_eq(print("in.rec", "-o", "out", NULL), EXIT_OK);
	ck_assert(out_holds("*** Note: Waits are not in this trace"));
	ck_assert(out_holds("sudo pgtrace-perf --pid 4711"));
	ck_assert(out_holds("*** End of trace\n"));
	ck_assert(!out_holds("not closed"));
	ck_assert_int_eq(print("--format=json", "in.rec", "--output=out", NULL), EXIT_OK);
	ck_assert(out_holds("{\"kind\":\"end_of_trace\""));
	ck_assert_int_eq(lines, 0);
}
END_TEST

START_TEST(print_a_file_that_grows)
{
	put_sample(0, PGT_STATE_OPEN);
	ck_assert_int_eq(print("in.rec", "-o", "out", NULL), EXIT_OK);
	ck_assert(out_holds("*** Note: the file was not closed"));
	ck_assert(out_holds("*** End of trace\n"));
}
END_TEST

START_TEST(print_a_damaged_file)
{
	struct stat st;

	put_sample(PGT_HEADER_SIZE + 2000, PGT_STATE_CLOSED);
	ck_assert_int_eq(print("in.rec", "-o", "out", NULL), EXIT_FAILED);
	ck_assert_int_eq(lines, 1);
	ck_assert_ptr_nonnull(strstr(last_line, "in.rec is damaged at byte"));
	ck_assert(out_holds("LOSS: 1 records, a record file is damaged from here"));
	ck_assert(out_holds("*** 1 places of damage"));
	unlink("out");
	/* Nothing that can be read: nothing is left that could pass for a trace. */
	put_sample(PGT_HEADER_SIZE + 100, PGT_STATE_CLOSED);
	ck_assert_int_eq(print("in.rec", "-o", "out", NULL), EXIT_FAILED);
	put_sample(100, PGT_STATE_CLOSED);
	ck_assert_int_eq(print("in.rec", "-o", "out", NULL), EXIT_FAILED);
	ck_assert_int_eq(stat("out", &st), -1);
	ck_assert_int_eq(lines, 3);
}
END_TEST

START_TEST(print_refuses)
{
	put_sample(0, PGT_STATE_CLOSED);
	ck_assert_int_eq(print(NULL, NULL, NULL, NULL), EXIT_USAGE);
	ck_assert_int_eq(print("in.rec", "in.rec", NULL, NULL), EXIT_USAGE);
	ck_assert_int_eq(print("in.rec", "--format=xml", NULL, NULL), EXIT_USAGE);
	ck_assert_ptr_nonnull(strstr(last_line, "no format 'xml'"));
	ck_assert_int_eq(print("none.rec", NULL, NULL, NULL), EXIT_FAILED);
	ck_assert_int_eq(print("in.rec", "-o", "./in.rec", NULL), EXIT_FAILED);
	ck_assert_ptr_nonnull(strstr(last_line, "is the file to print"));
	ck_assert_int_eq(print("in.rec", "-o", "/none/out", NULL), EXIT_FAILED);
	ck_assert_int_eq(print("in.rec", "-o", "out", NULL), EXIT_OK);
	ck_assert_int_eq(lines, 6);
}
END_TEST

START_TEST(a_full_device_is_told_once)
{
	put_sample(0, PGT_STATE_CLOSED);
	ck_assert_int_eq(print("in.rec", "-o", "/dev/full", NULL), EXIT_FAILED);
	ck_assert_int_eq(lines, 1);
	ck_assert_ptr_nonnull(strstr(last_line, "cannot write /dev/full: No space left"));
	/* Neither is the device replaced by a file. */
	struct stat st;

	ck_assert_int_eq(stat("/dev/full", &st), 0);
	ck_assert(S_ISCHR(st.st_mode));
}
END_TEST

/* A reader that leaves is not talked about. */
START_TEST(a_reader_that_left_is_no_news)
{
	int ends[2];

	put_sample(0, PGT_STATE_CLOSED);
	ck_assert_int_eq(pipe(ends), 0);
	close(ends[0]);
	fflush(stdout);
	ck_assert_int_eq(dup2(ends[1], 1), 1);
	ck_assert_int_eq(print("in.rec", NULL, NULL, NULL), EXIT_FAILED);
	ck_assert_int_eq(lines, 0);
}
END_TEST

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *suite = suite_create("out");
	TCase *tc = tcase_create("out");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, sample_is_as_it_was, 0, ROWS(formats));
	tcase_add_test(tc, the_format_is_as_it_was);
	tcase_add_test(tc, json_is_json);
	tcase_add_test(tc, text_keeps_its_promises);
	tcase_add_loop_test(tc, texts_are_made_safe, 0, ROWS(texts));
	tcase_add_loop_test(tc, numbers_are_exact, 0, ROWS(numbers));
	tcase_add_test(tc, wall_clocks);
	tcase_add_test(tc, print_a_record_file);
	tcase_add_test(tc, print_a_file_that_grows);
	tcase_add_test(tc, print_a_damaged_file);
	tcase_add_test(tc, print_refuses);
	tcase_add_test(tc, a_full_device_is_told_once);
	tcase_add_test(tc, a_reader_that_left_is_no_news);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
