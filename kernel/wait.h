/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
/* Builders of PROGRAM_WAIT and PROGRAM_WAIT_MERGED (programs.h). */
#ifndef KERNEL_WAIT_H
#define KERNEL_WAIT_H

struct assembler;

void build_wait(struct assembler *a);
void build_wait_merged(struct assembler *a);

#endif
