/* SPDX-License-Identifier: PostgreSQL */
/* struct loaded - the maps and the programs of kernel/, in the kernel. */
#ifndef PROBE_LOADER_H
#define PROBE_LOADER_H

#include "kernel/programs.h"
#include "probe/syscalls.h"

/* Tasks with statement text (MAP_SCRATCH holds 32 KB of kernel memory for each), and at all. */
#define SCRATCH_TASKS 64
/* Tasks whose lock waits tell who is in the way: 1.6 KB for each. */
#define LOCK_TASKS 1024
#define STATE_TASKS 4096

struct loaded {
	int maps[MAP_COUNT];		/* descriptors; -1: none */
	int programs[PROGRAM_COUNT];
};

/* Makes the maps, loads the programs of uprobes.  0, or -1 after one line; then unload() what there is. */
int load_programs(struct loaded *out);
/* Closes all.  A program that is attached lives on until its event is closed. */
void unload_programs(struct loaded *loaded);

/*
 * Loads a program of a wait source, as type; the one of another type that was there goes.
 * 0, or -1 after one line.
 */
int load_as(struct loaded *loaded, enum program_id id, enum bpf_prog_type type);
/* Loads one program whose maps are bound.  A descriptor, or -1 after one line. */
int load_program(enum bpf_prog_type type, const char *name, const struct bpf_insn *insns,
		 size_t count);

#endif
