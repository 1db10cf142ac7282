/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdlib.h>
#ifdef __x86_64__
#include <sys/user.h>
#endif

#include "golden.h"
#include "kernel/asm.h"
#include "kernel/programs.h"
#include "kernel/regs.h"

static struct assembler a;

static void fresh(void)
{
	asm_init(&a);
}

START_TEST(jumps_reach_their_labels)
{
	int top = asm_label(&a), end = asm_label(&a);

	asm_place(&a, top);
	asm_emit(&a, MOV_IMM(R0, 0));
	asm_jump(&a, JUMP_IMM(BPF_JEQ, R0, 7), end);	/* forward, over two */
	asm_jump(&a, JUMP(), top);			/* back */
	asm_emit(&a, MOV_IMM(R0, 1));
	asm_place(&a, end);
	asm_emit(&a, EXIT());
	ck_assert_int_eq(asm_finish(&a), 0);
	ck_assert_int_eq(a.insns[1].off, 2);
	ck_assert_int_eq(a.insns[2].off, -3);
}
END_TEST

START_TEST(a_map_takes_two_instructions)
{
	const int fds[] = { 31, 32 };
	int end = asm_label(&a);

	asm_jump(&a, JUMP(), end);
	asm_map(&a, R1, 1);
	asm_place(&a, end);
	asm_emit(&a, EXIT());
	ck_assert_int_eq(asm_finish(&a), 0);
	ck_assert_int_eq(a.insns[0].off, 2);
	ck_assert_int_eq(asm_bind_maps(&a, fds, 2), 0);
	ck_assert_uint_eq(a.count, 4);
	ck_assert_int_eq(a.insns[1].imm, 32);
	ck_assert_int_eq(a.insns[1].src_reg, BPF_PSEUDO_MAP_FD);
	ck_assert_int_eq(a.insns[2].code, 0);
}
END_TEST

static void never_placed(void)
{
	asm_jump(&a, JUMP(), asm_label(&a));
	asm_emit(&a, EXIT());
}

static void placed_twice(void)
{
	int label = asm_label(&a);

	asm_place(&a, label);
	asm_place(&a, label);
}

static void past_the_end(void)
{
	int label = asm_label(&a);

	asm_jump(&a, JUMP(), label);
	asm_place(&a, label);
}

static void unknown_label(void)
{
	asm_jump(&a, JUMP(), 3);
}

static void too_many_instructions(void)
{
	int i;

	for (i = 0; i <= ASM_INSNS; i++)
		asm_emit(&a, EXIT());
}

static void map_at_the_end(void)
{
	int i;

	for (i = 0; i < ASM_INSNS - 1; i++)
		asm_emit(&a, EXIT());
	asm_map(&a, R1, 0);
}

static void too_many_labels(void)
{
	int i;

	for (i = 0; i <= ASM_LABELS; i++)
		asm_label(&a);
}

static void too_many_jumps(void)
{
	int label = asm_label(&a), i;

	asm_place(&a, label);
	for (i = 0; i <= ASM_JUMPS; i++)
		asm_jump(&a, JUMP(), label);
}

static const struct {
	void (*build)(void);
	const char *error;
} mistakes[] = {
	{ never_placed, "a jump goes to a label that was never placed" },
	{ placed_twice, "a label is placed twice" },
	{ past_the_end, "a jump goes past the last instruction" },
	{ unknown_label, "no such label" },
	{ too_many_instructions, "more instructions than the assembler holds" },
	{ map_at_the_end, "more instructions than the assembler holds" },
	{ too_many_labels, "more labels than the assembler holds" },
	{ too_many_jumps, "more jumps than the assembler holds" },
};

START_TEST(a_mistake_is_told)
{
	mistakes[_i].build();
	ck_assert_int_eq(asm_finish(&a), -1);
	ck_assert_str_eq(a.error, mistakes[_i].error);
	ck_assert_uint_le(a.count, ASM_INSNS);
}
END_TEST

START_TEST(a_map_that_is_not_there_is_told)
{
	const int fds[] = { 31, -1 };
	uint32_t slot;

	for (slot = 1; slot <= 2; slot++) {
		asm_init(&a);
		asm_map(&a, R1, slot);
		asm_emit(&a, EXIT());
		ck_assert_int_eq(asm_finish(&a), 0);
		ck_assert_int_eq(asm_bind_maps(&a, fds, 2), -1);
		ck_assert_str_eq(a.error, "a map that was not made");
	}
}
END_TEST

START_TEST(dump_says_every_form)
{
	struct strbuf out = STRBUF_INIT;
	int end = asm_label(&a);

	asm_emit(&a, MOV_REG(R6, R1));
	asm_emit(&a, MOV32_IMM(R3, 0xffffffff));
	asm_emit(&a, ALU_IMM(BPF_ADD, R2, -4));
	asm_emit(&a, LOAD(BPF_DW, R3, R7, 8));
	asm_emit(&a, STORE(BPF_W, R10, -4, R0));
	asm_emit(&a, STORE_IMM(BPF_W, R10, -8, 1));
	asm_map(&a, R1, MAP_STATE);
	asm_jump(&a, JUMP_REG(BPF_JNE, R8, R9), end);
	asm_jump(&a, JUMP_IMM(BPF_JSGT, R0, 0), end);
	asm_jump(&a, JUMP(), end);
	asm_emit(&a, CALL(BPF_FUNC_ktime_get_ns));
	asm_place(&a, end);
	asm_emit(&a, EXIT());
	ck_assert_int_eq(asm_finish(&a), 0);
	asm_dump(&a, &out);
	ck_assert_str_eq(out.text,
		"  0: r6 = r1\n"
		"  1: w3 = -1\n"
		"  2: r2 += -4\n"
		"  3: r3 = *(u64 *)(r7 +8)\n"
		"  4: *(u32 *)(r10 -4) = r0\n"
		"  5: *(u32 *)(r10 -8) = 1\n"
		"  6: r1 = map[0]\n"
		"  8: if r8 != r9 goto 12\n"
		"  9: if r0 s> 0 goto 12\n"
		" 10: goto 12\n"
		" 11: call ktime_get_ns#5\n"
		" 12: exit\n");
	strbuf_release(&out);
}
END_TEST

START_TEST(programs_are_as_recorded)
{
	struct strbuf out = STRBUF_INIT;
	char file[64];

	programs[_i].build(&a);
	ck_assert_msg(asm_finish(&a) == 0, "%s: %s", programs[_i].name, a.error);
	asm_dump(&a, &out);
	snprintf(file, sizeof(file), "%s.%s.bpf", programs[_i].name, regs_here.machine);
	golden_check(file, &out);
	ck_assert_uint_le(strlen(programs[_i].name), BPF_OBJ_NAME_LEN - 1);
	strbuf_release(&out);
}
END_TEST

#ifdef __x86_64__
/* libc describes the same layout to ptrace(2). */
START_TEST(arguments_are_where_ptrace_says)
{
	ck_assert_int_eq(regs_here.argument[0], offsetof(struct user_regs_struct, rdi));
	ck_assert_int_eq(regs_here.argument[1], offsetof(struct user_regs_struct, rsi));
	ck_assert_int_eq(regs_here.argument[2], offsetof(struct user_regs_struct, rdx));
	ck_assert_int_eq(regs_here.argument[3], offsetof(struct user_regs_struct, rcx));
}
END_TEST
#endif

int main(void)
{
	Suite *suite = suite_create("asm");
	TCase *tc = tcase_create("asm");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, fresh, NULL);
	tcase_add_test(tc, jumps_reach_their_labels);
	tcase_add_test(tc, a_map_takes_two_instructions);
	tcase_add_loop_test(tc, a_mistake_is_told, 0, sizeof(mistakes) / sizeof(mistakes[0]));
	tcase_add_test(tc, a_map_that_is_not_there_is_told);
	tcase_add_test(tc, dump_says_every_form);
	tcase_add_loop_test(tc, programs_are_as_recorded, 0, PROGRAM_COUNT);
#ifdef __x86_64__
	tcase_add_test(tc, arguments_are_where_ptrace_says);
#endif
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
