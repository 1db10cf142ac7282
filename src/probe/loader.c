/* SPDX-License-Identifier: PostgreSQL */
#include "probe/loader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "kernel/asm.h"
#include "kernel/sample.h"
#include "probe/cpulist.h"

#define LOG_SIZE 65536

static const struct map_shape shapes[MAP_COUNT] = {
	[MAP_STATE] = { "pgt_state", BPF_MAP_TYPE_HASH,
			sizeof(uint32_t), sizeof(struct task_state), STATE_TASKS },
	/* max_entries: every possible CPU */
	[MAP_OUTPUT] = { "pgt_output", BPF_MAP_TYPE_PERF_EVENT_ARRAY,
			 sizeof(uint32_t), sizeof(uint32_t), 0 },
	/* Not BPF_F_NO_PREALLOC: that allocates 64 KB in one piece, atomically, on each
	 * attach, which a server with fragmented memory refuses. */
	[MAP_SCRATCH] = { "pgt_scratch", BPF_MAP_TYPE_HASH, sizeof(uint32_t),
			  sizeof(struct sample_activity) + SAMPLE_TEXT_MAX, SCRATCH_TASKS },
	[MAP_LOCK] = { "pgt_lock", BPF_MAP_TYPE_HASH, sizeof(uint32_t), sizeof(struct lock_work),
		       LOCK_TASKS },
};

static const char *hint(int error)
{
	return error == -EPERM || error == -EACCES ? "; run it as root" : "";
}

/* Before Linux 5.11 maps and programs counted as locked memory. */
static void raise_memlock(void)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &unlimited);
}

static int make_maps(struct loaded *out)
{
	int i;

	for (i = 0; i < MAP_COUNT; i++) {
		struct map_shape shape = shapes[i];

		if (!shape.max_entries)
			shape.max_entries = cpu_possible_end();
		out->maps[i] = bpf_map_create(&shape);
		if (out->maps[i] < 0)
			return log_error("cannot make the BPF map %s: %s%s "
					 "(see 'pgtrace-perf doctor': BPF programs)", shape.name,
					 strerror(-out->maps[i]), hint(out->maps[i]));
	}
	return 0;
}

/*
 * The verifier's verdict: the last line but its statistics ("processed 12 insns ...").  Cuts
 * log.
 */
static const char *verdict(char *log)
{
	char *line = log, *last = log;

	while (line) {
		char *end = strchr(line, '\n');

		if (end)
			*end++ = '\0';
		if (*line && strncmp(line, "processed ", 10))
			last = line;
		line = end;
	}
	return last;
}

static int refused(enum bpf_prog_type type, const char *name, const struct bpf_insn *insns,
		   size_t count, int error)
{
	char *log = xcalloc(1, LOG_SIZE);
	int again = bpf_prog_load(type, name, insns, count, log, LOG_SIZE);

	if (again >= 0)
		close(again);
	log_verbose("%s: %s", name, log);
	log_error("the kernel refused the BPF program %s: %s%s%s%s (see 'pgtrace-perf doctor': BPF programs)",
		  name, strerror(-error), hint(error), *log ? ": " : "", verdict(log));
	free(log);
	return -1;
}

int load_program(enum bpf_prog_type type, const char *name, const struct bpf_insn *insns,
		 size_t count)
{
	int fd = bpf_prog_load(type, name, insns, count, NULL, 0);

	return fd >= 0 ? fd : refused(type, name, insns, count, fd);
}

static int build_and_load(const struct program *program, enum bpf_prog_type type, const int *maps)
{
	struct assembler a;

	asm_init(&a);
	program->build(&a);
	if (asm_finish(&a) < 0 || asm_bind_maps(&a, maps, MAP_COUNT) < 0)
		return log_error("BPF program %s: %s; this is a defect of pgtrace-perf",
				 program->name, a.error);
	return load_program(type, program->name, a.insns, a.count);
}

int load_as(struct loaded *loaded, enum program_id id, enum bpf_prog_type type)
{
	int fd = build_and_load(&programs[id], type, loaded->maps);

	if (fd < 0)
		return -1;
	if (loaded->programs[id] >= 0)
		close(loaded->programs[id]);
	loaded->programs[id] = fd;
	return 0;
}

int load_programs(struct loaded *out)
{
	int i;

	memset(out, 0xff, sizeof(*out));	/* every descriptor -1 */
	raise_memlock();
	if (make_maps(out) < 0)
		return -1;
	for (i = 0; i < PROGRAM_COUNT; i++)
		if (programs[i].type == BPF_PROG_TYPE_KPROBE &&
		    load_as(out, (enum program_id)i, BPF_PROG_TYPE_KPROBE) < 0)
			return -1;
	return 0;
}

static void close_all(int *fds, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

void unload_programs(struct loaded *loaded)
{
	close_all(loaded->programs, PROGRAM_COUNT);
	close_all(loaded->maps, MAP_COUNT);
}
