/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
/* Builders of PROGRAM_SYS_ENTER and PROGRAM_SYS_EXIT (programs.h). */
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H

struct assembler;

void build_sys_enter(struct assembler *a);
void build_sys_exit(struct assembler *a);

#endif
