/* SPDX-License-Identifier: PostgreSQL */
/*
 * The ring reader on rings made up in plain memory.  The data ends where the allocation
 * does, so that a sanitizer sees a read past it.
 */
#include <check.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "probe/cpulist.h"
#include "ring/ring.h"

#define PAGE 4096
#define DATA 4096
#define NOISE 0xa5

static uint8_t *base;
static struct perf_event_mmap_page *page;
static struct ring *ring;

static void start_at(uint64_t position)
{
	ring_free(ring);
	memset(base + PAGE, NOISE, DATA);
	page->data_head = position;
	page->data_tail = position;
	ring = ring_new(base, PAGE, DATA, 3);
}

static void setup(void)
{
	base = xcalloc(1, PAGE + DATA);
	page = (void *)base;
	start_at(0);
}

static void teardown(void)
{
	ring_free(ring);
	ring = NULL;
	free(base);
}

static void put_bytes(const void *bytes, size_t length)
{
	const uint8_t *from = bytes;
	size_t i;

	for (i = 0; i < length; i++)
		base[PAGE + (page->data_head + i) % DATA] = from[i];
	page->data_head += length;
}

static void put_header(uint32_t type, uint16_t size)
{
	const struct perf_event_header header = { .type = type, .size = size };

	put_bytes(&header, sizeof(header));
}

/* As the kernel writes it: u32 length, the bytes, padding to 8. */
static void put_raw(const void *bytes, size_t length)
{
	static const uint8_t zeros[8];
	size_t padded = (sizeof(uint32_t) + length + 7) / 8 * 8;
	uint32_t raw = (uint32_t)(padded - sizeof(uint32_t));

	put_header(PERF_RECORD_SAMPLE, (uint16_t)(sizeof(struct perf_event_header) + padded));
	put_bytes(&raw, sizeof(raw));
	put_bytes(bytes, length);
	put_bytes(zeros, raw - length);
}

static void put_wait(uint32_t event)
{
	const struct sample_wait wait = {
		.head = { SAMPLE_WAIT, 42, 2000 + event },
		.start_ns = 1000 + event,
		.event = event,
	};

	put_raw(&wait, sizeof(wait));
}

static void put_lost(uint64_t count)
{
	const uint64_t body[2] = { 9, count };

	put_header(PERF_RECORD_LOST, sizeof(struct perf_event_header) + sizeof(body));
	put_bytes(body, sizeof(body));
}

static void expect_wait(uint32_t event)
{
	size_t size = 0;
	const struct sample_wait *wait = (const void *)ring_next(ring, &size);

	ck_assert_ptr_nonnull(wait);
	ck_assert_uint_eq((uintptr_t)wait % 8, 0);
	ck_assert_uint_ge(size, sizeof(*wait));
	ck_assert_uint_eq(wait->head.kind, SAMPLE_WAIT);
	ck_assert_uint_eq(wait->head.pid, 42);
	ck_assert_uint_eq(wait->event, event);
	ck_assert_uint_eq(wait->start_ns, 1000 + event);
}

/* Empty, with so many bad records; then all is given back, and it reads on. */
static void expect_end(uint64_t bad)
{
	size_t size;

	ck_assert_ptr_null(ring_next(ring, &size));
	ck_assert_ptr_null(ring_next(ring, &size));
	ck_assert_uint_eq(ring_bad(ring), bad);
	ring_done(ring);
	ck_assert_uint_eq(page->data_tail, page->data_head);
	put_wait(99);
	expect_wait(99);
	ring_done(ring);
	ck_assert_uint_eq(page->data_tail, page->data_head);
}

START_TEST(empty)
{
	expect_end(0);
}
END_TEST

START_TEST(in_order)
{
	uint32_t i;

	for (i = 1; i <= 50; i++)
		put_wait(i);
	for (i = 1; i <= 50; i++)
		expect_wait(i);
	expect_end(0);
}
END_TEST

/* A record at each distance from the end: the cut is in the header, in the length, in the body. */
START_TEST(wraps_anywhere)
{
	start_at(DATA * 7ull - 8 * (uint64_t)_i);
	put_wait(5);
	put_wait(6);
	expect_wait(5);
	expect_wait(6);
	expect_end(0);
}
END_TEST

START_TEST(counts_may_overflow)
{
	start_at(UINT64_MAX - 31);
	put_wait(5);
	expect_wait(5);
	expect_end(0);
}
END_TEST

START_TEST(full)
{
	uint32_t i, fit = DATA / 48;

	start_at(DATA - 48);
	for (i = 0; i < fit; i++)
		put_wait(i + 1);
	for (i = 0; i < fit; i++)
		expect_wait(i + 1);
	expect_end(0);
}
END_TEST

START_TEST(loss_is_a_sample)
{
	const struct sample_lost *lost;
	size_t size;

	put_wait(1);
	put_lost(7);
	put_lost(5);
	put_wait(2);
	expect_wait(1);
	lost = (const void *)ring_next(ring, &size);
	ck_assert_ptr_nonnull(lost);
	ck_assert_uint_eq(size, sizeof(*lost));
	ck_assert_uint_eq(lost->head.kind, SAMPLE_LOST);
	ck_assert_uint_eq(lost->count, 7);
	ck_assert_uint_eq(lost->cpu, 3);
	ck_assert_uint_gt(lost->head.time_ns, 0);
	lost = (const void *)ring_next(ring, &size);
	ck_assert_uint_eq(lost->count, 5);
	ck_assert_uint_eq(ring_lost(ring), 12);
	expect_wait(2);
	expect_end(0);
}
END_TEST

START_TEST(other_records_are_passed_over)
{
	const uint8_t body[24] = { 0 };

	put_header(PERF_RECORD_THROTTLE, 32);
	put_bytes(body, 24);
	put_header(200, 8);
	put_wait(1);
	expect_wait(1);
	expect_end(0);
}
END_TEST

/* Sizes with which nothing that follows can be found. */
static const struct {
	uint16_t size;
	size_t body;	/* bytes that do follow */
} broken[] = {
	{ 0, 40 }, { 4, 40 }, { 7, 40 }, { 12, 40 }, { 46, 40 }, { 56, 40 }, { 65528, 40 }, { 16, 0 },
};

START_TEST(a_broken_size_ends_the_round)
{
	const uint8_t body[40] = { 0 };

	put_wait(1);
	put_header(PERF_RECORD_SAMPLE, broken[_i].size);
	put_bytes(body, broken[_i].body);
	expect_wait(1);
	expect_end(1);
}
END_TEST

START_TEST(half_a_header_ends_the_round)
{
	put_bytes("\1\0\0\0", 4);
	put_bytes("\0\0\0\0", 4);
	page->data_head -= 4;
	ck_assert_ptr_null(ring_next(ring, &(size_t){ 0 }));
	ck_assert_uint_eq(ring_bad(ring), 1);
	ring_done(ring);
	ck_assert_uint_eq(page->data_tail, page->data_head);
}
END_TEST

START_TEST(a_head_beyond_the_buffer_ends_the_round)
{
	page->data_head = DATA + 8;
	expect_end(1);
}
END_TEST

static void put_short_wait(void)
{
	const struct sample_wait wait = { .head = { SAMPLE_WAIT, 42, 1 } };

	put_raw(&wait, sizeof(wait) - 8);
}

static void put_short_head(void)
{
	put_raw("\1\0\0\0", 4);
}

static void put_kind(uint32_t kind)
{
	struct sample_wait wait = { .head = { kind, 42, 1 } };

	put_raw(&wait, sizeof(wait));
}

static void put_no_kind(void)
{
	put_kind(0);
}

static void put_kind_beyond(void)
{
	put_kind(SAMPLE_KINDS);
}

static void put_forged_loss(void)
{
	put_kind(SAMPLE_LOST);
}

static void put_activity(uint32_t length, size_t text)
{
	uint8_t bytes[sizeof(struct sample_activity) + 64] = { 0 };
	const struct sample_activity activity = { { SAMPLE_ACTIVITY, 42, 1 }, 2, length };

	memcpy(bytes, &activity, sizeof(activity));
	put_raw(bytes, sizeof(activity) + text);
}

static void put_long_text(void)
{
	put_activity(29, 20);	/* padded to 28 */
}

static void put_endless_text(void)
{
	put_activity(UINT32_MAX, 20);
}

static void put_blocker(uint32_t length, size_t text)
{
	uint8_t bytes[sizeof(struct sample_blocker) + 64] = { 0 };
	const struct sample_blocker blocker = { .head = { SAMPLE_BLOCKER, 42, 1 }, .length = length };

	memcpy(bytes, &blocker, sizeof(blocker));
	put_raw(bytes, sizeof(blocker) + text);
}

static void put_long_blocker(void)
{
	put_blocker(29, 20);	/* padded to 28 */
}

static void put_endless_blocker(void)
{
	put_blocker(UINT32_MAX, 20);
}

static void put_short_object(void)
{
	const struct sample_wait_object wait = { .wait = { .head = { SAMPLE_WAIT_OBJECT, 42, 1 } } };

	put_raw(&wait, sizeof(wait) - 8);
}

static void put_short_activity(void)
{
	put_kind(SAMPLE_WAIT);
	page->data_head -= 48;
	put_raw("\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
}

static void put_raw_beyond_record(void)
{
	const uint32_t raw[2] = { 64, SAMPLE_WAIT };

	put_header(PERF_RECORD_SAMPLE, 16);
	put_bytes(raw, sizeof(raw));
}

static void put_no_raw(void)
{
	put_header(PERF_RECORD_SAMPLE, 8);
}

static void put_short_lost(void)
{
	const uint64_t id = 1;

	put_header(PERF_RECORD_LOST, 16);
	put_bytes(&id, sizeof(id));
}

static void (*const malformed[])(void) = {
	put_short_wait, put_short_head, put_no_kind, put_kind_beyond, put_forged_loss, put_long_text, put_endless_text,
	put_long_blocker, put_endless_blocker, put_short_object, put_short_activity, put_raw_beyond_record, put_no_raw, put_short_lost,
};

START_TEST(a_malformed_sample_is_passed_over)
{
	put_wait(1);
	malformed[_i]();
	put_wait(2);
	expect_wait(1);
	expect_wait(2);
	expect_end(1);
}
END_TEST

START_TEST(activity_carries_its_text)
{
	const struct sample_activity *activity;
	size_t size;

	put_activity(20, 20);
	put_activity(0, 0);
	activity = (const void *)ring_next(ring, &size);
	ck_assert_ptr_nonnull(activity);
	ck_assert_uint_eq(activity->length, 20);
	ck_assert_uint_ge(size, sizeof(*activity) + 20);
	ck_assert_ptr_nonnull(ring_next(ring, &size));
	expect_end(0);
}
END_TEST

/* What comes while a round is read waits for the next; the tail moves only with ring_done(). */
START_TEST(a_round_ends)
{
	size_t size;

	put_wait(1);
	expect_wait(1);
	put_wait(2);
	ck_assert_ptr_null(ring_next(ring, &size));
	ck_assert_uint_eq(page->data_tail, 0);
	ring_done(ring);
	ck_assert_uint_eq(page->data_tail, 48);
	expect_wait(2);
	expect_end(0);
}
END_TEST

static const struct {
	const char *text;
	int count;		/* -1: refused */
	uint32_t last;
} lists[] = {
	{ "0\n", 1, 0 }, { "0-3\n", 4, 3 }, { "0-1,4,6-7\n", 5, 7 }, { "5", 1, 5 },
	{ "", -1, 0 }, { "\n", -1, 0 }, { "3-1\n", -1, 0 }, { "0-\n", -1, 0 }, { "0,,1\n", -1, 0 },
	{ "x\n", -1, 0 }, { "-1\n", -1, 0 }, { "0-8\n", -1, 0 }, { "0-99999999999\n", -1, 0 },
	{ "0-7,0-7\n", -1, 0 }, { "1 2\n", -1, 0 },
};

START_TEST(cpu_lists)
{
	uint32_t cpus[8] = { 0 };

	ck_assert_int_eq(cpulist_parse(lists[_i].text, cpus, 8), lists[_i].count);
	if (lists[_i].count > 0)
		ck_assert_uint_eq(cpus[lists[_i].count - 1], lists[_i].last);
}
END_TEST

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

int main(void)
{
	Suite *suite = suite_create("ring");
	TCase *tc = tcase_create("ring");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, empty);
	tcase_add_test(tc, in_order);
	tcase_add_loop_test(tc, wraps_anywhere, 0, 13);
	tcase_add_test(tc, counts_may_overflow);
	tcase_add_test(tc, full);
	tcase_add_test(tc, loss_is_a_sample);
	tcase_add_test(tc, other_records_are_passed_over);
	tcase_add_loop_test(tc, a_broken_size_ends_the_round, 0, ROWS(broken));
	tcase_add_test(tc, half_a_header_ends_the_round);
	tcase_add_test(tc, a_head_beyond_the_buffer_ends_the_round);
	tcase_add_loop_test(tc, a_malformed_sample_is_passed_over, 0, ROWS(malformed));
	tcase_add_test(tc, activity_carries_its_text);
	tcase_add_test(tc, a_round_ends);
	tcase_add_loop_test(tc, cpu_lists, 0, ROWS(lists));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
