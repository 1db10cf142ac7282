/* SPDX-License-Identifier: PostgreSQL */
/*
 * The set: its events (event.h says how they work), and the tasks they are open on.
 */
#include "probe/probe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "probe/event.h"
#include "probe/loader.h"
#include "probe/source.h"
#include "probe/tracefs.h"

#define SPARE_FDS 256		/* for the rest of the program */

struct task {
	pid_t pid;
	int *fds;		/* of the first count events; -1: did not open */
	size_t count;
	int source_fd;		/* what the wait source opened; -1: nothing */
	bool has_scratch;
	uint64_t watched_ns;	/* when its state entry was made */
};

struct probe_set {
	unsigned serial;	/* several sets of one process share its group */
	unsigned named;		/* names given out */
	char group[GROUP_SIZE];
	int events_fd;		/* uprobe_events */
	struct loaded loaded;
	struct uprobe_event *events;
	size_t count;
	struct task *tasks;
	size_t task_count;
	const struct wait_source *source;	/* NULL: none but the events */
	int source_fds[SOURCE_FDS];	/* what it opened for all tasks; -1: nothing */
};

struct probe_set *probe_set_new(void)
{
	static unsigned serial;
	struct probe_set *set = xcalloc(1, sizeof(*set));

	set->serial = serial++;
	uprobe_group(set->group);
	memset(&set->loaded, 0xff, sizeof(set->loaded));
	memset(set->source_fds, 0xff, sizeof(set->source_fds));
	set->events_fd = uprobe_events_open();
	if (set->events_fd < 0 || load_programs(&set->loaded) < 0) {
		probe_set_free(set);
		return NULL;
	}
	return set;
}

int probe_set_output_map(const struct probe_set *set)
{
	return set->loaded.maps[MAP_OUTPUT];
}

int probe_set_use(struct probe_set *set, const struct wait_source *source)
{
	set->source = source;
	return source->open ? source->open(&set->loaded, set->source_fds) : 0;
}

/* --- definitions ------------------------------------------------------------ */

/* argv_split() in the kernel has no quotes, a line feed would begin another definition,
 * and '#' begins a comment. */
static bool is_usable_path(const char *path)
{
	return *path && strlen(path) < 3800 && !strpbrk(path, " \t\n\r\v\f#");
}

static struct uprobe_event *add_event(struct probe_set *set)
{
	set->events = xrealloc(set->events, set->count + 1, sizeof(*set->events));
	return &set->events[set->count++];
}

static void new_name(struct probe_set *set, char *out)
{
	snprintf(out, EVENT_SIZE, "e%u_%u", set->serial, set->named++);
}

static int define_event(struct probe_set *set, struct uprobe_event *event)
{
	int program = set->loaded.programs[event->program];
	int error = uprobe_event_define(event, set->events_fd, set->group, program);

	if (!error)
		return 0;
	if (event->written < event->count)
		return log_error("cannot set a probe at offset 0x%" PRIx64 " of %s: %s "
				 "(see 'pgtrace-perf doctor': uprobe_events writable)", event->offsets[event->written],
				 event->path, strerror(-error));
	return log_error("cannot open the probes on %s: %s (see 'pgtrace-perf doctor': perf_event_open)",
			 event->path, strerror(-error));
}

int probe_set_define(struct probe_set *set, const char *path, const struct probe *probes,
		     size_t count)
{
	struct probe kind = { 0 };
	char name[EVENT_SIZE];
	int i;

	if (!is_usable_path(path))
		return log_error("uprobe_events takes no path such as '%s'; name it by "
				 "/proc/PID/exe", path);
	for (i = 0; i < 2 * PROGRAM_COUNT; i++) {
		struct uprobe_event *event = add_event(set);

		kind.program = (enum program_id)(i / 2);
		kind.is_return = i % 2;
		new_name(set, name);
		uprobe_event_init(event, name, path, &kind, probes, count);
		if (!event->count) {
			uprobe_event_release(event);
			set->count--;
		} else if (define_event(set, event) < 0) {
			return -1;
		}
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
		if (set->events[i].program == PROGRAM_ACTIVITY)
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
		log_warn("process %d: no statement text: %s (at most %d processes have it at a "
			 "time)", (int)task->pid, strerror(-error), SCRATCH_TASKS);
}

static struct task *add_task(struct probe_set *set, pid_t pid)
{
	struct task *task = find_task(set, pid);

	if (task)
		return task;
	set->tasks = xrealloc(set->tasks, set->task_count + 1, sizeof(*set->tasks));
	task = &set->tasks[set->task_count++];
	*task = (struct task){ .pid = pid, .source_fd = -1 };
	return task;
}

/*
 * Only when all probes are in place: the programs pass over a task without an entry, so no
 * wait is seen to begin whose end has no probe yet.  The wait under way is read as late as can be.
 */
static int watch(const struct probe_set *set, struct task *task, const struct task_state *state)
{
	struct task_state now = *state;
	struct iovec here = { &now.event, sizeof(now.event) };
	struct iovec there = { (void *)(uintptr_t)now.wait_event_addr, sizeof(now.event) };
	uint32_t key = (uint32_t)task->pid;
	int error;

	task->watched_ns = clock_mono_ns();
	if (process_vm_readv(task->pid, &here, 1, &there, 1, 0) != (ssize_t)sizeof(now.event))
		now.event = state->event;
	error = bpf_map_update(set->loaded.maps[MAP_STATE], &key, &now);
	return !error ? 0 : log_error("process %d cannot be added to those traced: %s "
				      "(at most %d)", (int)task->pid, strerror(-error), STATE_TASKS);
}

/* One descriptor an event and one an event and task. */
static void raise_nofile(const struct probe_set *set)
{
	size_t wanted = set->count * (1 + set->task_count) + SPARE_FDS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted;
	if (limit.rlim_max < wanted)
		limit.rlim_max = wanted;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_verbose("cannot raise the limit of open files to %zu", wanted);
}

/* Errors that say nothing about a place: fewer places will not help. */
static bool is_about_task(int error)
{
	return error == -ESRCH || error == -EMFILE || error == -ENFILE || error == -EPERM ||
	       error == -EACCES || error == -ENOMEM;
}

static bool is_open_anywhere(const struct probe_set *set, size_t event)
{
	size_t i;

	for (i = 0; i < set->task_count; i++)
		if (event < set->tasks[i].count && set->tasks[i].fds[event] >= 0)
			return true;
	return false;
}

/* Makes two events of the i-th.  false: it cannot be done, or does not help. */
static bool split_event(struct probe_set *set, size_t i, int error)
{
	char name[EVENT_SIZE];
	struct uprobe_event *half;

	if (is_about_task(error) || set->events[i].count < 2 || is_open_anywhere(set, i) ||
	    uprobe_event_remove(&set->events[i], set->events_fd, set->group))
		return false;
	half = add_event(set);
	new_name(set, name);
	uprobe_event_split(&set->events[i], half, name);
	return define_event(set, &set->events[i]) == 0 && define_event(set, half) == 0;
}

static int open_on_task(const struct uprobe_event *event, const struct task *task)
{
	if (event->program == PROGRAM_ACTIVITY && !task->has_scratch)
		return -ENOSPC;
	return uprobe_event_open(event, task->pid);
}

static void say_failed(const struct task *task, const struct uprobe_event *event, int error)
{
	size_t i;

	for (i = 0; i < event->count; i++)
		log_verbose("process %d: the probe at offset 0x%" PRIx64 " of %s did not attach: "
			    "%s", (int)task->pid, event->offsets[i], event->path, strerror(-error));
}

struct opened {
	size_t good, failed;	/* probes */
	int error;		/* the first */
};

/* Opens the events that are not open on task yet. */
static void open_all(struct probe_set *set, struct task *task, struct opened *out)
{
	while (task->count < set->count) {
		size_t i = task->count;
		int fd = open_on_task(&set->events[i], task);

		if (fd < 0 && fd != -ENOSPC && split_event(set, i, fd))
			continue;
		task->fds = xrealloc(task->fds, i + 1, sizeof(*task->fds));
		task->fds[task->count++] = fd < 0 ? -1 : fd;
		if (fd >= 0) {
			out->good += set->events[i].count;
			continue;
		}
		out->failed += set->events[i].count;
		out->error = out->error ? out->error : fd;
		say_failed(task, &set->events[i], fd);
	}
}

static const char *attach_hint(int error)
{
	switch (error) {
	case -ESRCH: return "the process has ended";
	case -EMFILE: return "too many open files; raise 'ulimit -n'";
	case -EACCES:
	case -EPERM: return "no right to: run as root (see 'pgtrace-perf doctor': perf_event_open)";
	default: return strerror(-error);
	}
}

/* 0, or -1 after one line. */
static int open_source(struct probe_set *set, struct task *task, uint64_t word)
{
	if (!set->source || !set->source->attach || task->source_fd >= 0)
		return 0;
	task->source_fd = set->source->attach(&set->loaded, task->pid, word);
	if (task->source_fd >= 0)
		return 0;
	return log_error("process %d: the %s source does not attach: %s (see 'pgtrace-perf doctor': perf_event_open)",
			 (int)task->pid, set->source->name, strerror(-task->source_fd));
}

int probe_set_attach(struct probe_set *set, pid_t pid, const struct task_state *state,
		     size_t *failed)
{
	struct task *task = add_task(set, pid);
	struct opened opened = { 0 };
	bool is_new;

	*failed = 0;
	is_new = !task->watched_ns;
	raise_nofile(set);
	give_scratch(set, task);
	open_all(set, task, &opened);
	*failed = opened.failed;
	if (!opened.good && opened.failed)
		log_error("no probe could be set on process %d: %s", (int)pid,
			  attach_hint(opened.error));
	else if (!is_new ||
		 (!open_source(set, task, state->wait_event_addr) && !watch(set, task, state)))
		return 0;
	if (is_new)
		probe_set_detach(set, pid, NULL);
	return -1;
}

int probe_set_lock_work(struct probe_set *set, pid_t pid, const struct lock_work *work)
{
	uint32_t key = (uint32_t)pid;

	return bpf_map_update(set->loaded.maps[MAP_LOCK], &key, work);
}

bool probe_set_state(const struct probe_set *set, pid_t pid, struct task_state *out)
{
	uint32_t key = (uint32_t)pid;

	return bpf_map_lookup(set->loaded.maps[MAP_STATE], &key, out) == 0;
}

uint64_t probe_set_watched_ns(const struct probe_set *set, pid_t pid)
{
	const struct task *task = find_task(set, pid);

	return task ? task->watched_ns : 0;
}

void probe_set_unwatch(struct probe_set *set, pid_t pid, struct task_state *last)
{
	uint32_t key = (uint32_t)pid;

	if (last)
		probe_set_state(set, pid, last);
	bpf_map_delete(set->loaded.maps[MAP_STATE], &key);
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
	probe_set_unwatch(set, pid, last);
	for (i = 0; i < task->count; i++)
		if (task->fds[i] >= 0)
			close(task->fds[i]);
	bpf_map_delete(set->loaded.maps[MAP_LOCK], &key);
	if (task->source_fd >= 0)
		close(task->source_fd);
	if (task->has_scratch)
		bpf_map_delete(set->loaded.maps[MAP_SCRATCH], &key);
	free(task->fds);
	*task = set->tasks[--set->task_count];
}

/* --- the end ---------------------------------------------------------------- */

static void drop_event(struct probe_set *set, struct uprobe_event *event)
{
	int error = uprobe_event_remove(event, set->events_fd, set->group);

	if (error)
		log_warn("%s/%s stays in uprobe_events: %s; the next pgtrace-perf removes it",
			 set->group, event->name, strerror(-error));
	uprobe_event_release(event);
}

void probe_set_free(struct probe_set *set)
{
	int i;

	if (!set)
		return;
	while (set->task_count)
		probe_set_detach(set, set->tasks[0].pid, NULL);
	for (i = 0; i < SOURCE_FDS; i++)
		if (set->source_fds[i] >= 0)
			close(set->source_fds[i]);
	while (set->count)
		drop_event(set, &set->events[--set->count]);
	unload_programs(&set->loaded);
	if (set->events_fd >= 0)
		close(set->events_fd);
	free(set->events);
	free(set->tasks);
	free(set);
}
