/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
#include "kernel/programs.h"

#include "kernel/activity.h"
#include "kernel/wait.h"

const struct program programs[PROGRAM_COUNT] = {
	[PROGRAM_WAIT]		= { "pgt_wait", build_wait },
	[PROGRAM_WAIT_MERGED]	= { "pgt_wait_merged", build_wait_merged },
	[PROGRAM_ACTIVITY]	= { "pgt_activity", build_activity },
};
