/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
#include "kernel/regs.h"

#if defined(__x86_64__)
/*
 * arch/x86/include/uapi/asm/ptrace.h, struct pt_regs: r15 r14 r13 r12 rbp rbx r11 r10 r9 r8
 * rax rcx rdx rsi rdi orig_rax ..., 8 bytes each.  System V ABI: rdi, rsi, rdx, rcx, r8, r9.
 */
const struct regs regs_here = { "x86_64", { 112, 104, 96, 88, 72, 64 } };
#elif defined(__aarch64__)
/* arch/arm64/include/uapi/asm/ptrace.h, struct user_pt_regs: regs[31].  AAPCS64: x0 to x5. */
const struct regs regs_here = { "aarch64", { 0, 8, 16, 24, 32, 40 } };
#else
#error "the register layout of this architecture is not in kernel/regs.c"
#endif
