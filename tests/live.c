/* SPDX-License-Identifier: PostgreSQL */
#include "live.h"

#include <check.h>
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
		ck_assert_uint_lt(t->count, LIVE_SITES);
		ck_assert_int_eq(sscanf(line, "site %31s 0x%" SCNx64, t->sites[t->count].name,
					&t->sites[t->count].offset), 2);
		t->count++;
	}
}

void live_start(struct live_target *t)
{
	int down[2], up[2];

	memset(t, 0, sizeof(*t));
	ck_assert_int_eq(pipe2(down, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(up, O_CLOEXEC), 0);
	t->pid = fork();
	if (t->pid == 0)
		run_target(down[0], up[1]);
	close(down[0]);
	close(up[1]);
	t->to = fdopen(down[1], "w");
	t->from = fdopen(up[0], "r");
	ck_assert(t->pid > 0 && t->to && t->from);
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
	ck_assert_int_gt(fprintf(t->to, "%s\n", line), 0);
}

const char *live_answer(struct live_target *t)
{
	static char answer[256];

	ck_assert_msg(fgets(answer, sizeof(answer), t->from) != NULL, "the target has ended");
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
	ck_abort_msg("the target has no site %s", site);
}

void live_attach(struct probe_set *set, const struct live_target *t)
{
	const struct task_state state = { .wait_event_addr = t->word };
	size_t failed;

	ck_assert_int_eq(probe_set_attach(set, t->pid, &state, &failed), 0);
	ck_assert_uint_eq(failed, 0);
}

static void add(struct live_samples *out, const struct sample *sample, size_t size)
{
	size_t i = out->count++;

	ck_assert_uint_lt(i, sizeof(out->all) / sizeof(out->all[0]));
	memset(&out->all[i], 0, sizeof(out->all[i]));
	out->all[i].head = *sample;
	if (sample->kind == SAMPLE_WAIT)
		memcpy(&out->all[i].wait, sample, sizeof(struct sample_wait));
	if (sample->kind != SAMPLE_ACTIVITY)
		return;
	memcpy(&out->all[i].activity, sample, sizeof(struct sample_activity));
	ck_assert_uint_le(sizeof(struct sample_activity) + out->all[i].activity.length, size);
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
		ck_assert_uint_eq(ring_bad(ring), 0);
		ck_assert_uint_eq(ring_lost(ring), 0);
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
	ck_assert_ptr_nonnull(file);
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
