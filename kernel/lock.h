/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
/* PROGRAM_LOCK: which lock is waited for, and who is in the way. */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

struct assembler;

void build_lock(struct assembler *a);

#endif
