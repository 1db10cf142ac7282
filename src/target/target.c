/* SPDX-License-Identifier: PostgreSQL */
#include "target/target.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "ext/control.h"
#include "target/proc.h"

#define LIBRARY "/pg_trace.so"

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && !strcmp(text + length - end_length, end);
}

struct map_walk {
	struct target *target;
	uint64_t exe_inode;
};

static bool look_at_map(const struct proc_map *map, void *arg)
{
	struct map_walk *walk = arg;
	struct target *target = walk->target;

	if (map->inode == walk->exe_inode && map->offset == 0 && !target->exe_start)
		target->exe_start = map->start;
	if (ends_with(map->path, LIBRARY))
		target->has_extension = true;
	if (ends_with(map->path, "/" PGT_CONTROL_FILE) && !target->control)
		target->control = xasprintf("/proc/%d/root%s", (int)target->pid, map->path);
	return true;
}

static int no_access(const struct target *target, int error)
{
	int pid = (int)target->pid;

	switch (error) {
	case ENOENT:
	case ESRCH:
		if (kill(target->pid, 0) && errno == ESRCH)
			return log_error("no process %d; SELECT pg_backend_pid() tells a session's, or ps -C postgres",
					 pid);
		return log_error("process %d has no executable: it is a kernel thread or has just ended", pid);
	case EACCES:
	case EPERM:
		return log_error("process %d is not ours to look at: run as root (see 'pgtrace-perf doctor': privilege)",
				 pid);
	default:
		return log_error("cannot look at process %d: %s", pid, strerror(error));
	}
}

/* "postgres: alice shop [local] idle"; arguments are told apart by NULs where it is not a title. */
static char *read_title(pid_t pid)
{
	char text[512];
	ssize_t length = proc_read(pid, "cmdline", text, sizeof(text));

	while (length > 0 && (text[length - 1] == '\0' || text[length - 1] == ' '))
		length--;
	for (ssize_t i = 0; i < length; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	return xmemdup0(text, length > 0 ? length : 0);
}

/* init_ps_display() (utils/misc/ps_status.c) heads the title of each child with this. */
#define TITLE "postgres: "

/* Every server process has the data directory as its working directory, with PG_VERSION in it. */
static int check_server(struct target *target)
{
	char text[64];

	if (proc_read(target->pid, "cwd/PG_VERSION", text, sizeof(text)) < 0)
		return log_error("process %d (%s) is no PostgreSQL server process: its working directory has no PG_VERSION",
				 (int)target->pid, target->exe_name);
	target->major_version = atoi(text);
	if (proc_read(target->pid, "cwd/postmaster.pid", text, sizeof(text)) > 0 &&
	    atoi(text) == (int)target->own_pid)
		return log_error("process %d is the postmaster, which runs no statements: name a backend (SELECT pg_backend_pid())",
				 (int)target->pid);
	if (strncmp(target->title, TITLE, strlen(TITLE)))
		return log_error("process %d (%s) is no PostgreSQL server process: its title does not begin with '" TITLE "'",
				 (int)target->pid, target->exe_name);
	return 0;
}

int target_open(struct target *target, pid_t pid)
{
	struct map_walk walk = { target, 0 };
	struct stat st;
	int err;

	memset(target, 0, sizeof(*target));
	target->pid = pid;
	target->own_pid = proc_own_pid(pid);
	target->postmaster = proc_parent(pid);
	target->start_ticks = proc_start_ticks(pid);
	snprintf(target->exe, sizeof(target->exe), "/proc/%d/exe", (int)pid);
	snprintf(target->data_directory, sizeof(target->data_directory), "/proc/%d/cwd", (int)pid);
	target->exe_name = proc_link(pid, "exe");
	if (!target->exe_name || stat(target->exe, &st))
		return no_access(target, errno);
	target->title = read_title(pid);
	if (check_server(target))
		return -1;
	walk.exe_inode = st.st_ino;
	err = proc_each_map(pid, look_at_map, &walk);
	if (err)
		return no_access(target, -err);
	if (!target->exe_start)
		return log_error("process %d: its executable %s is not in its memory map", (int)pid,
				 target->exe_name);
	return 0;
}

void target_release(struct target *target)
{
	free(target->exe_name);
	free(target->title);
	free(target->control);
	memset(target, 0, sizeof(*target));
}

uint64_t target_bias(const struct target *target, const struct image *image)
{
	return image_is_pie(image) ? target->exe_start - image_base(image) : 0;
}

bool target_is_alive(const struct target *target)
{
	return proc_start_ticks(target->pid) == target->start_ticks;
}

int target_read(const struct target *target, uint64_t addr, void *out, size_t size)
{
	struct iovec here = { out, size };
	struct iovec there = { (void *)(uintptr_t)addr, size };
	ssize_t got = process_vm_readv(target->pid, &here, 1, &there, 1, 0);

	if (got < 0)
		return -errno;
	return (size_t)got == size ? 0 : -EFAULT;
}
