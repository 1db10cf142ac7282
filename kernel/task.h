/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
/*
 * task.h - the opening that all programs share: which task is this, and is it traced?
 *
 *	ctx = r1;				// r6
 *	u32 pid = bpf_get_current_pid_tgid() >> 32;
 *	st = bpf_map_lookup_elem(MAP_STATE, &pid);	// r7
 *	if (!st)
 *		goto out;
 *
 * A backend has one thread, so nothing else runs these programs on its entry at the same
 * time and no store needs a lock.
 */
#ifndef KERNEL_TASK_H
#define KERNEL_TASK_H

#include <stddef.h>

struct assembler;

#define STACK_PID (-4)		/* u32 pid at r10 - 4: the key of the maps */

/* Leaves ctx in r6, the struct task_state in r7, pid on the stack.  Uses r0 to r5. */
void emit_find_task(struct assembler *a, int out);
/* if (bpf_perf_event_output(ctx, MAP_OUTPUT, this CPU, r4, r5)) st->lost++; */
void emit_output(struct assembler *a);
/* Adds 1 to the uint32_t at offset field of struct task_state.  Uses r1. */
void emit_count(struct assembler *a, size_t field);
/* out: return 0, so that perf makes nothing of the hit itself. */
void emit_return(struct assembler *a, int out);

#endif
