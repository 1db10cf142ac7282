/* SPDX-License-Identifier: PostgreSQL */
/* Names of wait events: the tables of 13 to 18, and what a server says of its own. */
#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/made.h"
#include "trace/waitnames.h"

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static struct made made;

static void setup(void)
{
	made_init(&made);
}

static void teardown(void)
{
	made_release(&made);
}

static const struct {
	uint32_t version, event;
	const char *type, *name;
} names[] = {
	{ 130023, 0x0A00000D, "IO", "DataFileRead" },
	{ 140023, 0x0A00000F, "IO", "DataFileRead" },
	{ 150020, 0x0A000011, "IO", "DataFileRead" },
	{ 160014, 0x0A000011, "IO", "DataFileRead" },
	{ 170010, 0x0A000011, "IO", "DataFileRead" },
	{ 180004, 0x0A000015, "IO", "DataFileRead" },
	{ 150020, 0x06000000, "Client", "ClientRead" },
	{ 130023, 0x09000001, "Timeout", "PgSleep" },
	{ 180004, 0x09000002, "Timeout", "PgSleep" },
	{ 150020, 0x03000005, "Lock", "transactionid" },
	{ 150020, 0x01000038, "LWLock", "BufferContent" },
	{ 150020, 0x04000000, "BufferPin", "BufferPin" },
	{ 150020, 0x01000000, "LWLock", "?" },
	{ 150020, 0x0A000099, "IO", "?" },
	{ 170010, 0x07000001, "Extension", "?" },
	{ 180004, 0x0B000000, "InjectionPoint", "?" },
	{ 150020, 0x77000000, "?", "?" },
	{ 120000, 0x0A000011, "IO", "?" },
	{ 190000, 0x0A000011, "IO", "?" },
	{ 0, 0x0A000011, "IO", "?" },
};

START_TEST(names_of_versions)
{
	struct waitnames none = { NULL, 0 };
	const char *type, *name = waitnames_find(&none, names[_i].version, names[_i].event, &type);

	ck_assert_str_eq(type, names[_i].type);
	ck_assert_str_eq(name, names[_i].name);
}
END_TEST

/* The numbers of a class are those of an enum: from 0 without a hole, so many in each version. */
static const struct {
	uint32_t class;
	uint32_t counts[6];
} class_rows[] = {
	{ 0x03, { 11, 11, 11, 12, 12, 12 } },
	{ 0x04, { 1, 1, 1, 1, 1, 1 } },
	{ 0x05, { 13, 13, 12, 13, 16, 18 } },
	{ 0x06, { 9, 8, 8, 8, 9, 9 } },
	{ 0x08, { 42, 47, 52, 53, 58, 58 } },
	{ 0x09, { 6, 7, 8, 9, 10, 10 } },
	{ 0x0A, { 68, 74, 74, 75, 77, 81 } },
};

START_TEST(classes_have_no_holes)
{
	struct waitnames none = { NULL, 0 };
	uint32_t version = 13 + (uint32_t)_i % 6, number, known = 0;
	uint32_t class = class_rows[_i / 6].class;
	const char *type;

	for (number = 0; number < 256; number++) {
		if (!strcmp(waitnames_find(&none, version * 10000, class << 24 | number, &type), "?"))
			continue;
		ck_assert_msg(known == number, "%u: no name before 0x%08X", version, class << 24 | number);
		known++;
	}
	ck_assert_uint_eq(known, class_rows[_i / 6].counts[version - 13]);
}
END_TEST

START_TEST(the_server_is_believed)
{
	struct waitnames told = { NULL, 0 };
	const char *type;
	size_t i, j;

	made_sample(&made);
	for (i = 0; i < 2; i++)
		for (j = 0; j < made.count; j++)
			if (made.events[j].head.kind == PGT_WAIT_NAMES)
				waitnames_learn(&told, &made.events[j]);
	ck_assert_uint_eq(told.count, 3);
	ck_assert_str_eq(waitnames_find(&told, 0, 0x07000001, &type), "it's custom");
	ck_assert_str_eq(type, "Extension");
	ck_assert_str_eq(waitnames_find(&told, 130000, 0x0A000011, &type), "DataFileRead");
	ck_assert_str_eq(waitnames_find(&told, 150000, 0x09000002, &type), "PgSleep");
	waitnames_release(&told);
}
END_TEST

/* "WAIT_EVENT_DATA_FILE_READ" and "DataFileRead" are one name. */
static bool same_name(const char *constant, const char *name)
{
	constant += strlen("WAIT_EVENT_");
	for (; *constant; constant++) {
		if (*constant == '_')
			continue;
		if (toupper((unsigned char)*name++) != *constant)
			return false;
	}
	return !*name;
}

/*
 * The installed server's header declares the numbers; its constants are the names, but for a few that were
 * renamed on one side.  Every number must have a name, and nearly all must be the constant's.
 */
static void compare_header(FILE *header, uint32_t version)
{
	static const char *const classes[] = {
		[5] = "PG_WAIT_ACTIVITY", [6] = "PG_WAIT_CLIENT", [8] = "PG_WAIT_IPC", [9] = "PG_WAIT_TIMEOUT",
		[10] = "PG_WAIT_IO",
	};
	struct waitnames none = { NULL, 0 };
	uint32_t event = 0, class;
	size_t all = 0, same = 0;
	char line[256], constant[64], first[64];
	const char *name, *type;
	int got;

	while (fgets(line, sizeof(line), header)) {
		got = sscanf(line, " %63[A-Z0-9_] = %63[A-Z_]", constant, first);
		if (got < 1 || strncmp(constant, "WAIT_EVENT_", strlen("WAIT_EVENT_")))
			continue;
		event++;
		for (class = 5; got == 2 && class < 11; class++)
			if (classes[class] && !strcmp(first, classes[class]))
				event = class << 24;
		name = waitnames_find(&none, version, event, &type);
		ck_assert_msg(strcmp(name, "?"), "%s (0x%08X) has no name", constant, event);
		all++;
		same += same_name(constant, name);
	}
	ck_assert_uint_gt(all, 100);
	ck_assert_msg(same * 100 >= all * 85, "%zu of %zu names are the header's", same, all);
}

START_TEST(names_match_the_installed_server)
{
	char path[512], line[256] = "";
	unsigned int major = 0;
	FILE *in = popen("pg_config --version 2>/dev/null", "r");

	if (in && fgets(line, sizeof(line), in))
		sscanf(line, "PostgreSQL %u", &major);
	if (in)
		pclose(in);
	in = popen("pg_config --includedir-server 2>/dev/null", "r");
	line[0] = '\0';
	if (in && fgets(line, sizeof(line), in))
		line[strcspn(line, "\n")] = '\0';
	if (in)
		pclose(in);
	snprintf(path, sizeof(path), "%s/utils/%s", line, major >= 17 ? "wait_event_types.h" : "wait_event.h");
	in = major >= 14 && major <= 18 ? fopen(path, "r") : NULL;
	if (!in) {
		fprintf(stderr, "names_match_the_installed_server: skipped, no server headers of 14 to 18 here\n");
		return;
	}
	compare_header(in, major * 10000);
	fclose(in);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("waitnames");
	TCase *tc = tcase_create("waitnames");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, names_of_versions, 0, ROWS(names));
	tcase_add_loop_test(tc, classes_have_no_holes, 0, 6 * ROWS(class_rows));
	tcase_add_test(tc, the_server_is_believed);
	tcase_add_test(tc, names_match_the_installed_server);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
