/* SPDX-License-Identifier: PostgreSQL */
/* What is refused and why, one line each; and the control file's collector side. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "target/control.h"
#include "target/proc.h"
#include "target/target.h"

static char said[4096];
static int lines;

static void keep_line(const char *line, void *arg)
{
	(void)arg;
	lines++;
	snprintf(said, sizeof(said), "%s", line);
}

static void setup(void)
{
	lines = 0;
	said[0] = '\0';
	log_set_hook(keep_line, NULL);
}

static void refuses(pid_t pid, const char *because)
{
	struct target target;

	ck_assert_int_eq(target_open(&target, pid), -1);
	target_release(&target);
	ck_assert_int_eq(lines, 1);
	ck_assert_msg(strstr(said, because) != NULL, "'%s' does not say '%s'", said, because);
}

START_TEST(refuses_a_pid_that_is_none)
{
	pid_t child = fork();

	if (!child)
		_exit(0);
	waitpid(child, NULL, 0);
	refuses(child, "no process");
}
END_TEST

START_TEST(refuses_what_is_no_server)
{
	refuses(getpid(), "is no PostgreSQL server process");
}
END_TEST

START_TEST(refuses_a_kernel_thread)
{
	if (access("/proc/2/stat", R_OK) || geteuid())
		return;
	refuses(2, "kernel thread");
}
END_TEST

/* A process that looks like the postmaster: its working directory says so. */
START_TEST(refuses_the_postmaster)
{
	char dir[] = "/tmp/check_target.XXXXXX", path[64];
	pid_t child;
	FILE *file;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/PG_VERSION", dir);
	file = fopen(path, "w");
	fputs("15\n", file);
	fclose(file);
	child = fork();
	if (!child) {
		if (chdir(dir))
			_exit(1);
		pause();
		_exit(0);
	}
	snprintf(path, sizeof(path), "%s/postmaster.pid", dir);
	file = fopen(path, "w");
	fprintf(file, "%d\n%s\n", (int)child, dir);
	fclose(file);
	while (true) {	/* until the child is there */
		char *cwd = proc_link(child, "cwd");
		bool there = cwd && !strcmp(cwd, dir);

		free(cwd);
		if (there)
			break;
		usleep(1000);
	}
	refuses(child, "is the postmaster");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	unlink(path);
	snprintf(path, sizeof(path), "%s/PG_VERSION", dir);
	unlink(path);
	rmdir(dir);
}
END_TEST

START_TEST(reads_its_own_stat)
{
	ck_assert_int_eq(proc_parent(getpid()), getppid());
	ck_assert_uint_ne(proc_start_ticks(getpid()), 0);
	ck_assert_int_eq(proc_own_pid(getpid()), getpid());
	ck_assert_uint_eq(proc_start_ticks(0), 0);
}
END_TEST

/* --- the control file ---------------------------------------------------------- */

enum { SLOTS = 8 };

static char control_path[] = "/tmp/check_control.XXXXXX";

static void write_control(uint32_t slots, size_t size, const char *magic)
{
	struct pgt_control head = { .slots = slots, .slot_size = sizeof(struct pgt_slot) };
	int fd = open(control_path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	memcpy(head.magic, magic, sizeof(head.magic));
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, size), 0);
	ck_assert_int_eq(pwrite(fd, &head, sizeof(head), 0), sizeof(head));
	close(fd);
}

static size_t whole_size(void)
{
	return PGT_CONTROL_HEADER + SLOTS * sizeof(struct pgt_slot);
}

static void control_setup(void)
{
	setup();
	strcpy(control_path, "/tmp/check_control.XXXXXX");
	close(mkstemp(control_path));
}

static void control_teardown(void)
{
	unlink(control_path);
}

START_TEST(refuses_what_is_no_control_file)
{
	static const struct { uint32_t slots; size_t size; const char *magic; } rows[] = {
		{ SLOTS, 0, PGT_CONTROL_MAGIC },
		{ SLOTS, 100, PGT_CONTROL_MAGIC },
		{ SLOTS + 1, PGT_CONTROL_HEADER + SLOTS * sizeof(struct pgt_slot), PGT_CONTROL_MAGIC },
		{ 0, PGT_CONTROL_HEADER + SLOTS * sizeof(struct pgt_slot), PGT_CONTROL_MAGIC },
		{ UINT32_MAX, PGT_CONTROL_HEADER + SLOTS * sizeof(struct pgt_slot), PGT_CONTROL_MAGIC },
		{ SLOTS, PGT_CONTROL_HEADER + SLOTS * sizeof(struct pgt_slot), "PGTCTL0" },
	};

	write_control(rows[_i].slots, rows[_i].size, rows[_i].magic);
	if (rows[_i].size < sizeof(struct pgt_control))
		ck_assert_int_eq(truncate(control_path, rows[_i].size), 0);
	ck_assert_ptr_null(control_open(control_path, 77));
	ck_assert_int_eq(lines, 1);
	ck_assert_ptr_nonnull(strstr(said, "is no control file"));
}
END_TEST

/* The backend's side by hand. */
static struct pgt_slot read_slot(uint32_t pid, off_t *offset)
{
	struct pgt_slot slot;
	int fd = open(control_path, O_RDONLY), i;

	for (i = 0; i < SLOTS; i++) {
		*offset = PGT_CONTROL_HEADER + i * (off_t)sizeof(slot);
		ck_assert_int_eq(pread(fd, &slot, sizeof(slot), *offset), sizeof(slot));
		if (slot.pid == pid)
			break;
	}
	close(fd);
	ck_assert_uint_eq(slot.pid, pid);
	return slot;
}

static void write_slot(const struct pgt_slot *slot, off_t offset)
{
	int fd = open(control_path, O_RDWR);

	ck_assert_int_eq(pwrite(fd, slot, sizeof(*slot), offset), sizeof(*slot));
	close(fd);
}

START_TEST(asks_and_is_answered)
{
	struct control *control;
	struct pgt_slot slot;
	char base[PGT_BASE_SIZE];
	off_t offset;
	char *path;

	write_control(SLOTS, whole_size(), PGT_CONTROL_MAGIC);
	control = control_open(control_path, 77);
	ck_assert_ptr_nonnull(control);
	ck_assert(!control_is_tracing(control));
	ck_assert_int_eq(control_start(control, 12, "pg_trace_77_1"), 0);
	ck_assert_int_eq(control_poll(control), CONTROL_WAITING);
	slot = read_slot(77, &offset);
	ck_assert_uint_eq(slot.request, PGT_REQUEST_START);
	ck_assert_uint_eq(slot.request_level, 12);
	ck_assert_str_eq(slot.base, "pg_trace_77_1");
	ck_assert_uint_ne(slot.heartbeat_ns, 0);
	slot.state = PGT_SLOT_TRACING;
	strcpy(slot.record, "../x");	/* a name, never a path */
	slot.answer_seq = slot.request_seq;
	write_slot(&slot, offset);
	ck_assert_int_eq(control_poll(control), CONTROL_TRACING);
	control_base(control, base);
	ck_assert_str_eq(base, ".._x");
	path = control_record_path(control, base);
	ck_assert_str_eq(path, "/tmp/.._x.rec");
	free(path);
	control_stop(control);
	ck_assert_int_eq(control_poll(control), CONTROL_WAITING);
	ck_assert_uint_eq(read_slot(77, &offset).request, PGT_REQUEST_STOP);
	control_close(control);
}
END_TEST

START_TEST(a_full_table_is_said)
{
	struct control *control[SLOTS];
	int i;

	write_control(SLOTS, whole_size(), PGT_CONTROL_MAGIC);
	for (i = 0; i < SLOTS; i++) {
		control[i] = control_open(control_path, 100 + i);
		ck_assert_ptr_nonnull(control[i]);
	}
	ck_assert_ptr_null(control_open(control_path, 99));
	ck_assert_ptr_nonnull(strstr(said, "no free slot"));
	for (i = 0; i < SLOTS; i++)
		control_close(control[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("target");
	TCase *tc = tcase_create("target"), *control = tcase_create("control");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, refuses_a_pid_that_is_none);
	tcase_add_test(tc, refuses_what_is_no_server);
	tcase_add_test(tc, refuses_a_kernel_thread);
	tcase_add_test(tc, refuses_the_postmaster);
	tcase_add_test(tc, reads_its_own_stat);
	tcase_add_checked_fixture(control, control_setup, control_teardown);
	tcase_add_loop_test(control, refuses_what_is_no_control_file, 0, 6);
	tcase_add_test(control, asks_and_is_answered);
	tcase_add_test(control, a_full_table_is_said);
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, control);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
