/* SPDX-License-Identifier: PostgreSQL */
/* Whose a line of uprobe_events is; needs no privilege. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/orphan.h"
#include "probe/tracefs.h"

static const struct {
	const char *line;
	const char *event;	/* NULL: not ours */
	pid_t pid;
	uint64_t start;
} lines[] = {
	{ "p:pgtrace_12_3456/e0_0 /proc/12/exe:0x0000000000000010", "e0_0", 12, 3456 },
	{ "r:pgtrace_1_18446744073709551615/E1 /bin/sh:0x10", "E1", 1, UINT64_MAX },
	{ "p:pgtrace_12/e0 /bin/sh:0x10", NULL, 0, 0 },
	{ "p:pgtrace_12_34x/e0 /bin/sh:0x10", NULL, 0, 0 },
	{ "p:pgtrace_12_34_5/e0 /bin/sh:0x10", NULL, 0, 0 },
	{ "p:pgtrace_x_34/e0 /bin/sh:0x10", NULL, 0, 0 },
	{ "p:pgtrace_0_34/e0 /bin/sh:0x10", NULL, 0, 0 },
	{ "p:mypgtrace_12_34/e0 /bin/sh:0x10", NULL, 0, 0 },
	{ "p:uprobes/pgtrace_12_34 /bin/sh:0x10", NULL, 0, 0 },
	{ "p:pgtrace_12_34 /bin/sh:0x10", NULL, 0, 0 },
	{ "", NULL, 0, 0 },
};

START_TEST(lines_of_ours_are_known)
{
	struct orphan_name name;

	ck_assert_int_eq(orphan_parse(lines[_i].line, &name), lines[_i].event != NULL);
	if (!lines[_i].event)
		return;
	ck_assert_str_eq(name.event, lines[_i].event);
	ck_assert_int_eq(name.pid, lines[_i].pid);
	ck_assert_uint_eq(name.start, lines[_i].start);
}
END_TEST

START_TEST(our_own_group_is_ours)
{
	char group[GROUP_SIZE], line[128];
	struct orphan_name name;
	uint64_t start;

	ck_assert(process_start(getpid(), &start));
	snprintf(line, sizeof(line), "p:%s/e0_0 /bin/sh:0x10", uprobe_group(group));
	ck_assert(orphan_parse(line, &name));
	ck_assert_int_eq(name.pid, getpid());
	ck_assert_uint_eq(name.start, start);
}
END_TEST

/* Field 22 of /proc/PID/stat, asked of another reader of it. */
START_TEST(start_time_is_field_22)
{
	unsigned long long expected;
	uint64_t start;
	char command[128];
	FILE *other;

	snprintf(command, sizeof(command), "sed 's/.*) //' /proc/%d/stat | cut -d' ' -f20", (int)getpid());
	other = popen(command, "r");
	ck_assert_ptr_nonnull(other);
	ck_assert_int_eq(fscanf(other, "%llu", &expected), 1);
	pclose(other);
	ck_assert(process_start(getpid(), &start));
	ck_assert_uint_eq(start, expected);
}
END_TEST

START_TEST(the_dead_have_no_start)
{
	uint64_t start;
	pid_t pid = fork();

	if (pid == 0)
		pause();
	ck_assert(process_start(pid, &start));
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	ck_assert(!process_start(pid, &start));		/* a zombie */
	waitpid(pid, NULL, 0);
	ck_assert(!process_start(pid, &start));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("orphan");
	TCase *tc = tcase_create("orphan");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, lines_of_ours_are_known, 0, sizeof(lines) / sizeof(lines[0]));
	tcase_add_test(tc, our_own_group_is_ours);
	tcase_add_test(tc, start_time_is_field_22);
	tcase_add_test(tc, the_dead_have_no_start);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
