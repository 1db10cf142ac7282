/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/strbuf.h"

START_TEST(strbuf_grows)
{
	struct strbuf sb = STRBUF_INIT;
	int i;

	ck_assert_str_eq(sb.text, "");
	for (i = 0; i < 1000; i++)
		strbuf_addf(&sb, "%d,", i % 10);
	ck_assert_uint_eq(sb.length, 2000);
	ck_assert_int_eq(sb.text[1998], '9');
	strbuf_clear(&sb);
	ck_assert_str_eq(sb.text, "");
	strbuf_add(&sb, "a\0b", 3);
	ck_assert_uint_eq(sb.length, 3);
	strbuf_release(&sb);
	ck_assert_uint_eq(sb.length, 0);
}
END_TEST

START_TEST(bytes_stop_at_the_end)
{
	const uint8_t raw[6] = { 1, 2, 3, 4, 5, 6 };
	struct bytes b = bytes_of(raw, sizeof(raw));
	uint32_t word;

	bytes_get(&b, &word, sizeof(word));
	ck_assert_uint_eq(word, 0x04030201);
	ck_assert(!b.bad);
	bytes_get(&b, &word, sizeof(word));
	ck_assert_uint_eq(word, 0);
	ck_assert(b.bad);
	ck_assert_ptr_null(bytes_take(&b, 1));
}
END_TEST

START_TEST(clock_prints_utc)
{
	static const struct { int64_t us; const char *text; } rows[] = {
		{ 0, "1970-01-01 00:00:00.000000" },
		{ 1699186215123456, "2023-11-05 12:10:15.123456" },
		{ -1, "1969-12-31 23:59:59.999999" },
	};
	char text[CLOCK_TEXT_SIZE];

	ck_assert_str_eq(clock_format(rows[_i].us, text), rows[_i].text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base");
	TCase *tc = tcase_create("base");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, strbuf_grows);
	tcase_add_test(tc, bytes_stop_at_the_end);
	tcase_add_loop_test(tc, clock_prints_utc, 0, 3);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
