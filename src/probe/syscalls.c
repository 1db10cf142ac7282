/* SPDX-License-Identifier: PostgreSQL */
#include "probe/syscalls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Accepted as compatible with the GPL, which the helpers that read user memory ask for. */
static const char license[] = "Dual BSD/GPL";

static int call_bpf(int command, union bpf_attr *attr)
{
	long result = syscall(__NR_bpf, command, attr, sizeof(*attr));

	return result < 0 ? -errno : (int)result;
}

/*
 * The kernel refuses an attr whose bytes beyond the command's own are not zero, and an
 * initializer need not clear a union's padding: always memset.
 */
static void clear(union bpf_attr *attr)
{
	memset(attr, 0, sizeof(*attr));
}

static uint64_t pointer(const void *at)
{
	return (uint64_t)(uintptr_t)at;
}

int bpf_map_create(const struct map_shape *shape)
{
	union bpf_attr attr;

	clear(&attr);
	attr.map_type = shape->type;
	attr.key_size = shape->key_size;
	attr.value_size = shape->value_size;
	attr.max_entries = shape->max_entries;
	snprintf(attr.map_name, sizeof(attr.map_name), "%s", shape->name);
	return call_bpf(BPF_MAP_CREATE, &attr);
}

static int map_element(int command, int map, const void *key, const void *value)
{
	union bpf_attr attr;

	clear(&attr);
	attr.map_fd = (uint32_t)map;
	attr.key = pointer(key);
	attr.value = pointer(value);
	return call_bpf(command, &attr);
}

int bpf_map_lookup(int map, const void *key, void *value)
{
	return map_element(BPF_MAP_LOOKUP_ELEM, map, key, value);
}

int bpf_map_update(int map, const void *key, const void *value)
{
	return map_element(BPF_MAP_UPDATE_ELEM, map, key, value);
}

int bpf_map_delete(int map, const void *key)
{
	return map_element(BPF_MAP_DELETE_ELEM, map, key, NULL);
}

int bpf_prog_load(enum bpf_prog_type type, const char *name, const struct bpf_insn *insns,
		  size_t count, char *log, size_t log_size)
{
	union bpf_attr attr;

	clear(&attr);
	attr.prog_type = type;
	attr.insn_cnt = (uint32_t)count;
	attr.insns = pointer(insns);
	attr.license = pointer(license);
	snprintf(attr.prog_name, sizeof(attr.prog_name), "%s", name);
	if (log) {
		log[0] = '\0';
		attr.log_buf = pointer(log);
		attr.log_size = (uint32_t)log_size;
		attr.log_level = 1;
	}
	return call_bpf(BPF_PROG_LOAD, &attr);
}

int bpf_raw_tracepoint_open(const char *name, int program)
{
	union bpf_attr attr;

	clear(&attr);
	attr.raw_tracepoint.name = pointer(name);
	attr.raw_tracepoint.prog_fd = (uint32_t)program;
	return call_bpf(BPF_RAW_TRACEPOINT_OPEN, &attr);
}

int perf_event_open(struct perf_event_attr *attr, pid_t pid, int cpu)
{
	long fd;

	attr->size = sizeof(*attr);
	fd = syscall(__NR_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : (int)fd;
}
