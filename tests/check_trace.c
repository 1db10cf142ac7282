/* SPDX-License-Identifier: PostgreSQL */
/* The model: which call a wait belongs to, accounts that add up, sessions. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "out/sink.h"
#include "tests/lib/made.h"

#define READ 0x0A000011u
#define MAX_SEEN 64

/* A sink that keeps what it is given of calls and waits. */
struct seen_call {
	uint32_t cursor, call, flags;
	uint64_t end_ns;
	bool begun, has_account;
	struct account account;
};

static struct {
	struct seen_call calls[MAX_SEEN];
	size_t call_count;
	struct {
		uint32_t cursor, depth;
		char type[32], name[32];
	} waits[MAX_SEEN];
	size_t wait_count;
	uint64_t statements, session_waits;
	int64_t wall_us;
	struct trace_totals totals;
} seen;

static void see_call(const struct trace_event *te)
{
	const struct pgt_call *call = te->event->body;
	struct seen_call *one = &seen.calls[seen.call_count++];

	ck_assert_uint_le(seen.call_count, MAX_SEEN);
	*one = (struct seen_call){
		.cursor = te->event->head.cursor,
		.call = call->call,
		.flags = call->flags,
		.end_ns = call->end_ns,
		.begun = te->begun,
		.has_account = te->account != NULL,
	};
	if (te->account)
		one->account = *te->account;
}

static void see(struct sink *sink, const struct trace_event *te)
{
	size_t i = seen.wait_count;

	(void)sink;
	seen.wall_us = session_wall_us(te->session, te->event->head.time_ns);
	seen.statements = te->session->statements;
	seen.session_waits = te->session->waits;
	if (te->event->head.kind == PGT_CALL)
		see_call(te);
	if (te->event->head.kind != PGT_WAIT || i == MAX_SEEN)
		return;
	seen.waits[i].cursor = te->call_cursor;
	seen.waits[i].depth = te->call_depth;
	snprintf(seen.waits[i].type, sizeof(seen.waits[i].type), "%s", te->wait_type);
	snprintf(seen.waits[i].name, sizeof(seen.waits[i].name), "%s", te->wait_name);
	seen.wait_count++;
}

static void see_end(struct sink *sink, const struct trace_totals *totals)
{
	(void)sink;
	seen.totals = *totals;
}

static const struct sink_ops seen_ops = {
	.name = "seen", .suffix = "", .size = sizeof(struct sink), .event = see, .end = see_end,
};

static struct made made;

static void setup(void)
{
	memset(&seen, 0, sizeof(seen));
	made_init(&made);
}

static void teardown(void)
{
	made_release(&made);
}

static struct trace *start(void)
{
	struct trace *trace = trace_new();
	struct sink *sink = sink_open(&seen_ops, "/dev/null");

	ck_assert_ptr_nonnull(sink);
	trace_add_sink(trace, sink);
	return trace;
}

static void finish(struct trace *trace)
{
	ck_assert_int_eq(trace_finish(trace), 0);
	trace_free(trace);
}

static void apply_made(struct trace *trace)
{
	size_t i;

	for (i = 0; i < made.count; i++)
		trace_apply(trace, &made.events[i]);
}

static void run(void)
{
	struct trace *trace = start();
	size_t i;

	apply_made(trace);
	finish(trace);
	for (i = 0; i < seen.call_count; i++) {
		const struct account *a = &seen.calls[i].account;

		ck_assert_int_eq(a->elapsed_ns,
				 a->cpu_ns + a->runqueue_ns + a->wait_ns - a->overlap_ns + a->rest_ns);
	}
}

static void call(uint32_t kind, uint32_t cursor, uint16_t depth, uint64_t start_ns, uint64_t end_ns)
{
	made_call(&made, &(struct pgt_call){ .call = kind, .start_ns = start_ns, .end_ns = end_ns }, cursor, depth);
}

static void begin(uint32_t cursor, uint16_t depth, uint64_t time_ns)
{
	made_begin(&made, PGT_CALL_EXEC, cursor, depth, time_ns);
}

static void exec(uint32_t cursor, uint16_t depth, uint64_t start_ns, uint64_t end_ns)
{
	call(PGT_CALL_EXEC, cursor, depth, start_ns, end_ns);
}

static void wait(uint64_t start_ns, uint64_t end_ns)
{
	made_wait(&made, READ, start_ns, end_ns);
}

/* The i-th call that ended: its waits and their ns, and of both what is its own. */
static void expect(size_t i, uint32_t cursor, uint64_t waits, int64_t ns, uint64_t self, int64_t self_ns)
{
	const struct seen_call *one = &seen.calls[i];

	ck_assert_uint_lt(i, seen.call_count);
	ck_assert_msg(one->cursor == cursor && one->account.waits == waits && one->account.wait_ns == ns &&
		      one->account.self_waits == self && one->account.self_wait_ns == self_ns,
		      "call %zu: cursor %u, %lu waits of %ld ns, own %lu of %ld ns", i, one->cursor,
		      one->account.waits, one->account.wait_ns, one->account.self_waits, one->account.self_wait_ns);
}

/* --- where waits belong ------------------------------------------------------ */

START_TEST(waits_belong_to_the_innermost)
{
	wait(10, 20);
	begin(1, 0, 100);
	wait(110, 120);
	begin(2, 1, 200);
	wait(210, 230);
	begin(3, 2, 300);
	wait(310, 340);
	exec(3, 2, 300, 400);
	wait(410, 415);
	exec(2, 1, 200, 500);
	wait(510, 560);
	exec(1, 0, 100, 600);
	wait(700, 800);
	run();
	expect(0, 3, 1, 30, 1, 30);
	expect(1, 2, 3, 55, 2, 25);
	expect(2, 1, 5, 115, 2, 60);
	ck_assert(seen.calls[2].begun);
	ck_assert_uint_eq(seen.waits[0].cursor, 0);
	ck_assert_uint_eq(seen.waits[1].cursor, 1);
	ck_assert_uint_eq(seen.waits[3].cursor, 3);
	ck_assert_uint_eq(seen.waits[3].depth, 2);
	ck_assert_uint_eq(seen.waits[6].cursor, 0);
	ck_assert_uint_eq(seen.session_waits, 7);
	ck_assert_uint_eq(seen.statements, 1);
	ck_assert_uint_eq(seen.totals.waits, 7);
	ck_assert_uint_eq(seen.totals.calls, 3);
}
END_TEST

START_TEST(a_wait_over_a_beginning_is_clipped)
{
	begin(1, 0, 100);
	begin(2, 1, 200);
	wait(50, 230);
	exec(2, 1, 200, 300);
	exec(1, 0, 100, 400);
	run();
	expect(0, 2, 1, 30, 1, 30);
	expect(1, 1, 1, 130, 0, 100);
}
END_TEST

/* PARSE, PLAN and CLOSE are known when they are over. */
START_TEST(intervals_take_the_waits_in_them)
{
	wait(5, 10);
	wait(90, 110);
	wait(120, 130);
	call(PGT_CALL_PARSE, 1, 0, 100, 200);
	wait(205, 215);
	call(PGT_CALL_PLAN, 1, 0, 200, 300);
	begin(1, 0, 300);
	wait(301, 302);
	wait(310, 320);
	call(PGT_CALL_PARSE, 2, 1, 305, 330);
	begin(2, 1, 330);
	wait(331, 335);
	exec(2, 1, 330, 340);
	wait(341, 347);
	call(PGT_CALL_CLOSE, 2, 1, 340, 350);
	exec(1, 0, 300, 400);
	run();
	expect(0, 1, 2, 20, 2, 20);
	expect(1, 1, 1, 10, 1, 10);
	expect(2, 2, 1, 10, 1, 10);
	expect(3, 2, 1, 4, 1, 4);
	expect(4, 2, 1, 6, 1, 6);
	expect(5, 1, 4, 21, 1, 1);
	ck_assert(!seen.calls[0].begun);
}
END_TEST

/* The planner runs an SQL function: an execution inside an interval. */
START_TEST(an_execution_inside_an_interval)
{
	begin(1, 0, 100);
	wait(110, 112);
	wait(210, 214);
	begin(3, 2, 220);
	wait(222, 230);
	exec(3, 2, 220, 240);
	wait(250, 266);
	call(PGT_CALL_PLAN, 2, 1, 200, 300);
	wait(310, 342);
	exec(1, 0, 100, 400);
	run();
	expect(0, 3, 1, 8, 1, 8);
	expect(1, 2, 3, 28, 2, 20);
	expect(2, 1, 5, 62, 2, 34);
}
END_TEST

/* An interval in an interval: the inner one's waits are not the outer one's own. */
START_TEST(an_interval_inside_an_interval)
{
	begin(1, 0, 100);
	wait(110, 112);
	wait(220, 224);
	call(PGT_CALL_PARSE, 3, 2, 215, 230);
	wait(240, 248);
	call(PGT_CALL_PLAN, 2, 1, 200, 300);
	exec(1, 0, 100, 400);
	run();
	expect(0, 3, 1, 4, 1, 4);
	expect(1, 2, 2, 12, 1, 8);
	expect(2, 1, 3, 14, 1, 2);
}
END_TEST

/* The record of a beginning or an end is written a little off its moment. */
START_TEST(edges_are_mended)
{
	wait(101, 104);
	begin(1, 0, 110);
	wait(120, 125);
	wait(205, 212);
	exec(1, 0, 100, 200);
	wait(220, 230);
	run();
	expect(0, 1, 2, 8, 2, 8);
}
END_TEST

START_TEST(a_late_end_gives_back_to_the_call_around)
{
	begin(1, 0, 100);
	begin(2, 1, 200);
	wait(210, 220);
	wait(310, 340);
	exec(2, 1, 200, 300);
	exec(1, 0, 100, 400);
	run();
	expect(0, 2, 1, 10, 1, 10);
	expect(1, 1, 2, 40, 1, 30);
}
END_TEST

/* --- what is missing --------------------------------------------------------- */

START_TEST(an_error_leaves_nested_calls_open)
{
	begin(1, 0, 100);
	wait(110, 120);
	begin(2, 1, 200);
	begin(3, 2, 210);
	wait(220, 240);
	exec(1, 0, 100, 300);
	wait(310, 320);
	begin(1, 0, 400);
	exec(1, 0, 400, 500);
	run();
	expect(0, 1, 2, 30, 1, 10);
	expect(1, 1, 0, 0, 0, 0);
	ck_assert_uint_eq(seen.waits[2].cursor, 0);
	ck_assert_uint_eq(seen.call_count, 2);
}
END_TEST

START_TEST(a_lost_end_does_not_hold_later_waits)
{
	begin(1, 0, 100);
	wait(110, 120);
	begin(2, 0, 200);
	wait(210, 215);
	exec(2, 0, 200, 300);
	wait(310, 320);
	run();
	expect(0, 2, 1, 5, 1, 5);
	ck_assert_uint_eq(seen.waits[2].cursor, 0);
	ck_assert_uint_eq(seen.call_count, 1);
}
END_TEST

/* An open call that must be over, by the depth of the next or by the interval it began in, is closed. */
START_TEST(calls_left_unseen_are_closed)
{
	begin(1, 0, 100);
	begin(2, 2, 110);
	wait(120, 121);
	begin(3, 1, 200);
	exec(3, 1, 200, 210);
	wait(220, 222);
	begin(4, 1, 300);
	wait(310, 314);
	call(PGT_CALL_PLAN, 5, 1, 250, 350);
	wait(360, 368);
	exec(1, 0, 100, 400);
	run();
	ck_assert_uint_eq(seen.waits[0].cursor, 2);
	ck_assert_uint_eq(seen.waits[1].cursor, 1);
	ck_assert_uint_eq(seen.waits[2].cursor, 4);
	ck_assert_uint_eq(seen.waits[3].cursor, 1);
	expect(1, 5, 1, 4, 0, 0);
	expect(2, 1, 4, 15, 2, 10);
}
END_TEST

START_TEST(a_lost_beginning_is_an_interval)
{
	wait(50, 60);
	wait(110, 120);
	exec(1, 0, 100, 200);
	run();
	expect(0, 1, 1, 10, 1, 10);
	ck_assert(!seen.calls[0].begun);
	ck_assert_uint_eq(seen.statements, 1);
}
END_TEST

START_TEST(open_calls_end_with_the_trace)
{
	made_session(&made, 50, 150020);
	begin(1, 0, 100);
	begin(2, 1, 200);
	wait(210, 250);
	if (_i)
		made_end(&made, 300);
	run();
	expect(0, 2, 1, 40, 1, 40);
	expect(1, 1, 1, 40, 0, 0);
	ck_assert_uint_eq(seen.calls[0].flags, PGT_CALL_OPEN | PGT_CALL_NO_CPU | PGT_CALL_NO_USAGE);
	ck_assert_uint_eq(seen.calls[0].end_ns, 250);
	ck_assert(seen.calls[0].begun);
	ck_assert(!seen.calls[0].account.known_cpu);
}
END_TEST

/* More waits than are remembered: announced calls stay exact, an interval says that it does not know. */
START_TEST(many_waits)
{
	struct trace *trace = start();
	struct pgt_call plan = { .call = PGT_CALL_PLAN, .start_ns = 0, .end_ns = 100000 };
	struct pgt_wait body = { .event = READ };
	struct event ev = { .head = { .kind = PGT_WAIT, .pid = MADE_PID }, .body = &body, .body_length = sizeof(body) };
	uint64_t t;

	begin(1, 0, 1);
	trace_apply(trace, &made.events[0]);
	for (t = 10; t <= 100000; t += 10) {
		body.start_ns = t - 4;
		ev.head.time_ns = t;
		trace_apply(trace, &ev);
	}
	exec(1, 0, 1, 100000);
	trace_apply(trace, &made.events[1]);
	made_call(&made, &plan, 2, 0);
	trace_apply(trace, &made.events[2]);
	finish(trace);
	expect(0, 1, 10000, 40000, 10000, 40000);
	ck_assert(!seen.calls[0].account.cut_waits);
	ck_assert(seen.calls[1].account.cut_waits);
	ck_assert_uint_le(seen.calls[1].account.waits, 4096);
}
END_TEST

/* --- accounts ---------------------------------------------------------------- */

static const struct account_row {
	const char *name;
	uint64_t cpu, runqueue, wait;
	uint32_t flags;
	int64_t want_overlap, want_rest;
} accounts[] = {
	{ "all explained", 400, 100, 500, 0, 0, 0 },
	{ "asleep in no wait", 300, 100, 500, 0, 0, 100 },
	{ "waiting for a CPU inside the waits", 400, 300, 500, 0, 200, 0 },
	{ "CPU inside the waits", 700, 50, 600, 0, 350, 0 },
	{ "all waits on the CPU, and the clocks differ", 990, 11, 600, 0, 600, -1 },
	{ "no waits", 700, 350, 0, 0, 0, -50 },
	{ "CPU not measured", 700, 50, 600, PGT_CALL_NO_CPU, 0, 400 },
	{ "CPU absurd", UINT64_MAX, UINT64_MAX, 600, 0, 0, 402 },
};

START_TEST(accounts_add_up)
{
	const struct account_row *row = &accounts[_i];
	const struct account *account = &seen.calls[0].account;
	bool known_cpu = !(row->flags & PGT_CALL_NO_CPU);

	begin(1, 0, 1000);
	if (row->wait)
		wait(1000, 1000 + row->wait);
	made_call(&made, &(struct pgt_call){ .call = PGT_CALL_EXEC, .flags = row->flags, .start_ns = 1000,
		  .end_ns = 2000, .cpu_ns = row->cpu, .runqueue_ns = row->runqueue }, 1, 0);
	run();
	ck_assert_int_eq(account->elapsed_ns, 1000);
	ck_assert_int_eq(account->cpu_ns, known_cpu ? (int64_t)row->cpu : 0);
	ck_assert_int_eq(account->runqueue_ns, known_cpu ? (int64_t)row->runqueue : 0);
	ck_assert_int_eq(account->wait_ns, (int64_t)row->wait);
	ck_assert_msg(account->overlap_ns == row->want_overlap && account->rest_ns == row->want_rest,
		      "%s: overlap %ld rest %ld", row->name, account->overlap_ns, account->rest_ns);
	ck_assert_int_eq(account->known_cpu, known_cpu);
	ck_assert_int_eq(account->known_waits, row->wait > 0);
}
END_TEST

START_TEST(an_unknown_start_has_no_account)
{
	made_call(&made, &(struct pgt_call){ .call = PGT_CALL_PARSE, .flags = PGT_CALL_NO_START, .start_ns = 9,
		  .end_ns = 9 }, 1, 0);
	run();
	ck_assert(!seen.calls[0].has_account);
}
END_TEST

/* --- sessions and totals ------------------------------------------------------ */

START_TEST(sessions_are_apart)
{
	made_session(&made, 10, 150020);
	begin(1, 0, 100);
	made.pid = 99;
	made_session(&made, 105, 170000);
	wait(110, 120);
	begin(1, 0, 130);
	wait(140, 145);
	made.pid = MADE_PID;
	wait(141, 148);
	exec(1, 0, 100, 200);
	made.pid = 99;
	exec(1, 0, 130, 300);
	made_end(&made, 400);
	made_session(&made, 500, 170000);
	run();
	expect(0, 1, 1, 7, 1, 7);
	expect(1, 1, 1, 5, 1, 5);
	ck_assert_uint_eq(seen.totals.sessions, 3);
	ck_assert_uint_eq(seen.statements, 0);
	ck_assert_int_eq(seen.totals.first_ns, 10);
	ck_assert_int_eq(seen.totals.last_ns, 500);
	/* 0x0A000011 in 17 */
	ck_assert_str_eq(seen.waits[0].name, "DataFileRead");
}
END_TEST

/* A file that names more processes than can be: memory stays bounded, nothing breaks. */
START_TEST(too_many_sessions)
{
	struct trace *trace = start();
	struct pgt_begin body = { .call = PGT_CALL_EXEC };
	struct event ev = { .head = { .kind = PGT_BEGIN, .cursor = 1 }, .body = &body, .body_length = sizeof(body) };

	for (ev.head.pid = 1; ev.head.pid <= 8200; ev.head.pid++)
		trace_apply(trace, &ev);
	seen.call_count = 0;
	ev.head.pid = 8200;
	ev.head.kind = PGT_CLOCK;
	trace_apply(trace, &ev);
	ck_assert_uint_eq(trace_totals(trace)->sessions, 8200);
	/* The 8 that were silent longest have been ended. */
	ck_assert_uint_eq(trace_totals(trace)->calls, 8);
	trace_free(trace);
}
END_TEST

START_TEST(totals_count_what_is_missing)
{
	struct pgt_header header = { .pid = MADE_PID, .dropped_records = 10 };
	struct trace *trace = start();

	made_sample(&made);
	apply_made(trace);
	trace_apply_header(trace, &header);
	finish(trace);
	ck_assert_uint_eq(seen.totals.lost_samples, 17);
	ck_assert_uint_eq(seen.totals.dropped_records, 10);
	ck_assert_uint_eq(seen.totals.cut_values, 2);
	ck_assert_uint_eq(seen.totals.failed_values, 1);
	ck_assert_uint_eq(seen.totals.unknown_records, 1);
	ck_assert_uint_eq(seen.totals.bad_records, 0);
	ck_assert_uint_eq(seen.totals.statements, 3);
}
END_TEST

START_TEST(the_wall_clock_follows_the_last_pair)
{
	struct pgt_clock clock = { .wall_us = 5000000 };

	made_session(&made, MADE_START_NS, 150020);
	run();
	ck_assert_int_eq(seen.wall_us, MADE_WALL_US);
	made_add(&made, PGT_CLOCK, 0, 0, 2000000000, &clock, sizeof(clock), NULL, 0);
	wait(2000000000, 2000007000);
	run();
	ck_assert_int_eq(seen.wall_us, 5000007);
}
END_TEST

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

/* A trace that is joined has calls from before anybody looked for waits. */
START_TEST(calls_from_before_the_watch_have_no_wait_account)
{
	static const struct pgt_watch watch;
	struct trace *trace = start();

	begin(1, 0, 1000);
	exec(1, 0, 1000, 2000);
	made_add(&made, PGT_WATCH, 0, 0, 2500, &watch, sizeof(watch), NULL, 0);
	begin(1, 0, 3000);
	exec(1, 0, 3000, 4000);
	trace_expect_waits(trace);
	apply_made(trace);
	ck_assert(!seen.calls[0].account.known_waits);
	ck_assert(seen.calls[1].account.known_waits);
	finish(trace);
}
END_TEST

START_TEST(calls_that_lost_samples_say_so)
{
	static const struct pgt_loss loss = { .reason = PGT_LOSS_RING, .count = 7, .until_ns = 4500 };
	struct trace *trace = start();

	begin(1, 0, 1000);
	exec(1, 0, 1000, 2000);
	made_add(&made, PGT_LOSS, 0, 0, 2500, &loss, sizeof(loss), NULL, 0);
	begin(1, 0, 3000);
	exec(1, 0, 3000, 4000);
	begin(1, 0, 5000);
	exec(1, 0, 5000, 6000);
	apply_made(trace);
	ck_assert(!seen.calls[0].account.cut_waits);
	ck_assert(seen.calls[1].account.cut_waits);
	ck_assert(!seen.calls[2].account.cut_waits);
	finish(trace);
	ck_assert_uint_eq(seen.totals.lost_samples, 7);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trace");
	TCase *tc = tcase_create("trace");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, waits_belong_to_the_innermost);
	tcase_add_test(tc, a_wait_over_a_beginning_is_clipped);
	tcase_add_test(tc, intervals_take_the_waits_in_them);
	tcase_add_test(tc, an_execution_inside_an_interval);
	tcase_add_test(tc, an_interval_inside_an_interval);
	tcase_add_test(tc, edges_are_mended);
	tcase_add_test(tc, a_late_end_gives_back_to_the_call_around);
	tcase_add_test(tc, an_error_leaves_nested_calls_open);
	tcase_add_test(tc, a_lost_end_does_not_hold_later_waits);
	tcase_add_test(tc, calls_left_unseen_are_closed);
	tcase_add_test(tc, a_lost_beginning_is_an_interval);
	tcase_add_loop_test(tc, open_calls_end_with_the_trace, 0, 2);
	tcase_add_test(tc, many_waits);
	tcase_add_loop_test(tc, accounts_add_up, 0, ROWS(accounts));
	tcase_add_test(tc, an_unknown_start_has_no_account);
	tcase_add_test(tc, calls_from_before_the_watch_have_no_wait_account);
	tcase_add_test(tc, calls_that_lost_samples_say_so);
	tcase_add_test(tc, sessions_are_apart);
	tcase_add_test(tc, too_many_sessions);
	tcase_add_test(tc, totals_count_what_is_missing);
	tcase_add_test(tc, the_wall_clock_follows_the_last_pair);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
