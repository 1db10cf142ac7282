/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
/*
 * regs.h - where a program finds a C function's arguments: a probe's context is the task's
 * user registers, struct pt_regs.  One row an architecture; regs_here is this one's.
 */
#ifndef KERNEL_REGS_H
#define KERNEL_REGS_H

#include <stdint.h>

struct regs {
	const char *machine;	/* as uname -m says it */
	int16_t argument[6];	/* byte offset of the first six integer arguments */
};

extern const struct regs regs_here;

#endif
