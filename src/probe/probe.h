/* SPDX-License-Identifier: PostgreSQL */
/*
 * struct probe_set - uprobe events of this collector: defined in tracefs, opened as
 * perf events on single processes, each with a BPF program.
 *
 * Life: probe_sweep_orphans, probe_set_new, probe_set_define, probe_set_attach (for
 * each pid), ..., probe_set_detach, probe_set_free.  Free accepts a half-built set
 * and leaves nothing in uprobe_events.
 */
#ifndef PROBE_PROBE_H
#define PROBE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/programs.h"
#include "kernel/sample.h"

struct probe {
	uint64_t offset;	/* in the file */
	bool is_return;		/* uretprobe */
	enum program_id program;	/* what runs there */
};

struct probe_set;
struct wait_source;

/* Where tracefs is mounted ("/sys/kernel/tracing"), or NULL; mounts nothing. */
const char *tracefs_path(void);

/*
 * Removes definitions that a collector which is no more left behind.  Returns how many, or
 * -errno.  Definitions of living collectors, and everything not ours, stay.  One that is still in use (the
 * killed one is being taken down) is tried again for patience_ms.
 */
int probe_sweep_orphans(unsigned patience_ms);

/* Maps made, programs loaded and verified.  NULL after one log_error line. */
struct probe_set *probe_set_new(void);
/*
 * Takes waits from source (source.h), for all tasks attached from now on; a set that is told of none
 * has only what it defines.  0, or -1 after one line.
 */
int probe_set_use(struct probe_set *set, const struct wait_source *source);
/*
 * Writes the definitions of count probes on the file at path, as this process sees it; without
 * white space, so "/proc/PID/exe" is best.  May be called again, for other files.  0, or -1 after
 * one line.
 */
int probe_set_define(struct probe_set *set, const char *path, const struct probe *probes,
		     size_t count);
/*
 * Opens every probe, and what the wait source needs, on pid (in the initial pid namespace).  state:
 * its entry in the state map (wait_event_addr set), which is made when all are open; the wait under way
 * is read there at that moment, event is for where it cannot be.  0, or -1 after one line: no probe opened.  Fewer that do
 * not open are counted in *failed, and are no error.  On a pid that is attached: opens what was
 * defined since, and leaves its state.
 */
int probe_set_attach(struct probe_set *set, pid_t pid, const struct task_state *state,
		     size_t *failed);
/* CLOCK_MONOTONIC ns just before pid's waits began to be seen; 0: it is not attached. */
uint64_t probe_set_watched_ns(const struct probe_set *set, pid_t pid);
/*
 * For PROGRAM_LOCK on pid: what it must know (struct lock_work's first part).  Before probe_set_attach, or lock waits
 * tell nothing.  0 or -errno.
 */
int probe_set_lock_work(struct probe_set *set, pid_t pid, const struct lock_work *work);
/* Reads the task's state; false: no entry. */
bool probe_set_state(const struct probe_set *set, pid_t pid, struct task_state *out);
/*
 * From this moment on nothing of pid is seen any more; its last state goes to *last if that is not NULL
 * (left as it is where there is none).  Closing many probes takes long, and they do not close at once.
 */
void probe_set_unwatch(struct probe_set *set, pid_t pid, struct task_state *last);
/* Closes pid's probes and fills *last with its last state if not NULL. */
void probe_set_detach(struct probe_set *set, pid_t pid, struct task_state *last);
/* The map that ring_open() plugs its rings into. */
int probe_set_output_map(const struct probe_set *set);
/* Takes some 0.1 s for each kind of probe (event.h): the tasks are let go first. */
void probe_set_free(struct probe_set *set);

#endif
