/* SPDX-License-Identifier: PostgreSQL */
#include "probe/source.h"

#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "kernel/asm.h"
#include "probe/loader.h"
#include "probe/syscalls.h"
#include "probe/tracefs.h"

static enum feature_state answer(char *detail, size_t size, int fd, const char *found, const char *what)
{
	if (fd >= 0) {
		close(fd);
		snprintf(detail, size, "%s", found);
		return FEATURE_OK;
	}
	snprintf(detail, size, "%s: %s", what, strerror(-fd));
	return FEATURE_MISSING;
}

/* --- uprobe: the probes are the caller's, the programs are loaded with the set ---- */

/* What it needs, tracing at all needs too. */
static enum feature_state check_uprobe(char *detail, size_t size)
{
	const struct feature *lacking = feature_first_missing(detail, size);

	if (!lacking)
		snprintf(detail, size, "uprobes with BPF programs");
	return lacking ? FEATURE_MISSING : FEATURE_OK;
}

/* --- watchpoint -------------------------------------------------------------- */

/*
 * A write to the four bytes at word, by pid's own code.  Every write counts: a period of one is not
 * throttled (perf_swevent_overflow in kernel/events/core.c).
 */
static int open_breakpoint(pid_t pid, uint64_t word)
{
	struct perf_event_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.type = PERF_TYPE_BREAKPOINT;
	attr.bp_type = HW_BREAKPOINT_W;
	attr.bp_addr = word;
	attr.bp_len = HW_BREAKPOINT_LEN_4;
	attr.sample_period = 1;
	attr.exclude_kernel = 1;
	attr.exclude_hv = 1;
	attr.disabled = 1;
	return perf_event_open(&attr, pid, -1);
}

static enum feature_state check_watchpoint(char *detail, size_t size)
{
	static const uint32_t word;

	return answer(detail, size, open_breakpoint(0, (uint64_t)(uintptr_t)&word),
		      "a hardware breakpoint on a write", "perf_event_open(PERF_TYPE_BREAKPOINT)");
}

static int open_watchpoint(struct loaded *loaded, int fds[SOURCE_FDS])
{
	(void)fds;
	return load_as(loaded, PROGRAM_WATCH, programs[PROGRAM_WATCH].type);
}

static int attach_watchpoint(const struct loaded *loaded, pid_t pid, uint64_t word)
{
	int fd = open_breakpoint(pid, word), error;

	if (fd < 0)
		return fd;
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, loaded->programs[PROGRAM_WATCH]) == 0 &&
	    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

/* --- syscall ----------------------------------------------------------------- */

static const struct call_end {
	enum program_id program;
	const char *tracepoint;	/* raw; and in the group raw_syscalls of tracefs */
} call_ends[SOURCE_FDS] = {
	/* The exit first: an entry that is seen has its exit seen. */
	{ PROGRAM_SYS_EXIT, "sys_exit" },
	{ PROGRAM_SYS_ENTER, "sys_enter" },
};

/*
 * The event is opened on this process, but its program runs for all: perf asks it before it looks
 * for whom the event is (perf_trace_run_bpf_submit in kernel/events/core.c).
 */
static int open_tracepoint(const char *name, int program)
{
	struct perf_event_attr attr;
	int id = uprobe_event_id("raw_syscalls", name), fd, error;

	if (id < 0)
		return id;
	memset(&attr, 0, sizeof(attr));
	attr.type = PERF_TYPE_TRACEPOINT;
	attr.config = (uint64_t)id;
	attr.sample_period = 1;
	fd = perf_event_open(&attr, 0, -1);
	if (fd < 0 || ioctl(fd, PERF_EVENT_IOC_SET_BPF, program) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

static int open_calls(struct loaded *loaded, int fds[SOURCE_FDS], enum bpf_prog_type type,
		      int (*open_one)(const char *name, int program))
{
	int i;

	for (i = 0; i < SOURCE_FDS; i++)
		if (load_as(loaded, call_ends[i].program, type) < 0)
			return -EINVAL;
	for (i = 0; i < SOURCE_FDS; i++) {
		fds[i] = open_one(call_ends[i].tracepoint, loaded->programs[call_ends[i].program]);
		if (fds[i] < 0)
			return fds[i];
	}
	return 0;
}

int source_open_tracepoints(struct loaded *loaded, int fds[SOURCE_FDS])
{
	int error = open_calls(loaded, fds, BPF_PROG_TYPE_TRACEPOINT, open_tracepoint);

	return !error ? 0 : log_error("cannot look at system calls: %s (see 'pgtrace-perf doctor': BPF programs)",
				      strerror(-error));
}

static int open_syscalls(struct loaded *loaded, int fds[SOURCE_FDS])
{
	int error = open_calls(loaded, fds, BPF_PROG_TYPE_RAW_TRACEPOINT, bpf_raw_tracepoint_open);
	int i;

	if (!error)
		return 0;
	log_verbose("no raw tracepoints of system calls: %s", strerror(-error));
	for (i = 0; i < SOURCE_FDS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
	return source_open_tracepoints(loaded, fds);
}

/* A program that does nothing, at the tracepoint for as long as it takes to ask. */
static enum feature_state check_syscall(char *detail, size_t size)
{
	const struct bpf_insn nothing[] = { MOV_IMM(R0, 0), EXIT() };
	int program = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "pgt_feature", nothing, 2, NULL, 0);
	int fd = program < 0 ? program : bpf_raw_tracepoint_open("sys_enter", program);

	if (program >= 0)
		close(program);
	if (fd < 0 && uprobe_event_id("raw_syscalls", "sys_enter") >= 0) {
		snprintf(detail, size, "raw_syscalls/sys_enter in tracefs (no raw tracepoint: %s)", strerror(-fd));
		return FEATURE_OK;
	}
	return answer(detail, size, fd, "raw tracepoint sys_enter", "BPF_RAW_TRACEPOINT_OPEN");
}

/* --- the table --------------------------------------------------------------- */

const struct wait_source wait_sources[SOURCE_COUNT] = {
	[SOURCE_UPROBE] = {
		.name = "uprobe", .mend = "see the lines above",
		.uses_sites = true, .check = check_uprobe,
	},
	[SOURCE_WATCHPOINT] = {
		.name = "watchpoint", .mend = "end the debuggers and tracers that watch this process; some "
			"virtual machines have no debug registers",
		.check = check_watchpoint, .open = open_watchpoint, .attach = attach_watchpoint,
	},
	[SOURCE_SYSCALL] = {
		.name = "syscall", .mend = "the kernel needs CONFIG_FTRACE_SYSCALLS=y",
		.misses = "waits that make no system call, and where one of two that follow each other for the "
			  "same event ends",
		.is_late = true, .check = check_syscall, .open = open_syscalls,
	},
};

const struct wait_source *wait_source_find(const char *name)
{
	size_t i;

	for (i = 0; i < SOURCE_COUNT; i++)
		if (!strcmp(wait_sources[i].name, name))
			return &wait_sources[i];
	return NULL;
}
