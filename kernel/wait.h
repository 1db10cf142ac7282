/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
/*
 * Builders of PROGRAM_WAIT, PROGRAM_WAIT_MERGED and PROGRAM_WATCH (programs.h), and the parts of
 * them that all programs about waits share.
 */
#ifndef KERNEL_WAIT_H
#define KERNEL_WAIT_H

#include "kernel/sample.h"

struct assembler;

void build_wait(struct assembler *a);
void build_wait_merged(struct assembler *a);

/* The stack: the sample from here, then the word read, then pid (task.h).  Below it is free. */
#define STACK_SAMPLE (-8 - (int)sizeof(struct sample_wait_object))

/* With what emit_find_task leaves: r8 = *(u32 *)st->wait_event_addr, or goto fault.  Uses r0 to r5. */
void emit_read_event(struct assembler *a, int fault);
/*
 * if (output { WAIT, pid, r9, st->start_ns, r1 } fails)
 *	st->lost++;
 * The event in r1, the end in r9.  Uses r0 to r5.
 */
void emit_wait_sample(struct assembler *a);

#endif
