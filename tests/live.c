/* SPDX-License-Identifier: PostgreSQL */
#include "live.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"

char live_line[2048];
int live_lines;

void live_must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "live test: %s\n", what);
	abort();
}

static void run_target(int in, int out)
{
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execl("tests/target_wait", "target_wait", (char *)NULL);
	_exit(127);
}

static void read_sites(struct live_target *t)
{
	const char *line;

	while (strcmp(line = live_answer(t), "ready")) {
		if (sscanf(line, "word 0x%" SCNx64, &t->word) == 1)
			continue;
		live_must(t->count < LIVE_SITES, "the target has too many sites");
		live_must(sscanf(line, "site %31s 0x%" SCNx64, t->sites[t->count].name,
				 &t->sites[t->count].offset) == 2, "the target says what it should not");
		t->count++;
	}
}

void live_start(struct live_target *t)
{
	int down[2], up[2];

	memset(t, 0, sizeof(*t));
	live_must(pipe2(down, O_CLOEXEC) == 0 && pipe2(up, O_CLOEXEC) == 0, "no pipe");
	t->pid = fork();
	if (t->pid == 0)
		run_target(down[0], up[1]);
	close(down[0]);
	close(up[1]);
	t->to = fdopen(down[1], "w");
	t->from = fdopen(up[0], "r");
	live_must(t->pid > 0 && t->to && t->from, "the target does not start");
	setvbuf(t->to, NULL, _IOLBF, 0);
	snprintf(t->exe, sizeof(t->exe), "/proc/%d/exe", (int)t->pid);
	read_sites(t);
}

void live_stop(struct live_target *t)
{
	kill(t->pid, SIGKILL);
	waitpid(t->pid, NULL, 0);
	fclose(t->to);
	fclose(t->from);
}

void live_tell(struct live_target *t, const char *line)
{
	live_must(fprintf(t->to, "%s\n", line) > 0, "the target takes no line");
}

const char *live_answer(struct live_target *t)
{
	static char answer[256];

	live_must(fgets(answer, sizeof(answer), t->from) != NULL, "the target has ended");
	answer[strcspn(answer, "\n")] = '\0';
	return answer;
}

const char *live_ask(struct live_target *t, const char *line)
{
	live_tell(t, line);
	return live_answer(t);
}

struct probe live_probe(const struct live_target *t, const char *site, enum program_id program)
{
	size_t i;

	for (i = 0; i < t->count; i++)
		if (!strcmp(t->sites[i].name, site))
			return (struct probe){ .offset = t->sites[i].offset, .program = program,
					       .is_return = strstr(site, "_return") != NULL };
	live_must(false, site);
	abort();
}

void live_attach(struct probe_set *set, const struct live_target *t)
{
	const struct task_state state = { .wait_event_addr = t->word };
	size_t failed;

	live_must(probe_set_attach(set, t->pid, &state, &failed) == 0 && !failed, "a probe does not attach");
}

static void add(struct live_samples *out, const struct sample *sample, size_t size)
{
	size_t i = out->count++;

	live_must(i < sizeof(out->all) / sizeof(out->all[0]), "too many samples");
	memset(&out->all[i], 0, sizeof(out->all[i]));
	out->all[i].head = *sample;
	if (sample->kind == SAMPLE_WAIT)
		memcpy(&out->all[i].wait, sample, sizeof(struct sample_wait));
	if (sample->kind != SAMPLE_ACTIVITY)
		return;
	memcpy(&out->all[i].activity, sample, sizeof(struct sample_activity));
	live_must(sizeof(struct sample_activity) + out->all[i].activity.length <= size, "a text beyond its sample");
	out->all[i].text = xmemdup0((const char *)sample + sizeof(struct sample_activity),
				    out->all[i].activity.length);
}

static int by_time(const void *a, const void *b)
{
	const struct sample *left = a, *right = b;

	return (left->time_ns > right->time_ns) - (left->time_ns < right->time_ns);
}

void live_read(struct ring_set *rings, struct live_samples *out)
{
	const struct sample *sample;
	size_t i, size;

	for (i = 0; i < ring_set_count(rings); i++) {
		struct ring *ring = ring_set_ring(rings, i);

		while ((sample = ring_next(ring, &size)))
			add(out, sample, size);
		ring_done(ring);
		live_must(!ring_bad(ring) && !ring_lost(ring), "a ring lost samples, or holds bad ones");
	}
	qsort(out->all, out->count, sizeof(out->all[0]), by_time);
}

void live_clear(struct live_samples *samples)
{
	size_t i;

	for (i = 0; i < samples->count; i++)
		free(samples->all[i].text);
	samples->count = 0;
}

size_t live_definitions(const char *text)
{
	char path[256], line[1024];
	size_t found = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/uprobe_events", tracefs_path());
	file = fopen(path, "r");
	live_must(file != NULL, path);
	while (fgets(line, sizeof(line), file))
		found += strstr(line, text) != NULL;
	fclose(file);
	return found;
}

static void keep_line(const char *line, void *arg)
{
	(void)arg;
	snprintf(live_line, sizeof(live_line), "%s", line);
	live_lines++;
}

void live_catch_log(void)
{
	live_lines = 0;
	live_line[0] = '\0';
	log_set_hook(keep_line, NULL);
}
