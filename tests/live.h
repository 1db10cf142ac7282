/* SPDX-License-Identifier: PostgreSQL */
/* What the live tests share: the target process (target_wait.c), its samples, uprobe_events. */
#ifndef TESTS_LIVE_H
#define TESTS_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "probe/probe.h"
#include "ring/ring.h"

#define LIVE_SITES 16

struct live_target {
	pid_t pid;
	FILE *to, *from;
	char exe[32];		/* "/proc/PID/exe" */
	uint64_t word;		/* address of its wait_event_info */
	struct {
		char name[32];
		uint64_t offset;
	} sites[LIVE_SITES];
	size_t count;
};

/* Ends the program, with a line, unless ok: for what is no assertion of a test itself. */
void live_must(bool ok, const char *what);

/* Each of these ends the program when something is wrong. */
void live_start(struct live_target *t);
void live_stop(struct live_target *t);
/* Sends the line, waits for the answer and returns it (static, until the next call). */
const char *live_ask(struct live_target *t, const char *line);
/* Sends only; live_answer() then waits. */
void live_tell(struct live_target *t, const char *line);
const char *live_answer(struct live_target *t);
/* The probe for a site: "start_emulated", ...; "start_return" and "end_return" are uretprobes. */
struct probe live_probe(const struct live_target *t, const char *site, enum program_id program);
/* Attaches with the task's word, event under way 0; ends the test if a probe fails. */
void live_attach(struct probe_set *set, const struct live_target *t);

struct live_samples {
	struct {
		struct sample head;
		struct sample_wait wait;
		struct sample_activity activity;
		char *text;
	} all[4096];
	size_t count;
};

/* Adds what is in the rings, in order of time. */
void live_read(struct ring_set *rings, struct live_samples *out);
void live_clear(struct live_samples *samples);

/* Lines of uprobe_events that hold text. */
size_t live_definitions(const char *text);

/* Log lines go to live_line from here on; live_lines counts them. */
void live_catch_log(void);
extern char live_line[2048];
extern int live_lines;

#endif
