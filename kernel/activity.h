/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
/* Builder of PROGRAM_ACTIVITY (programs.h). */
#ifndef KERNEL_ACTIVITY_H
#define KERNEL_ACTIVITY_H

struct assembler;

void build_activity(struct assembler *a);

#endif
