/* SPDX-License-Identifier: PostgreSQL */
#include "probe/event.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/xmalloc.h"
#include "probe/syscalls.h"
#include "probe/tracefs.h"

/* A child that we forked holds the perf events until it ends or executes something else,
 * and the kernel takes some 0.1 s to take the last one down. */
#define REMOVE_PATIENCE_MS 1000

static void set_name(struct uprobe_event *event, const char *name)
{
	snprintf(event->name, sizeof(event->name), "%s", name);
}

/* The kernel refuses the same place twice in one event. */
static void add_offset(struct uprobe_event *event, uint64_t offset)
{
	size_t i;

	for (i = 0; i < event->count; i++)
		if (event->offsets[i] == offset)
			return;
	event->offsets[event->count++] = offset;
}

void uprobe_event_init(struct uprobe_event *event, const char *name, const char *path,
		       const struct probe *kind, const struct probe *probes, size_t count)
{
	size_t i;

	memset(event, 0, sizeof(*event));
	set_name(event, name);
	event->path = xstrdup(path);
	event->offsets = xcalloc(count, sizeof(*event->offsets));
	event->program = kind->program;
	event->is_return = kind->is_return;
	event->holder = -1;
	for (i = 0; i < count; i++)
		if (probes[i].program == kind->program && probes[i].is_return == kind->is_return)
			add_offset(event, probes[i].offset);
}

static int write_places(struct uprobe_event *event, int events_fd, const char *group)
{
	char line[4096];
	int error = 0;

	while (!error && event->written < event->count) {
		snprintf(line, sizeof(line), "%c:%s/%s %s:0x%" PRIx64 "\n",
			 event->is_return ? 'r' : 'p', group, event->name, event->path,
			 event->offsets[event->written]);
		error = uprobe_events_write(events_fd, line);
		event->written += !error;
	}
	return error;
}

static int open_perf(int id, pid_t pid, bool is_holder)
{
	struct perf_event_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.type = PERF_TYPE_TRACEPOINT;
	attr.config = (uint64_t)id;
	attr.disabled = 1;
	/* Spares the walk through all processes that have the file mapped, which looks for
	 * where to put breakpoints: the holder's process is not among them. */
	attr.enable_on_exec = is_holder;
	return perf_event_open(&attr, pid, -1);
}

static int open_holder(struct uprobe_event *event, int program)
{
	event->holder = open_perf(event->id, 0, true);
	if (event->holder < 0)
		return event->holder;
	return ioctl(event->holder, PERF_EVENT_IOC_SET_BPF, program) < 0 ? -errno : 0;
}

int uprobe_event_define(struct uprobe_event *event, int events_fd, const char *group, int program)
{
	int error = write_places(event, events_fd, group);

	if (error)
		return error;
	event->id = uprobe_event_id(group, event->name);
	return event->id < 0 ? event->id : open_holder(event, program);
}

int uprobe_event_open(const struct uprobe_event *event, pid_t pid)
{
	return event->holder < 0 ? -ENODEV : open_perf(event->id, pid, false);
}

int uprobe_event_remove(struct uprobe_event *event, int events_fd, const char *group)
{
	int error = 0;

	if (event->holder >= 0)
		close(event->holder);
	event->holder = -1;
	if (event->written)
		error = uprobe_events_remove(events_fd, group, event->name, REMOVE_PATIENCE_MS);
	if (!error)
		event->written = 0;
	return error;
}

void uprobe_event_split(struct uprobe_event *event, struct uprobe_event *half, const char *name)
{
	size_t kept = event->count / 2;

	*half = *event;
	set_name(half, name);
	half->path = xstrdup(event->path);
	half->count = event->count - kept;
	half->offsets = xcalloc(half->count, sizeof(*half->offsets));
	memcpy(half->offsets, event->offsets + kept, half->count * sizeof(*half->offsets));
	event->count = kept;
}

void uprobe_event_release(struct uprobe_event *event)
{
	free(event->path);
	free(event->offsets);
	event->path = NULL;
	event->offsets = NULL;
}
