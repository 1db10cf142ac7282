/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
#include "kernel/programs.h"

#include "kernel/activity.h"
#include "kernel/file.h"
#include "kernel/lock.h"
#include "kernel/wait.h"

const struct program programs[PROGRAM_COUNT] = {
	[PROGRAM_WAIT]		= { "pgt_wait", build_wait },
	[PROGRAM_WAIT_MERGED]	= { "pgt_wait_merged", build_wait_merged },
	[PROGRAM_ACTIVITY]	= { "pgt_activity", build_activity },
	[PROGRAM_FILE_BLOCK]	= { "pgt_file_block", build_file_block },
	[PROGRAM_FILE_BLOCKS4]	= { "pgt_file_blk4", build_file_blocks4 },
	[PROGRAM_FILE_BLOCKS5]	= { "pgt_file_blk5", build_file_blocks5 },
	[PROGRAM_FILE_AIO]	= { "pgt_file_aio", build_file_aio },
	[PROGRAM_FILE_WHOLE]	= { "pgt_file_whole", build_file_whole },
	[PROGRAM_LOCK]		= { "pgt_lock", build_lock },
};
