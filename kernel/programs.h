/* SPDX-License-Identifier: PostgreSQL OR GPL-2.0-only */
/*
 * programs.h - the BPF programs, as a table: name, builder, what it is for.
 *
 * Nothing here touches the kernel: a builder emits instructions into an assembler
 * (asm.h) with map slots that the loader (src/probe) fills with descriptors.
 */
#ifndef KERNEL_PROGRAMS_H
#define KERNEL_PROGRAMS_H

#include <linux/bpf.h>
#include <stddef.h>

struct assembler;

enum program_id {
	/* At a start or an end: reads *wait_event_info; a change ends the wait under way (one
	 * sample) and begins the next. */
	PROGRAM_WAIT = 0,
	/* At an end and start in one place: the same, but an unchanged event is two waits. */
	PROGRAM_WAIT_MERGED,
	/* At pgstat_report_activity(state, text): one sample with both. */
	PROGRAM_ACTIVITY,
	/* At md*(relation, fork, block, ...) of PostgreSQL's md.c: notes what file the session turns to. */
	PROGRAM_FILE_BLOCK,	/* one block */
	PROGRAM_FILE_BLOCKS4,	/* the fourth argument tells how many */
	PROGRAM_FILE_BLOCKS5,	/* the fifth does */
	PROGRAM_FILE_AIO,	/* the same behind another argument */
	PROGRAM_FILE_WHOLE,	/* the fork as such */
	/* At ProcSleep(lock): notes lock and mode, and makes a sample of each process in the way. */
	PROGRAM_LOCK,
	/* At a write to wait_event_info: what PROGRAM_WAIT does. */
	PROGRAM_WATCH,
	/* At the beginning and the end of each system call: waits as the kernel can see them. */
	PROGRAM_SYS_ENTER,
	PROGRAM_SYS_EXIT,
	PROGRAM_COUNT
};

/* Maps that programs name by slot. */
enum map_slot {
	MAP_STATE = 0,		/* hash, pid -> struct task_state */
	MAP_OUTPUT,		/* perf event array, one ring a CPU */
	MAP_SCRATCH,		/* hash, pid -> a struct sample_activity and room for its text */
	MAP_LOCK,		/* hash, pid -> struct lock_work */
	MAP_COUNT
};

struct program {
	const char *name;	/* at most 15 characters, as the kernel shows it */
	void (*build)(struct assembler *a);
	/*
	 * Of uprobes, KPROBE: loaded with the set.  Others are of a wait source, which loads what
	 * it needs, as this type or another that gives the same helpers.
	 */
	enum bpf_prog_type type;
};

extern const struct program programs[PROGRAM_COUNT];

#endif
