/* SPDX-License-Identifier: PostgreSQL */
/* Order, watermark and lateness of the merge, and the statements made from activity reports. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "kernel/sample.h"
#include "merge/activity.h"
#include "merge/merge.h"
#include "merge/pending.h"
#include "merge/timeq.h"
#include "merge/sources.h"

#define MOST 64

/* A source over an array of times; the cursor of an event tells where it came from. */
struct array_source {
	struct source source;
	uint64_t times[MOST];
	size_t count, at;
	uint64_t watermark;
	uint32_t name;
	uint32_t pid;
	uint16_t kind;
	struct event event;
};

static const struct event *array_peek(struct source *source)
{
	struct array_source *as = (struct array_source *)source;

	if (as->at == as->count)
		return NULL;
	as->event.head = (struct pgt_record){ .time_ns = as->times[as->at], .cursor = as->name,
					      .kind = as->kind, .pid = as->pid,
					      .depth = (uint16_t)as->at };
	return &as->event;
}

static void array_consume(struct source *source)
{
	((struct array_source *)source)->at++;
}

static uint64_t array_watermark(struct source *source)
{
	return ((struct array_source *)source)->watermark;
}

static const struct source_ops array_ops = { array_peek, array_consume, array_watermark };

static void array_init(struct array_source *as, uint32_t name, uint64_t watermark)
{
	memset(as, 0, sizeof(*as));
	as->source.ops = &array_ops;
	as->name = name;
	as->watermark = watermark;
}

static void array_add(struct array_source *as, uint64_t time)
{
	ck_assert_uint_lt(as->count, MOST);
	as->times[as->count++] = time;
}

/* One round as "name:time name:time". */
static const char *drain(struct merge *merge)
{
	static char text[4096];
	const struct event *ev;
	size_t used = 0;

	text[0] = '\0';
	while ((ev = merge_next(merge)))
		used += snprintf(text + used, sizeof(text) - used, "%s%u:%llu", used ? " " : "",
				 ev->head.cursor, (unsigned long long)ev->head.time_ns);
	return text;
}

START_TEST(leaves_in_order_of_time)
{
	struct merge *merge = merge_new();
	struct array_source a, b, c;

	array_init(&a, 1, UINT64_MAX);
	array_init(&b, 2, UINT64_MAX);
	array_init(&c, 3, UINT64_MAX);
	array_add(&a, 10);
	array_add(&a, 40);
	array_add(&b, 20);
	array_add(&b, 30);
	array_add(&b, 50);
	array_add(&c, 5);
	merge_add(merge, &a.source);
	merge_add(merge, &b.source);
	merge_add(merge, &c.source);
	ck_assert_str_eq(drain(merge), "3:5 1:10 2:20 2:30 1:40 2:50");
	ck_assert_uint_eq(merge_late(merge), 0);
	merge_free(merge);
}
END_TEST

START_TEST(equal_times_leave_as_sources_were_added)
{
	struct merge *merge = merge_new();
	struct array_source s[3];
	int i;

	for (i = 0; i < 3; i++) {
		array_init(&s[i], i + 1, UINT64_MAX);
		array_add(&s[i], 7);
		array_add(&s[i], 7);
	}
	for (i = 2; i >= 0; i--)
		merge_add(merge, &s[i].source);
	ck_assert_str_eq(drain(merge), "3:7 3:7 2:7 2:7 1:7 1:7");
	merge_free(merge);
}
END_TEST

START_TEST(nothing_younger_than_the_slowest_watermark_leaves)
{
	struct merge *merge = merge_new();
	struct array_source a, b;

	array_init(&a, 1, 100);
	array_init(&b, 2, 25);
	array_add(&a, 10);
	array_add(&a, 30);
	array_add(&b, 20);
	merge_add(merge, &a.source);
	merge_add(merge, &b.source);
	ck_assert_str_eq(drain(merge), "1:10 2:20");
	ck_assert_str_eq(drain(merge), "");
	array_add(&b, 28);
	b.watermark = 30;
	ck_assert_str_eq(drain(merge), "2:28 1:30");
	merge_free(merge);
}
END_TEST

START_TEST(a_late_event_leaves_and_is_counted)
{
	struct merge *merge = merge_new();
	struct array_source a, b;

	array_init(&a, 1, UINT64_MAX);
	array_init(&b, 2, UINT64_MAX);
	array_add(&a, 100);
	merge_add(merge, &a.source);
	merge_add(merge, &b.source);
	ck_assert_str_eq(drain(merge), "1:100");
	array_add(&b, 50);
	array_add(&b, 120);
	ck_assert_str_eq(drain(merge), "2:50 2:120");
	ck_assert_uint_eq(merge_late(merge), 1);
	merge_free(merge);
}
END_TEST

START_TEST(a_removed_source_is_forgotten)
{
	struct merge *merge = merge_new();
	struct array_source a, b;

	array_init(&a, 1, UINT64_MAX);
	array_init(&b, 2, 0);
	array_add(&a, 1);
	array_add(&b, 2);
	merge_add(merge, &a.source);
	merge_add(merge, &b.source);
	ck_assert_str_eq(drain(merge), "");
	merge_remove(merge, &b.source);
	ck_assert_str_eq(drain(merge), "1:1");
	merge_free(merge);
}
END_TEST

/* Many sources with pseudo-random ascending times: the outcome is sorted and whole. */
START_TEST(many_sources_are_sorted)
{
	enum { SOURCES = 33 };
	struct merge *merge = merge_new();
	static struct array_source s[SOURCES];
	uint64_t seed = 12345 + _i, last = 0;
	size_t total = 0, i, j;
	const struct event *ev;

	for (i = 0; i < SOURCES; i++) {
		uint64_t time = 0;

		array_init(&s[i], i, UINT64_MAX);
		for (j = 0; j < (i * 7) % MOST; j++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			time += seed >> 60;
			array_add(&s[i], time);
			total++;
		}
		merge_add(merge, &s[i].source);
	}
	while ((ev = merge_next(merge))) {
		ck_assert_uint_ge(ev->head.time_ns, last);
		last = ev->head.time_ns;
		total--;
	}
	ck_assert_uint_eq(total, 0);
	merge_free(merge);
}
END_TEST

/* --- activity ---------------------------------------------------------------- */

static char emitted[4096];

static void note_event(const struct event *ev, void *arg)
{
	size_t used = strlen(emitted), length;
	const struct pgt_call *call = ev->body;

	(void)arg;
	ck_assert_ptr_null(event_check(ev));
	switch (ev->head.kind) {
	case PGT_TEXT:
		snprintf(emitted + used, sizeof(emitted) - used, "text%u=%s;", ev->head.cursor,
			 event_text(ev, &length));
		break;
	case PGT_BEGIN:
		snprintf(emitted + used, sizeof(emitted) - used, "begin%u;", ev->head.cursor);
		break;
	case PGT_CALL:
		snprintf(emitted + used, sizeof(emitted) - used, "call%u[%llu,%llu];", ev->head.cursor,
			 (unsigned long long)call->start_ns, (unsigned long long)call->end_ns);
		break;
	default:
		ck_abort_msg("kind %u", ev->head.kind);
	}
}

static void report(struct activity *activity, uint64_t time, uint32_t state, const char *text)
{
	struct { struct sample_activity head; char text[64]; } sample = { 0 };
	struct event ev = { .head = { .kind = EVENT_ACTIVITY, .time_ns = time }, .body = &sample };

	sample.head.state = state;
	sample.head.length = (uint32_t)strlen(text);
	strcpy(sample.text, text);
	ev.body_length = sizeof(sample.head) + sample.head.length;
	activity_apply(activity, &ev, note_event, NULL);
}

START_TEST(reports_become_statements)
{
	static const struct { int major; uint32_t idle, running; } rows[] = { { 15, 1, 2 }, { 18, 2, 3 } };
	uint32_t idle = rows[_i].idle, running = rows[_i].running;
	struct activity *activity = activity_new(rows[_i].major, 42);

	emitted[0] = '\0';
	report(activity, 1, idle, "");
	report(activity, 10, running, "select 1");
	report(activity, 11, running, "select 1");	/* Bind and Execute of the same */
	report(activity, 20, idle, "");
	report(activity, 30, running, "select 2");
	report(activity, 40, running, "select 1");
	report(activity, 50, idle, "");
	ck_assert_str_eq(emitted, "text1=select 1;begin1;call1[10,20];"
				  "text2=select 2;begin2;call2[30,40];begin1;call1[40,50];");
	activity_free(activity);
}
END_TEST

/* --- late samples ------------------------------------------------------------ */

START_TEST(timeq_gives_back_in_order)
{
	static const size_t lengths[] = { 0, 8, 192, 193, 5000 };
	static char body[5000];
	struct timeq *q = timeq_new();
	uint64_t last = 0;
	uint32_t last_cursor = 0;
	unsigned i, round;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < 400; i++) {
			struct event ev = { .head = { .time_ns = i * 7919 % 97, .cursor = i }, .body = body,
					    .body_length = lengths[i % 5] };

			memset(body, (int)i, sizeof(body));
			timeq_add(q, &ev);
		}
		for (last = 0; timeq_count(q); timeq_drop(q)) {
			const struct event *ev = timeq_first(q);

			ck_assert(ev->head.time_ns > last || (ev->head.time_ns == last &&
							      (ev->head.cursor > last_cursor || !ev->head.cursor)));
			ck_assert_uint_eq(ev->body_length, lengths[ev->head.cursor % 5]);
			if (ev->body_length)
				ck_assert_int_eq(((const char *)ev->body)[ev->body_length - 1],
						 (char)ev->head.cursor);
			last = ev->head.time_ns;
			last_cursor = ev->head.cursor;
		}
		ck_assert_ptr_null(timeq_first(q));
	}
	timeq_free(q);
}
END_TEST

static struct task_state task;

static bool read_task(void *arg, uint32_t pid, struct task_state *out)
{
	(void)arg;
	*out = task;
	return pid == 42;
}

/* One task and one ring that it writes to. */
static struct pending *pending_with_ring(struct merge *merge, struct array_source *ring)
{
	struct pending *pending = pending_new(read_task, NULL);

	memset(&task, 0, sizeof(task));
	array_init(ring, 1, UINT64_MAX);
	pending_add(pending, 42, 7, 5);
	merge_add(merge, pending_source(pending));
	merge_add(merge, pending_ordered(pending, &ring->source));
	return pending;
}

static void expect_times(struct merge *merge, const char *expected)
{
	char got[256] = "";
	const struct event *ev;

	while ((ev = merge_next(merge)))
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%llu ",
			 (unsigned long long)ev->head.time_ns);
	ck_assert_str_eq(got, expected);
	ck_assert_uint_eq(merge_late(merge), 0);
}

START_TEST(a_late_sample_leaves_in_its_place)
{
	struct merge *merge = merge_new();
	struct array_source ring;
	struct pending *pending = pending_with_ring(merge, &ring);
	uint64_t now = clock_mono_ns();

	ring.times[ring.count++] = 10;
	ring.times[ring.count++] = now;
	task = (struct task_state){ .event = 3, .start_ns = 15, .end_ns = now - 1000 };
	expect_times(merge, "10 ");		/* what is younger than the pending wait stays */
	task.event = 0;
	task.end_ns = 0;
	ring.times[ring.count++] = now - 1000;	/* its sample, behind the younger one */
	ck_assert_uint_eq(merge_next(merge)->head.time_ns, now - 1000);
	ck_assert_uint_eq(merge_next(merge)->head.time_ns, now);
	ck_assert_ptr_null(merge_next(merge));
	ck_assert_uint_eq(merge_late(merge), 0);
	pending_free(pending);
	merge_free(merge);
}
END_TEST

START_TEST(a_wait_that_is_final_is_taken_once)
{
	struct merge *merge = merge_new();
	struct array_source ring;
	struct pending *pending = pending_with_ring(merge, &ring);
	const struct event *ev;

	ring.times[ring.count++] = 500;
	task = (struct task_state){ .event = 3, .start_ns = _i ? 15 : 0, .end_ns = 400 };
	expect_times(merge, "");		/* it has to be seen twice */
	ev = merge_next(merge);
	ck_assert_uint_eq(ev->head.time_ns, 400);
	ck_assert_uint_eq(ev->head.kind, PGT_WAIT);
	ck_assert_uint_eq(ev->head.pid, 7);
	ck_assert_uint_eq(((const struct pgt_wait *)ev->body)->start_ns, _i ? 15 : 5);
	ck_assert_uint_eq(((const struct pgt_wait *)ev->body)->flags, _i ? 0 : PGT_WAIT_NO_START);
	expect_times(merge, "500 ");
	expect_times(merge, "");
	pending_close(pending, 42, &task);	/* already taken */
	expect_times(merge, "");
	pending_free(pending);
	merge_free(merge);
}
END_TEST

START_TEST(a_wait_that_is_taken_keeps_its_object)
{
	struct merge *merge = merge_new();
	struct array_source ring;
	struct pending *pending = pending_with_ring(merge, &ring);
	const struct event *ev;

	task = (struct task_state){ .event = 0x03000002, .start_ns = 15, .end_ns = 400, .object_base = 0x03000000,
				    .object_events = _i ? 4 : 2, .object.kind = PGT_OBJECT_LOCK };
	expect_times(merge, "");
	ev = merge_next(merge);
	ck_assert_ptr_null(event_check(ev));
	ck_assert_uint_eq(ev->body_length, _i ? sizeof(struct pgt_wait) : PGT_WAIT_SHORT);
	if (_i)
		ck_assert_uint_eq(((const struct pgt_wait *)ev->body)->object.kind, PGT_OBJECT_LOCK);
	pending_free(pending);
	merge_free(merge);
}
END_TEST

START_TEST(what_is_pending_at_the_end_is_over)
{
	struct merge *merge = merge_new();
	struct array_source ring;
	struct pending *pending = pending_with_ring(merge, &ring);

	ring.times[ring.count++] = 300;
	ring.times[ring.count++] = 500;
	task = (struct task_state){ .event = 3, .start_ns = 15, .end_ns = 400 };
	expect_times(merge, "300 ");
	pending_close(pending, 42, &task);
	expect_times(merge, "400 500 ");
	expect_times(merge, "");
	pending_free(pending);
	merge_free(merge);
}
END_TEST

/* The sample of a wait that was taken from the state comes after all. */
START_TEST(a_sample_of_a_taken_wait_is_dropped)
{
	struct merge *merge = merge_new();
	struct array_source ring;
	struct pending *pending = pending_with_ring(merge, &ring);

	ring.kind = PGT_WAIT;
	ring.pid = 7;
	task = (struct task_state){ .event = 3, .start_ns = 15, .end_ns = 400 };
	expect_times(merge, "");
	if (_i)
		pending_close(pending, 42, &task);
	expect_times(merge, "400 ");
	ring.times[ring.count++] = 400;
	ring.times[ring.count++] = 600;
	memset(&task, 0, sizeof(task));
	expect_times(merge, "600 ");
	pending_free(pending);
	merge_free(merge);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("merge");
	TCase *order = tcase_create("order"), *statements = tcase_create("activity");
	TCase *late = tcase_create("late");
	SRunner *runner;
	int failed;

	tcase_add_test(order, leaves_in_order_of_time);
	tcase_add_test(order, equal_times_leave_as_sources_were_added);
	tcase_add_test(order, nothing_younger_than_the_slowest_watermark_leaves);
	tcase_add_test(order, a_late_event_leaves_and_is_counted);
	tcase_add_test(order, a_removed_source_is_forgotten);
	tcase_add_loop_test(order, many_sources_are_sorted, 0, 8);
	tcase_add_loop_test(statements, reports_become_statements, 0, 2);
	tcase_add_test(late, timeq_gives_back_in_order);
	tcase_add_test(late, a_late_sample_leaves_in_its_place);
	tcase_add_loop_test(late, a_wait_that_is_final_is_taken_once, 0, 2);
	tcase_add_loop_test(late, a_wait_that_is_taken_keeps_its_object, 0, 2);
	tcase_add_test(late, what_is_pending_at_the_end_is_over);
	tcase_add_loop_test(late, a_sample_of_a_taken_wait_is_dropped, 0, 2);
	suite_add_tcase(suite, late);
	suite_add_tcase(suite, order);
	suite_add_tcase(suite, statements);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
