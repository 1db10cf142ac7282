/* SPDX-License-Identifier: PostgreSQL */
/*
 * Live: the wait sources that put no probe into the code, on target_wait, which does known waits.
 * Needs root and tracefs.
 */
#include <check.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live.h"
#include "probe/feature.h"
#include "probe/source.h"

#define IO_EVENT 0x0a000007u
#define TIMEOUT_EVENT 0x09000001u
#define LWLOCK_EVENT 0x01000011u

static struct wait_source tracepoints;	/* the syscall source, made to fall back */

static const struct wait_source *const sources[] = {
	&wait_sources[SOURCE_WATCHPOINT],
	&wait_sources[SOURCE_SYSCALL],
	&tracepoints,
};

#define SOURCES 3
#define IS_SYSCALL(i) ((i) > 0)

static struct live_target target;
static struct probe_set *set;
static struct ring_set *rings;
static struct live_samples samples;

static void setup(void)
{
	tracepoints = wait_sources[SOURCE_SYSCALL];
	tracepoints.open = source_open_tracepoints;
	live_start(&target);
	set = probe_set_new();
	ck_assert_ptr_nonnull(set);
	rings = ring_set_open(probe_set_output_map(set), 64);
	ck_assert_ptr_nonnull(rings);
}

static void teardown(void)
{
	live_clear(&samples);
	ring_set_free(rings);
	probe_set_free(set);
	live_stop(&target);
}

static void use(int i)
{
	ck_assert_int_eq(probe_set_use(set, sources[i]), 0);
	live_attach(set, &target);
}

/* The target waits count times for us each, and says how long that took. */
static uint64_t do_waits(uint32_t event, unsigned count, unsigned us)
{
	char line[64];
	unsigned done;
	uint64_t ns;

	snprintf(line, sizeof(line), "wait emulated %u %u %u", event, count, us);
	ck_assert_int_eq(sscanf(live_ask(&target, line), "waits %u ns %" SCNu64, &done, &ns), 2);
	/* What it does to be told the next line ends a wait that a system call has to end. */
	live_ask(&target, "switch 1");
	return ns;
}

static void expect(uint32_t event, size_t count, uint64_t least_ns, uint64_t most_ns)
{
	uint64_t sum = 0, last = 0;
	size_t i;

	live_read(rings, &samples);
	ck_assert_uint_eq(samples.count, count);
	for (i = 0; i < count; i++) {
		const struct sample_wait *wait = &samples.all[i].wait;

		ck_assert_uint_eq(wait->head.kind, SAMPLE_WAIT);
		ck_assert_uint_eq(wait->head.pid, (unsigned)target.pid);
		ck_assert_uint_eq(wait->event, event);
		ck_assert_uint_ge(wait->start_ns, last);
		ck_assert_uint_ge(wait->head.time_ns, wait->start_ns);
		last = wait->head.time_ns;
		sum += wait->head.time_ns - wait->start_ns;
	}
	ck_assert_uint_ge(sum, least_ns);
	ck_assert_uint_le(sum, most_ns);
}

static const uint32_t single_events[] = { IO_EVENT, LWLOCK_EVENT };

START_TEST(a_wait_of_one_call_is_one_sample)
{
	uint32_t event = single_events[_i % 2];
	struct task_state state;
	uint64_t ns;

	use(_i / 2);
	ns = do_waits(event, 50, 1000);
	expect(event, 50, 50000000, ns);
	ck_assert(probe_set_state(set, target.pid, &state));
	ck_assert_uint_ge(state.hits, 50);
	ck_assert_uint_eq(state.read_faults, 0);
	ck_assert_uint_eq(state.lost, 0);
	ck_assert_uint_eq(state.event, 0);
}
END_TEST

START_TEST(calls_of_one_event_are_one_wait)
{
	uint64_t ns;

	use(_i);
	ns = do_waits(TIMEOUT_EVENT, 20, 1000);
	expect(TIMEOUT_EVENT, IS_SYSCALL(_i) ? 1 : 20, 20000000, ns);
}
END_TEST

START_TEST(a_wait_without_a_call_is_seen_by_the_watchpoint)
{
	use(_i);
	do_waits(TIMEOUT_EVENT, 200, 0);
	expect(TIMEOUT_EVENT, IS_SYSCALL(_i) ? 0 : 200, 0, UINT64_MAX);
}
END_TEST

START_TEST(a_wait_that_has_left_the_kernel_is_in_the_state)
{
	struct task_state last;
	char line[64];

	use(_i);
	snprintf(line, sizeof(line), "pending %u 1000", TIMEOUT_EVENT);
	live_ask(&target, line);
	usleep(200000);
	probe_set_detach(set, target.pid, &last);
	live_read(rings, &samples);
	ck_assert_uint_eq(samples.count, IS_SYSCALL(_i) ? 0 : 1);
	if (IS_SYSCALL(_i)) {
		ck_assert_uint_eq(last.event, TIMEOUT_EVENT);
		ck_assert_uint_ge(last.end_ns, last.start_ns + 1000000);
	}
}
END_TEST

START_TEST(a_task_that_is_let_go_is_not_seen)
{
	struct task_state last;

	use(_i);
	probe_set_detach(set, target.pid, &last);
	do_waits(IO_EVENT, 20, 100);
	expect(IO_EVENT, 0, 0, 0);
	live_attach(set, &target);
	expect(IO_EVENT, 0, 0, 0);
	do_waits(IO_EVENT, 20, 100);
	expect(IO_EVENT, 20, 2000000, UINT64_MAX);
}
END_TEST

START_TEST(a_word_that_cannot_be_read_is_counted)
{
	const struct task_state state = { .wait_event_addr = 4096 };
	struct task_state now;
	size_t failed;

	ck_assert_int_eq(probe_set_use(set, &wait_sources[SOURCE_SYSCALL]), 0);
	ck_assert_int_eq(probe_set_attach(set, target.pid, &state, &failed), 0);
	do_waits(IO_EVENT, 5, 10);
	expect(IO_EVENT, 0, 0, 0);
	ck_assert(probe_set_state(set, target.pid, &now));
	ck_assert_uint_ge(now.read_faults, 5);
}
END_TEST

static size_t open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

START_TEST(nothing_stays_open)
{
	size_t before = open_files(), failed;
	struct probe_set *other = probe_set_new();
	const struct task_state state = { .wait_event_addr = target.word };

	ck_assert_ptr_nonnull(other);
	ck_assert_int_eq(probe_set_use(other, sources[_i]), 0);
	ck_assert_int_eq(probe_set_attach(other, target.pid, &state, &failed), 0);
	probe_set_free(other);
	ck_assert_uint_eq(open_files(), before);
}
END_TEST

/* x86-64 has four, and the one who asks for a fifth is told. */
START_TEST(no_debug_register_left_is_told)
{
	const struct task_state state = { .wait_event_addr = target.word };
	struct probe_set *sets[8];
	size_t failed, i;

	live_catch_log();
	for (i = 0; i < 8; i++) {
		sets[i] = probe_set_new();
		ck_assert_ptr_nonnull(sets[i]);
		ck_assert_int_eq(probe_set_use(sets[i], &wait_sources[SOURCE_WATCHPOINT]), 0);
		if (probe_set_attach(sets[i], target.pid, &state, &failed))
			break;
	}
	ck_assert_uint_eq(i, 4);
	ck_assert_int_eq(live_lines, 1);
	ck_assert_msg(strstr(live_line, "watchpoint") != NULL, "%s", live_line);
	for (i = 0; i <= 4; i++)
		probe_set_free(sets[i]);
}
END_TEST

START_TEST(each_source_is_found_by_its_name)
{
	char detail[256] = "";

	ck_assert_ptr_eq(wait_source_find(wait_sources[_i].name), &wait_sources[_i]);
	ck_assert_ptr_null(wait_source_find("auto"));
	ck_assert_int_eq(wait_sources[_i].check(detail, sizeof(detail)), FEATURE_OK);
	ck_assert_str_ne(detail, "");
	ck_assert_ptr_null(strchr(detail, '\n'));
}
END_TEST

static TCase *make_tests(void)
{
	TCase *tc = tcase_create("live");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_wait_of_one_call_is_one_sample, 0, 2 * SOURCES);
	tcase_add_loop_test(tc, calls_of_one_event_are_one_wait, 0, SOURCES);
	tcase_add_loop_test(tc, a_wait_without_a_call_is_seen_by_the_watchpoint, 0, SOURCES);
	tcase_add_loop_test(tc, a_wait_that_has_left_the_kernel_is_in_the_state, 0, SOURCES);
	tcase_add_loop_test(tc, a_task_that_is_let_go_is_not_seen, 0, SOURCES);
	tcase_add_test(tc, a_word_that_cannot_be_read_is_counted);
	tcase_add_loop_test(tc, nothing_stays_open, 0, SOURCES);
	tcase_add_test(tc, no_debug_register_left_is_told);
	tcase_add_loop_test(tc, each_source_is_found_by_its_name, 0, SOURCE_COUNT);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("source");
	const struct feature *lacking;
	char detail[256];
	SRunner *runner;
	int failed;

	lacking = feature_first_missing(detail, sizeof(detail));
	if (lacking) {
		printf("SKIP: %s: %s; %s\n", lacking->name, detail, lacking->mend);
		return 77;
	}
	suite_add_tcase(suite, make_tests());
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_FORK);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
