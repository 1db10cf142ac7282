/* SPDX-License-Identifier: PostgreSQL */
/*
 * bpf(2) and perf_event_open(2), which libc does not wrap.  Everything returns a result >= 0,
 * or -errno.  Descriptors are closed on exec.
 */
#ifndef PROBE_SYSCALLS_H
#define PROBE_SYSCALLS_H

#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct map_shape {
	const char *name;	/* at most 15 characters, as the kernel shows it */
	enum bpf_map_type type;
	uint32_t key_size, value_size, max_entries;
};

int bpf_map_create(const struct map_shape *shape);
int bpf_map_lookup(int map, const void *key, void *value);
int bpf_map_update(int map, const void *key, const void *value);
int bpf_map_delete(int map, const void *key);

/*
 * Loads a program.  log (log_size bytes) gets the verifier's words and a NUL; NULL: not
 * wanted.
 */
int bpf_prog_load(enum bpf_prog_type type, const char *name, const struct bpf_insn *insns,
		  size_t count, char *log, size_t log_size);
/* Runs the program at the raw tracepoint ("sys_enter") until the descriptor is closed. */
int bpf_raw_tracepoint_open(const char *name, int program);

/* pid 0: this process; -1: every process.  cpu -1: any. */
int perf_event_open(struct perf_event_attr *attr, pid_t pid, int cpu);

#endif
