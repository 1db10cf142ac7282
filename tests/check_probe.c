/* SPDX-License-Identifier: PostgreSQL */
/* Live: traces target_wait, which does known waits and says what it did.  Needs root and tracefs. */
#include <check.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/xmalloc.h"
#include "live.h"
#include "probe/feature.h"
#include "probe/tracefs.h"

#define EVENT 0x0a000007u

static struct live_target target;
static struct probe_set *set;
static struct ring_set *rings;
static struct live_samples samples;
static char group[GROUP_SIZE];

static void setup(void)
{
	live_start(&target);
	set = probe_set_new();
	ck_assert_ptr_nonnull(set);
	rings = ring_set_open(probe_set_output_map(set), 64);
	ck_assert_ptr_nonnull(rings);
	uprobe_group(group);
}

static void teardown(void)
{
	live_clear(&samples);
	ring_set_free(rings);
	probe_set_free(set);
	live_stop(&target);
	ck_assert_uint_eq(live_definitions(group), 0);
}

static void define(const char *site, enum program_id program)
{
	const struct probe probe = live_probe(&target, site, program);

	ck_assert_int_eq(probe_set_define(set, target.exe, &probe, 1), 0);
}

static const char *const kinds[] = { "emulated", "stepped", "return" };

static void define_kind(const char *kind)
{
	char site[32];

	snprintf(site, sizeof(site), "start_%s", kind);
	define(site, PROGRAM_WAIT);
	snprintf(site, sizeof(site), "end_%s", kind);
	define(site, PROGRAM_WAIT);
}

static uint64_t ask_waits(const char *line)
{
	unsigned count;
	uint64_t ns;

	ck_assert_int_eq(sscanf(live_ask(&target, line), "waits %u ns %" SCNu64, &count, &ns), 2);
	return ns;
}

/* Samples one after the other, each at least us long, together not longer than the target said. */
static void expect_waits(size_t count, unsigned us, uint64_t total_ns)
{
	uint64_t sum = 0, last_end = 0;
	size_t i;

	live_read(rings, &samples);
	ck_assert_uint_eq(samples.count, count);
	for (i = 0; i < count; i++) {
		const struct sample_wait *wait = &samples.all[i].wait;

		ck_assert_uint_eq(wait->head.kind, SAMPLE_WAIT);
		ck_assert_uint_eq(wait->head.pid, (unsigned)target.pid);
		ck_assert_uint_eq(wait->event, EVENT);
		ck_assert_uint_ge(wait->start_ns, last_end);
		ck_assert_uint_ge(wait->head.time_ns, wait->start_ns + us * 1000);
		last_end = wait->head.time_ns;
		sum += wait->head.time_ns - wait->start_ns;
	}
	ck_assert_uint_le(sum, total_ns);
}

START_TEST(every_wait_is_one_sample)
{
	struct task_state state;
	char line[64];

	define_kind(kinds[_i]);
	live_attach(set, &target);
	snprintf(line, sizeof(line), "wait %s %u 50 1000", kinds[_i], EVENT);
	expect_waits(50, 1000, ask_waits(line));
	ck_assert(probe_set_state(set, target.pid, &state));
	ck_assert_uint_eq(state.hits, 100);
	ck_assert_uint_eq(state.read_faults, 0);
	ck_assert_uint_eq(state.event, 0);
}
END_TEST

START_TEST(merged_sites_split_equal_waits)
{
	char line[64];

	define("merged", PROGRAM_WAIT_MERGED);
	define("end_emulated", PROGRAM_WAIT);
	live_attach(set, &target);
	snprintf(line, sizeof(line), "merged %u 200", EVENT);
	expect_waits(200, 0, ask_waits(line));
}
END_TEST

START_TEST(a_hit_without_a_change_is_no_wait)
{
	struct task_state state;
	char line[64];

	define("merged", PROGRAM_WAIT);
	define("end_emulated", PROGRAM_WAIT);
	live_attach(set, &target);
	snprintf(line, sizeof(line), "merged %u 200", EVENT);
	expect_waits(1, 0, ask_waits(line));
	ck_assert(probe_set_state(set, target.pid, &state));
	ck_assert_uint_eq(state.hits, 201);
}
END_TEST

START_TEST(a_word_that_cannot_be_read_is_counted)
{
	const struct task_state wrong = { .wait_event_addr = 8 };
	struct task_state state;
	size_t failed;
	char line[64];

	define_kind("emulated");
	ck_assert_int_eq(probe_set_attach(set, target.pid, &wrong, &failed), 0);
	snprintf(line, sizeof(line), "wait emulated %u 10 0", EVENT);
	expect_waits(0, 0, ask_waits(line));
	ck_assert(probe_set_state(set, target.pid, &state));
	ck_assert_uint_eq(state.read_faults, 20);
	ck_assert_uint_eq(state.hits, 20);
}
END_TEST

START_TEST(a_wait_under_way_has_no_start)
{
	const struct task_state state = { .wait_event_addr = target.word };
	uint32_t under_way = 77;
	struct iovec here = { &under_way, sizeof(under_way) };
	struct iovec there = { (void *)(uintptr_t)target.word, sizeof(under_way) };
	size_t failed;
	char line[64];

	define_kind("emulated");
	ck_assert_int_eq(process_vm_writev(target.pid, &here, 1, &there, 1, 0), sizeof(under_way));
	ck_assert_int_eq(probe_set_attach(set, target.pid, &state, &failed), 0);
	snprintf(line, sizeof(line), "wait emulated %u 1 0", EVENT);
	ask_waits(line);
	live_read(rings, &samples);
	ck_assert_uint_eq(samples.count, 2);
	ck_assert_uint_eq(samples.all[0].wait.event, 77);
	ck_assert_uint_eq(samples.all[0].wait.start_ns, 0);
	ck_assert_uint_eq(samples.all[1].wait.event, EVENT);
}
END_TEST

START_TEST(detach_tells_the_open_wait)
{
	struct task_state last;
	char line[64];

	define_kind("emulated");
	live_attach(set, &target);
	snprintf(line, sizeof(line), "wait emulated %u 1 400000", EVENT);
	live_tell(&target, line);
	usleep(150000);
	probe_set_detach(set, target.pid, &last);
	ck_assert_uint_eq(last.event, EVENT);
	ck_assert_uint_gt(last.start_ns, 0);
	ck_assert(!probe_set_state(set, target.pid, &last));
	live_answer(&target);
	live_read(rings, &samples);
	ck_assert_uint_eq(samples.count, 0);
}
END_TEST

static void expect_activity(size_t i, unsigned state, const char *text)
{
	ck_assert_uint_lt(i, samples.count);
	ck_assert_uint_eq(samples.all[i].head.kind, SAMPLE_ACTIVITY);
	ck_assert_uint_eq(samples.all[i].head.pid, (unsigned)target.pid);
	ck_assert_uint_eq(samples.all[i].activity.state, state);
	ck_assert_str_eq(samples.all[i].text, text);
}

START_TEST(activity_brings_the_text)
{
	define("activity", PROGRAM_ACTIVITY);
	live_attach(set, &target);
	live_ask(&target, "activity 2 select 1 -- \303\251");
	live_ask(&target, "activity 1");
	live_ask(&target, "activity 2 x");
	live_read(rings, &samples);
	ck_assert_uint_eq(samples.count, 3);
	expect_activity(0, 2, "select 1 -- \303\251");
	expect_activity(1, 1, "");
	expect_activity(2, 2, "x");
}
END_TEST

START_TEST(a_long_text_is_cut)
{
	static const unsigned lengths[] = { SAMPLE_TEXT_MAX - 2, SAMPLE_TEXT_MAX - 1, SAMPLE_TEXT_MAX, 100000 };
	char line[64];
	size_t i;

	define("activity", PROGRAM_ACTIVITY);
	live_attach(set, &target);
	for (i = 0; i < 4; i++) {
		snprintf(line, sizeof(line), "long %u", lengths[i]);
		live_ask(&target, line);
		live_read(rings, &samples);
	}
	ck_assert_uint_eq(samples.count, 4);
	for (i = 0; i < 4; i++)
		ck_assert_uint_eq(samples.all[i].activity.length,
				  lengths[i] < SAMPLE_TEXT_MAX - 1 ? lengths[i] : SAMPLE_TEXT_MAX - 1);
	ck_assert_uint_eq(strspn(samples.all[3].text, "x"), SAMPLE_TEXT_MAX - 1);
}
END_TEST

/* The program stays when the task that was attached first goes. */
START_TEST(tasks_come_and_go)
{
	struct live_target second, third;
	char line[64];

	live_start(&second);
	live_start(&third);
	define_kind("emulated");
	live_attach(set, &target);
	live_attach(set, &second);
	probe_set_detach(set, target.pid, NULL);
	snprintf(line, sizeof(line), "wait emulated %u 5 0", EVENT);
	live_ask(&target, line);
	live_ask(&third, line);
	live_ask(&second, line);
	live_read(rings, &samples);
	ck_assert_uint_eq(samples.count, 5);
	ck_assert_uint_eq(samples.all[0].head.pid, (unsigned)second.pid);
	live_clear(&samples);
	live_attach(set, &target);
	expect_waits(5, 0, ask_waits(line));
	live_stop(&second);
	live_stop(&third);
}
END_TEST

START_TEST(later_probes_join_an_attached_task)
{
	char line[64];

	define("start_emulated", PROGRAM_WAIT);
	live_attach(set, &target);
	define("end_emulated", PROGRAM_WAIT);
	live_attach(set, &target);
	snprintf(line, sizeof(line), "wait emulated %u 5 0", EVENT);
	expect_waits(5, 0, ask_waits(line));
}
END_TEST

/* One event holds them all, so the refused one must be told from the rest. */
START_TEST(a_refused_place_does_not_spoil_the_rest)
{
	const struct task_state state = { .wait_event_addr = target.word };
	struct probe probes[24];
	size_t i, failed;
	char line[64];

	for (i = 0; i < 24; i++) {
		probes[i] = live_probe(&target, "pad", PROGRAM_WAIT);
		probes[i].offset += 2 * i;
	}
	probes[5] = live_probe(&target, "refused", PROGRAM_WAIT);
	probes[7] = live_probe(&target, "start_emulated", PROGRAM_WAIT);
	probes[8] = probes[7];
	probes[23] = live_probe(&target, "end_emulated", PROGRAM_WAIT);
	ck_assert_int_eq(probe_set_define(set, target.exe, probes, 24), 0);
	ck_assert_int_eq(probe_set_attach(set, target.pid, &state, &failed), 0);
	ck_assert_uint_eq(failed, 1);
	snprintf(line, sizeof(line), "wait emulated %u 5 0", EVENT);
	expect_waits(5, 0, ask_waits(line));
}
END_TEST

static uint64_t drain(uint64_t *lost)
{
	const struct sample *sample;
	uint64_t waits = 0;
	size_t i, size;

	for (i = 0; i < ring_set_count(rings); i++) {
		while ((sample = ring_next(ring_set_ring(rings, i), &size)))
			if (sample->kind == SAMPLE_LOST)
				*lost += ((const struct sample_lost *)sample)->count;
			else
				waits++;
		ring_done(ring_set_ring(rings, i));
	}
	return waits;
}

/* 16 pages hold some thousand of them.  On one CPU, so that the next wait there brings the news. */
START_TEST(what_a_full_ring_loses_is_told)
{
	struct epoll_event event;
	struct task_state state;
	uint64_t lost = 0, waits;
	cpu_set_t first;
	char line[64];

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	ck_assert_int_eq(sched_setaffinity(target.pid, sizeof(first), &first), 0);
	ring_set_free(rings);
	rings = ring_set_open(probe_set_output_map(set), 16);
	define_kind("emulated");
	live_attach(set, &target);
	ck_assert_int_eq(epoll_wait(ring_set_fd(rings), &event, 1, 0), 0);
	snprintf(line, sizeof(line), "wait emulated %u 20000 0", EVENT);
	ask_waits(line);
	ck_assert_int_eq(epoll_wait(ring_set_fd(rings), &event, 1, 1000), 1);
	waits = drain(&lost);
	ck_assert_uint_eq(lost, 0);
	ck_assert(probe_set_state(set, target.pid, &state));
	ck_assert_uint_eq(waits + state.lost, 20000);
	snprintf(line, sizeof(line), "wait emulated %u 1 0", EVENT);
	ask_waits(line);
	ck_assert_uint_eq(drain(&lost), 1);
	ck_assert_uint_eq(lost, state.lost);
	ck_assert_uint_eq(waits + lost, 20000);
}
END_TEST

START_TEST(a_cpu_without_a_ring_is_counted)
{
	struct task_state state;
	char line[64];

	ring_set_free(rings);
	rings = NULL;
	define_kind("emulated");
	live_attach(set, &target);
	snprintf(line, sizeof(line), "wait emulated %u 7 0", EVENT);
	ask_waits(line);
	ck_assert(probe_set_state(set, target.pid, &state));
	ck_assert_uint_eq(state.lost, 7);
	ck_assert_uint_eq(state.hits, 14);
}
END_TEST

START_TEST(a_target_may_die)
{
	struct task_state last;
	char line[64];

	define_kind("emulated");
	live_attach(set, &target);
	snprintf(line, sizeof(line), "wait emulated %u 1 10000000", EVENT);
	live_tell(&target, line);
	usleep(50000);
	kill(target.pid, SIGKILL);
	waitpid(target.pid, NULL, 0);
	probe_set_detach(set, target.pid, &last);
	ck_assert_uint_eq(last.event, EVENT);
}
END_TEST

/* --- refusals ---------------------------------------------------------------- */

START_TEST(a_pid_that_is_gone_is_told)
{
	const struct task_state state = { .wait_event_addr = target.word };
	size_t failed;
	pid_t gone = fork();

	if (gone == 0)
		_exit(0);
	waitpid(gone, NULL, 0);
	define_kind("emulated");
	live_catch_log();
	ck_assert_int_eq(probe_set_attach(set, gone, &state, &failed), -1);
	ck_assert_int_eq(live_lines, 1);
	ck_assert_ptr_nonnull(strstr(live_line, "the process has ended"));
	ck_assert(!probe_set_state(set, gone, &(struct task_state){ 0 }));
}
END_TEST

static const struct {
	const char *path;
	uint64_t offset;
	const char *says;
} refusals[] = {
	{ "/bin/a b", 16, "takes no path such as" },
	{ "/bin/sh:1\np:x/y", 16, "takes no path such as" },
	{ "", 16, "takes no path such as" },
	{ "/nonexistent/postgres", 16, "No such file" },
	{ "/proc/self/exe", UINT64_MAX / 2, "Invalid argument" },
};

START_TEST(a_definition_that_is_refused_is_told)
{
	struct probe probes[2] = { live_probe(&target, "start_emulated", PROGRAM_WAIT),
				   { .offset = refusals[_i].offset, .program = PROGRAM_WAIT } };

	ck_assert_int_eq(probe_set_define(set, target.exe, probes, 1), 0);
	live_catch_log();
	ck_assert_int_eq(probe_set_define(set, refusals[_i].path, probes + 1, 1), -1);
	ck_assert_int_eq(live_lines, 1);
	ck_assert_msg(strstr(live_line, refusals[_i].says) != NULL, "%s", live_line);
}
END_TEST

/* --- what is left ------------------------------------------------------------ */

/* A collector: defines, attaches if asked to, says so, and waits to be killed. */
static pid_t start_collector(char *its_group, bool attaches)
{
	int ready[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		/* The forked copy shares the parent's descriptors; its own set is new. */
		set = probe_set_new();
		define_kind("emulated");
		if (attaches)
			live_attach(set, &target);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	snprintf(its_group, GROUP_SIZE, "pgtrace_%d_", (int)pid);
	return pid;
}

static void kill_collector(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* A definition that is none of ours; named after the runner, which outlives a test that fails. */
static pid_t runner_pid;

static void foreign_group(char *name, size_t size)
{
	snprintf(name, size, "someone_%d", (int)runner_pid);
}

static void remove_foreign(void)
{
	int events = uprobe_events_open();
	char name[32];

	foreign_group(name, sizeof(name));
	if (live_definitions(name))
		uprobe_events_remove(events, name, "else", 0);
	close(events);
}

/* How many we removed is not asked: a collector that starts elsewhere on this machine may have been first. */
static void sweep(const char *orphans)
{
	ck_assert_int_ge(probe_sweep_orphans(0), 0);
	ck_assert_uint_eq(live_definitions(orphans), 0);
}

START_TEST(orphans_are_swept_and_nothing_else)
{
	char dead_group[GROUP_SIZE], living_group[GROUP_SIZE], foreign[32], line[128];
	pid_t dead = start_collector(dead_group, _i), living = start_collector(living_group, _i);
	int events = uprobe_events_open();

	foreign_group(foreign, sizeof(foreign));
	snprintf(line, sizeof(line), "p:%s/else %s:0x%" PRIx64 "\n", foreign, target.exe, target.sites[0].offset);
	ck_assert_int_eq(uprobe_events_write(events, line), 0);
	ck_assert_uint_eq(live_definitions(dead_group), 2);
	kill_collector(dead);
	sweep(dead_group);
	ck_assert_uint_eq(live_definitions(living_group), 2);
	ck_assert_uint_eq(live_definitions(foreign), 1);
	ck_assert_int_eq(uprobe_events_remove(events, foreign, "else", 0), 0);
	close(events);
	kill_collector(living);
	sweep(living_group);
}
END_TEST

/* The pid was used again: alive, but started at another time. */
START_TEST(an_orphan_is_known_by_its_start_time)
{
	char line[128], name[64];
	int events = uprobe_events_open();

	snprintf(name, sizeof(name), "pgtrace_%d_12", (int)getpid());
	snprintf(line, sizeof(line), "p:%s/e0_0 %s:0x%" PRIx64 "\n", name, target.exe, target.sites[0].offset);
	ck_assert_int_eq(uprobe_events_write(events, line), 0);
	define_kind("emulated");
	sweep(name);
	ck_assert_uint_eq(live_definitions(group), 2);
	close(events);
}
END_TEST

START_TEST(a_half_built_set_leaves_nothing)
{
	struct probe_set *other = probe_set_new();
	const struct probe probe = live_probe(&target, "merged", PROGRAM_WAIT);

	define_kind("emulated");
	ck_assert_int_eq(probe_set_define(other, target.exe, &probe, 1), 0);
	ck_assert_uint_eq(live_definitions(group), 3);
	probe_set_free(other);
	ck_assert_uint_eq(live_definitions(group), 2);
	probe_set_free(probe_set_new());
	probe_set_free(NULL);
}
END_TEST

/* Events that a child still has open cannot be removed yet. */
START_TEST(removal_waits_for_a_child)
{
	struct probe_set *other = probe_set_new();
	const struct probe probe = live_probe(&target, "merged", PROGRAM_WAIT);
	pid_t child;

	ck_assert_int_eq(probe_set_define(other, target.exe, &probe, 1), 0);
	child = fork();
	if (child == 0) {
		usleep(100000);
		_exit(0);
	}
	live_catch_log();
	probe_set_free(other);
	ck_assert_uint_eq(live_definitions(group), 0);
	ck_assert_msg(live_lines == 0, "%s", live_line);
	waitpid(child, NULL, 0);
}
END_TEST

static TCase *cases(void)
{
	TCase *tc = tcase_create("live");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, every_wait_is_one_sample, 0, 3);
	tcase_add_test(tc, merged_sites_split_equal_waits);
	tcase_add_test(tc, a_hit_without_a_change_is_no_wait);
	tcase_add_test(tc, a_word_that_cannot_be_read_is_counted);
	tcase_add_test(tc, a_wait_under_way_has_no_start);
	tcase_add_test(tc, detach_tells_the_open_wait);
	tcase_add_test(tc, activity_brings_the_text);
	tcase_add_test(tc, a_long_text_is_cut);
	tcase_add_test(tc, tasks_come_and_go);
	tcase_add_test(tc, later_probes_join_an_attached_task);
	tcase_add_test(tc, a_refused_place_does_not_spoil_the_rest);
	tcase_add_test(tc, what_a_full_ring_loses_is_told);
	tcase_add_test(tc, a_cpu_without_a_ring_is_counted);
	tcase_add_test(tc, a_target_may_die);
	tcase_add_test(tc, a_pid_that_is_gone_is_told);
	tcase_add_loop_test(tc, a_definition_that_is_refused_is_told, 0, sizeof(refusals) / sizeof(refusals[0]));
	tcase_add_unchecked_fixture(tc, NULL, remove_foreign);
	tcase_add_loop_test(tc, orphans_are_swept_and_nothing_else, 0, 2);
	tcase_add_test(tc, an_orphan_is_known_by_its_start_time);
	tcase_add_test(tc, a_half_built_set_leaves_nothing);
	tcase_add_test(tc, removal_waits_for_a_child);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("probe");
	const struct feature *lacking;
	char detail[256];
	SRunner *runner;
	int failed;

	runner_pid = getpid();
	lacking = feature_first_missing(detail, sizeof(detail));
	if (lacking) {
		printf("SKIP: %s: %s; %s\n", lacking->name, detail, lacking->mend);
		return 77;
	}
	suite_add_tcase(suite, cases());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
