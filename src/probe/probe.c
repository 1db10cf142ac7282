/* SPDX-License-Identifier: PostgreSQL */
/*
 * The holder of a probe.  BPF_PROG_ARRAY hangs on the definition, not on one perf event: the
 * first event that is given a program runs it for all of them, a second gets EEXIST, and closing
 * the first takes it away from all (perf_event_attach_bpf_prog and _detach_bpf_prog in
 * kernel/trace/bpf_trace.c).  Tasks come and go, so the program is given to an event of our
 * own, the holder, which looks at this process (that has no such code mapped) and stays open
 * as long as the set.  The task's events then are only opened.
 *
 * They are opened disabled and stay so.  Opening alone puts the breakpoints into the task
 * (uprobe_perf_open in kernel/trace/trace_uprobe.c), and the program runs before anything asks
 * whether an event is enabled (__uprobe_perf_func); but every enabled event is switched off
 * and on again at each context switch of the task, and a hundred of them cost more than a wait.
 */
#include "probe/probe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "probe/loader.h"
#include "probe/tracefs.h"

#define EVENT_SIZE 32
#define SPARE_FDS 256		/* for the rest of the program */

struct definition {
	struct probe probe;
	char event[EVENT_SIZE];
	int id;			/* of the tracepoint */
	int holder;		/* has the program; -1: could not be opened */
};

struct task {
	pid_t pid;
	int *fds;		/* of the first count definitions; -1: did not open */
	size_t count;
	bool has_scratch;
};

struct probe_set {
	unsigned serial;	/* several sets of one process share its group */
	char group[GROUP_SIZE];
	int events;		/* uprobe_events */
	struct loaded loaded;
	struct definition *definitions;
	size_t count;
	struct task *tasks;
	size_t task_count;
};

struct probe_set *probe_set_new(void)
{
	static unsigned serial;
	struct probe_set *set = xcalloc(1, sizeof(*set));

	set->serial = serial++;
	uprobe_group(set->group);
	memset(&set->loaded, 0xff, sizeof(set->loaded));
	set->events = uprobe_events_open();
	if (set->events < 0 || load_programs(&set->loaded) < 0) {
		probe_set_free(set);
		return NULL;
	}
	return set;
}

int probe_set_output_map(const struct probe_set *set)
{
	return set->loaded.maps[MAP_OUTPUT];
}

/* --- definitions ------------------------------------------------------------ */

static int open_event(int id, pid_t pid, bool is_holder)
{
	struct perf_event_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.type = PERF_TYPE_TRACEPOINT;
	attr.config = (uint64_t)id;
	attr.disabled = 1;
	/* Without this, opening walks through every process that has the file mapped, to no
	 * end: the holder's has not. */
	attr.enable_on_exec = is_holder;
	return perf_event_open(&attr, pid, -1);
}

static int open_holder(const struct definition *definition, const struct loaded *loaded)
{
	int fd = open_event(definition->id, 0, true), error;

	if (fd < 0 || ioctl(fd, PERF_EVENT_IOC_SET_BPF,
			    loaded->programs[definition->probe.program]) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

/* Writes the definition; from then on it is in the set, and removed with it. */
static int define_one(struct probe_set *set, const char *path, const struct probe *probe)
{
	struct definition *definition = &set->definitions[set->count];
	char line[4096];
	int error;

	definition->probe = *probe;
	definition->holder = -1;
	snprintf(definition->event, EVENT_SIZE, "e%u_%zu", set->serial, set->count);
	snprintf(line, sizeof(line), "%c:%s/%s %s:0x%" PRIx64 "\n", probe->is_return ? 'r' : 'p',
		 set->group, definition->event, path, probe->offset);
	error = uprobe_events_write(set->events, line);
	if (error)
		return error;
	set->count++;
	definition->id = uprobe_event_id(set->group, definition->event);
	if (definition->id < 0)
		return definition->id;
	definition->holder = open_holder(definition, &set->loaded);
	return definition->holder < 0 ? definition->holder : 0;
}

/* Two descriptors a probe: its holder and its event on the task. */
static void raise_nofile(size_t wanted)
{
	struct rlimit limit;

	wanted += SPARE_FDS;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted;
	if (limit.rlim_max < wanted)
		limit.rlim_max = wanted;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_verbose("cannot raise the limit of open files to %zu", wanted);
}

static size_t descriptors(const struct probe_set *set, size_t more_tasks)
{
	return set->count * (1 + set->task_count + more_tasks);
}

/* argv_split() in the kernel has no quotes, and a line feed would begin another definition. */
static bool is_usable_path(const char *path)
{
	return *path && strlen(path) < 3800 && !strpbrk(path, " \t\n\r\v\f#");
}

int probe_set_define(struct probe_set *set, const char *path, const struct probe *probes, size_t count)
{
	size_t i;

	if (!is_usable_path(path))
		return log_error("uprobe_events takes no path such as '%s'; name it by /proc/PID/exe", path);
	set->definitions = xrealloc(set->definitions, set->count + count, sizeof(*set->definitions));
	raise_nofile(descriptors(set, 1) + 2 * count);
	for (i = 0; i < count; i++) {
		int error = define_one(set, path, &probes[i]);

		if (error)
			return log_error("cannot set a probe at offset 0x%" PRIx64 " of %s: %s "
					 "(see 'pgtrace-perf doctor')", probes[i].offset, path, strerror(-error));
	}
	return 0;
}

/* --- tasks ------------------------------------------------------------------ */

static struct task *find_task(const struct probe_set *set, pid_t pid)
{
	size_t i;

	for (i = 0; i < set->task_count; i++)
		if (set->tasks[i].pid == pid)
			return &set->tasks[i];
	return NULL;
}

static bool has_activity(const struct probe_set *set)
{
	size_t i;

	for (i = 0; i < set->count; i++)
		if (set->definitions[i].probe.program == PROGRAM_ACTIVITY)
			return true;
	return false;
}

static void give_scratch(struct probe_set *set, struct task *task)
{
	uint32_t key = (uint32_t)task->pid;
	void *zeros;
	int error;

	if (task->has_scratch || !has_activity(set))
		return;
	zeros = xcalloc(1, sizeof(struct sample_activity) + SAMPLE_TEXT_MAX);
	error = bpf_map_update(set->loaded.maps[MAP_SCRATCH], &key, zeros);
	free(zeros);
	task->has_scratch = !error;
	if (error)
		log_warn("process %d: no statement text: %s (at most %d processes have it at a time)",
			 (int)task->pid, strerror(-error), SCRATCH_TASKS);
}

static struct task *add_task(struct probe_set *set, pid_t pid, const struct task_state *state)
{
	struct task *task = find_task(set, pid);
	uint32_t key = (uint32_t)pid;
	int error;

	if (task)
		return task;
	error = bpf_map_update(set->loaded.maps[MAP_STATE], &key, state);
	if (error) {
		log_error("process %d cannot be added to those traced: %s (at most %d)", (int)pid,
			  strerror(-error), STATE_TASKS);
		return NULL;
	}
	set->tasks = xrealloc(set->tasks, set->task_count + 1, sizeof(*set->tasks));
	task = &set->tasks[set->task_count++];
	*task = (struct task){ .pid = pid };
	return task;
}

static int open_on_task(const struct definition *definition, const struct task *task)
{
	if (definition->holder < 0)
		return -ENODEV;
	if (definition->probe.program == PROGRAM_ACTIVITY && !task->has_scratch)
		return -ENOSPC;
	return open_event(definition->id, task->pid, false);
}

/* Returns how many failed, and the first error in *first. */
static size_t open_all(const struct probe_set *set, struct task *task, int *first)
{
	size_t failed = 0;

	task->fds = xrealloc(task->fds, set->count, sizeof(*task->fds));
	for (; task->count < set->count; task->count++) {
		const struct definition *definition = &set->definitions[task->count];
		int fd = open_on_task(definition, task);

		task->fds[task->count] = fd < 0 ? -1 : fd;
		if (fd >= 0)
			continue;
		if (!failed++)
			*first = fd;
		log_verbose("process %d: the probe at offset 0x%" PRIx64 " did not attach: %s",
			    (int)task->pid, definition->probe.offset, strerror(-fd));
	}
	return failed;
}

static const char *attach_hint(int error)
{
	switch (error) {
	case -ESRCH: return "the process has ended";
	case -EMFILE: return "too many open files; raise 'ulimit -n'";
	case -EACCES:
	case -EPERM: return "no right to: run as root (see 'pgtrace-perf doctor')";
	default: return strerror(-error);
	}
}

int probe_set_attach(struct probe_set *set, pid_t pid, const struct task_state *state, size_t *failed)
{
	struct task *task = add_task(set, pid, state);
	size_t before;
	int first = 0;

	*failed = 0;
	if (!task)
		return -1;
	before = task->count;
	raise_nofile(descriptors(set, 0));
	give_scratch(set, task);
	*failed = open_all(set, task, &first);
	if (set->count == before || *failed < set->count - before)
		return 0;
	log_error("no probe could be set on process %d: %s", (int)pid, attach_hint(first));
	if (!before)
		probe_set_detach(set, pid, NULL);
	return -1;
}

bool probe_set_state(const struct probe_set *set, pid_t pid, struct task_state *out)
{
	uint32_t key = (uint32_t)pid;

	return bpf_map_lookup(set->loaded.maps[MAP_STATE], &key, out) == 0;
}

void probe_set_detach(struct probe_set *set, pid_t pid, struct task_state *last)
{
	struct task *task = find_task(set, pid);
	uint32_t key = (uint32_t)pid;
	size_t i;

	if (last)
		memset(last, 0, sizeof(*last));
	if (!task)
		return;
	for (i = 0; i < task->count; i++)
		if (task->fds[i] >= 0)
			close(task->fds[i]);
	if (last)
		probe_set_state(set, pid, last);
	bpf_map_delete(set->loaded.maps[MAP_STATE], &key);
	if (task->has_scratch)
		bpf_map_delete(set->loaded.maps[MAP_SCRATCH], &key);
	free(task->fds);
	*task = set->tasks[--set->task_count];
}

/* --- the end ---------------------------------------------------------------- */

static void remove_definitions(struct probe_set *set)
{
	size_t i;

	for (i = 0; i < set->count; i++)
		if (set->definitions[i].holder >= 0)
			close(set->definitions[i].holder);
	for (i = set->count; i > 0; i--) {
		const char *event = set->definitions[i - 1].event;
		int error = uprobe_events_remove(set->events, set->group, event);

		if (error)
			log_warn("%s/%s stays in uprobe_events: %s; the next pgtrace-perf removes it",
				 set->group, event, strerror(-error));
	}
}

void probe_set_free(struct probe_set *set)
{
	if (!set)
		return;
	while (set->task_count)
		probe_set_detach(set, set->tasks[0].pid, NULL);
	remove_definitions(set);
	unload_programs(&set->loaded);
	if (set->events >= 0)
		close(set->events);
	free(set->definitions);
	free(set->tasks);
	free(set);
}
