/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
#include "kernel/programs.h"

#include "kernel/activity.h"
#include "kernel/file.h"
#include "kernel/lock.h"
#include "kernel/syscall.h"
#include "kernel/wait.h"

const struct program programs[PROGRAM_COUNT] = {
	[PROGRAM_WAIT]		= { "pgt_wait",		build_wait,	    BPF_PROG_TYPE_KPROBE },
	[PROGRAM_WAIT_MERGED]	= { "pgt_wait_merged",	build_wait_merged,  BPF_PROG_TYPE_KPROBE },
	[PROGRAM_ACTIVITY]	= { "pgt_activity",	build_activity,	    BPF_PROG_TYPE_KPROBE },
	[PROGRAM_FILE_BLOCK]	= { "pgt_file_block",	build_file_block,   BPF_PROG_TYPE_KPROBE },
	[PROGRAM_FILE_BLOCKS4]	= { "pgt_file_blk4",	build_file_blocks4, BPF_PROG_TYPE_KPROBE },
	[PROGRAM_FILE_BLOCKS5]	= { "pgt_file_blk5",	build_file_blocks5, BPF_PROG_TYPE_KPROBE },
	[PROGRAM_FILE_AIO]	= { "pgt_file_aio",	build_file_aio,	    BPF_PROG_TYPE_KPROBE },
	[PROGRAM_FILE_WHOLE]	= { "pgt_file_whole",	build_file_whole,   BPF_PROG_TYPE_KPROBE },
	[PROGRAM_LOCK]		= { "pgt_lock",		build_lock,	    BPF_PROG_TYPE_KPROBE },
	[PROGRAM_WATCH]		= { "pgt_watch",	build_wait,	    BPF_PROG_TYPE_PERF_EVENT },
	[PROGRAM_SYS_ENTER]	= { "pgt_sys_enter",	build_sys_enter,    BPF_PROG_TYPE_RAW_TRACEPOINT },
	[PROGRAM_SYS_EXIT]	= { "pgt_sys_exit",	build_sys_exit,	    BPF_PROG_TYPE_RAW_TRACEPOINT },
};
