/* SPDX-License-Identifier: PostgreSQL */
/*
 * struct uprobe_event - one event of uprobe_events with many places, all of one kind and
 * with one program.
 *
 * A line that names an event which is there adds a place to it (append_trace_uprobe in
 * kernel/trace/trace_uprobe.c, Linux 5.4).  All places of an event are opened, given a
 * program and closed as one, and that is what makes hundreds of probes bearable: when an
 * event is closed the kernel waits for several grace periods (RCU tasks trace), about 0.1 s,
 * which for 180 events one after the other is 20 s.
 *
 * The price: if one place is refused, all of the event are.  The refused one is then
 * found by halves (uprobe_event_split).
 *
 * The holder.  A program hangs on the event's definition, not on the perf event it was given
 * to: it runs for all perf events of the definition, giving it to a second is EEXIST, and
 * closing the one it was given to takes it away from all (perf_event_attach_bpf_prog and
 * _detach_bpf_prog in kernel/trace/bpf_trace.c).  Tasks come and go, so the program is given
 * to a perf event of our own, which looks at this process (it has no such code mapped)
 * and is open as long as the definition.
 *
 * The perf events of tasks are opened disabled and stay so.  Opening alone puts the breakpoints
 * into the task (uprobe_perf_open), and the program runs before it is asked whether a perf
 * event is enabled (__uprobe_perf_func); so none is scheduled out and in with the task.
 */
#ifndef PROBE_EVENT_H
#define PROBE_EVENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/probe.h"

#define EVENT_SIZE 32

struct uprobe_event {
	char name[EVENT_SIZE];
	char *path;		/* of the file, ours */
	uint64_t *offsets;	/* ours; all different */
	size_t count;
	size_t written;		/* so many have been defined */
	enum program_id program;
	bool is_return;
	int id;			/* for perf_event_open */
	int holder;		/* -1: not defined */
};

/*
 * Takes from probes (count of them) those of one kind, each offset once.  name: free in the
 * group.  Nothing is defined yet.
 */
void uprobe_event_init(struct uprobe_event *event, const char *name, const char *path,
		       const struct probe *kind, const struct probe *probes, size_t count);
/* Defines it, opens the holder and gives it the program.  0 or -errno. */
int uprobe_event_define(struct uprobe_event *event, int events_fd, const char *group, int program);
/* A perf event on pid, or -errno: of the first place that was refused. */
int uprobe_event_open(const struct uprobe_event *event, pid_t pid);
/* Closes the holder and removes what was defined.  0 or -errno; then it may be defined again. */
int uprobe_event_remove(struct uprobe_event *event, int events_fd, const char *group);
/* Moves half of the places (count > 1) of an event that is not defined to *half, under name. */
void uprobe_event_split(struct uprobe_event *event, struct uprobe_event *half, const char *name);
/* Frees the memory. */
void uprobe_event_release(struct uprobe_event *event);

#endif
