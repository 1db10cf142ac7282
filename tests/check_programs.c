/* SPDX-License-Identifier: PostgreSQL */
/* Live: the kernel's verifier accepts every program, and refuses what it must.  Needs root. */
#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "kernel/asm.h"
#include "kernel/programs.h"
#include "live.h"
#include "probe/feature.h"
#include "probe/loader.h"

START_TEST(all_load)
{
	struct loaded loaded;
	int i;

	ck_assert_int_eq(load_programs(&loaded), 0);
	for (i = 0; i < PROGRAM_COUNT; i++) {
		if (programs[i].type != BPF_PROG_TYPE_KPROBE)
			ck_assert_int_eq(load_as(&loaded, (enum program_id)i, programs[i].type), 0);
		ck_assert_int_ge(loaded.programs[i], 0);
	}
	ck_assert_int_eq(load_as(&loaded, PROGRAM_SYS_EXIT, BPF_PROG_TYPE_TRACEPOINT), 0);
	unload_programs(&loaded);
	ck_assert_int_eq(loaded.programs[0], -1);
	ck_assert_int_eq(loaded.maps[0], -1);
}
END_TEST

static void no_exit(struct assembler *a)
{
	asm_emit(a, MOV_IMM(R0, 0));
}

static void unset_register(struct assembler *a)
{
	asm_emit(a, MOV_REG(R0, R5));
	asm_emit(a, EXIT());
}

static void past_the_stack(struct assembler *a)
{
	asm_emit(a, MOV_IMM(R0, 0));
	asm_emit(a, STORE(BPF_DW, R10, -520, R0));
	asm_emit(a, EXIT());
}

static void map_value_unchecked(struct assembler *a)
{
	asm_emit(a, STORE_IMM(BPF_W, R10, -4, 0));
	asm_emit(a, MOV_REG(R2, R10));
	asm_emit(a, ALU_IMM(BPF_ADD, R2, -4));
	asm_map(a, R1, MAP_STATE);
	asm_emit(a, CALL(BPF_FUNC_map_lookup_elem));
	asm_emit(a, LOAD(BPF_DW, R0, R0, 0));
	asm_emit(a, EXIT());
}

/* Words of the verifier that show it refused for the reason meant. */
static const struct {
	void (*build)(struct assembler *a);
	const char *says;
} refused[] = {
	{ no_exit, "last insn is not an exit" },
	{ unset_register, "R5 !read_ok" },
	{ past_the_stack, "invalid write to stack" },
	{ map_value_unchecked, "map_value_or_null" },
};

START_TEST(a_refusal_is_told_in_one_line)
{
	struct assembler a;
	struct loaded loaded;

	ck_assert_int_eq(load_programs(&loaded), 0);
	asm_init(&a);
	refused[_i].build(&a);
	ck_assert_int_eq(asm_finish(&a), 0);
	ck_assert_int_eq(asm_bind_maps(&a, loaded.maps, MAP_COUNT), 0);
	live_catch_log();
	ck_assert_int_eq(load_program(BPF_PROG_TYPE_KPROBE, "pgt_refused", a.insns, a.count), -1);
	ck_assert_int_eq(live_lines, 1);
	ck_assert_msg(strstr(live_line, refused[_i].says) != NULL, "%s", live_line);
	ck_assert_ptr_null(strchr(live_line, '\n'));
	unload_programs(&loaded);
}
END_TEST

START_TEST(every_feature_is_there)
{
	char detail[256] = "";

	ck_assert_int_eq(feature_check(feature_at(_i), detail, sizeof(detail)), FEATURE_OK);
	ck_assert_str_ne(detail, "");
	ck_assert_ptr_null(strchr(detail, '\n'));
}
END_TEST

/* In a mount namespace of its own. */
static void hide_tracefs(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	while (umount2("/sys/kernel/debug/tracing", MNT_DETACH) == 0)
		;
	while (umount2("/sys/kernel/debug", MNT_DETACH) == 0)
		;
	while (umount2("/sys/kernel/tracing", MNT_DETACH) == 0)
		;
}

START_TEST(tracefs_not_mounted_is_told)
{
	char detail[256];
	const struct feature *lacking;

	hide_tracefs();
	live_catch_log();
	ck_assert_ptr_null(probe_set_new());
	ck_assert_int_eq(live_lines, 1);
	ck_assert_msg(strstr(live_line, "mount -t tracefs") != NULL, "%s", live_line);
	ck_assert_int_eq(probe_sweep_orphans(0), -ENOENT);
	lacking = feature_first_missing(detail, sizeof(detail));
	ck_assert_ptr_nonnull(lacking);
	ck_assert_str_eq(lacking->name, "tracefs mounted");
}
END_TEST

START_TEST(tracefs_is_found_elsewhere)
{
	char folder[] = "/tmp/check tracefs.XXXXXX";
	struct probe_set *set;

	hide_tracefs();
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(mount("tracefs", folder, "tracefs", 0, NULL), 0);
	ck_assert_str_eq(tracefs_path(), folder);
	set = probe_set_new();
	ck_assert_ptr_nonnull(set);
	probe_set_free(set);
	ck_assert_int_eq(umount2(folder, MNT_DETACH), 0);
	rmdir(folder);
}
END_TEST

/* Gives up root for good: each test has a process of its own. */
START_TEST(without_root_each_step_tells)
{
	char detail[256];

	ck_assert_int_eq(setuid(65534), 0);
	live_catch_log();
	ck_assert_ptr_null(probe_set_new());
	ck_assert_int_eq(live_lines, 1);
	ck_assert_msg(strstr(live_line, "run as root") != NULL, "%s", live_line);
	ck_assert_ptr_eq(feature_first_missing(detail, sizeof(detail)), feature_at(0));
	ck_assert_ptr_nonnull(strstr(detail, "CAP_SYS_ADMIN no"));
	live_catch_log();
	ck_assert_ptr_null(ring_set_open(-1, 8));
	ck_assert_int_eq(live_lines, 1);
	ck_assert_ptr_nonnull(strstr(live_line, "doctor"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("programs");
	TCase *tc = tcase_create("live");
	const struct feature *lacking;
	char detail[256];
	SRunner *runner;
	int failed;

	lacking = feature_first_missing(detail, sizeof(detail));
	if (lacking) {
		printf("SKIP: %s: %s; %s\n", lacking->name, detail, lacking->mend);
		return 77;
	}
	tcase_add_test(tc, all_load);
	tcase_add_loop_test(tc, a_refusal_is_told_in_one_line, 0, sizeof(refused) / sizeof(refused[0]));
	tcase_add_loop_test(tc, every_feature_is_there, 0, (int)feature_count());
	tcase_add_test(tc, tracefs_not_mounted_is_told);
	tcase_add_test(tc, tracefs_is_found_elsewhere);
	tcase_add_test(tc, without_root_each_step_tells);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_FORK);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
