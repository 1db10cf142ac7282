/* SPDX-License-Identifier: PostgreSQL */
/*
 * trace: one session, live.
 *
 * Order matters.  Probes first, so that no wait is missed; then the extension is asked; then the files
 * are opened, so that a refused attach leaves none.  At the end the probes come off, what they
 * left in the rings is merged, and only then are the files closed.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "base/xmalloc.h"
#include "cmd/attach.h"
#include "cmd/cmd.h"
#include "cmd/extension.h"
#include "cmd/options.h"
#include "cmd/output.h"
#include "merge/activity.h"
#include "merge/pending.h"
#include "merge/sources.h"

#define ROUND_MS 50		/* at least so often are the sources looked at */
#define MODULES_NS UINT64_C(200000000)
#define STATUS_NS UINT64_C(1000000000)
#define LAST_ROUNDS 4		/* to empty the rings: a LOST found in one round leaves in the next */

enum ending {
	GOES_ON = 0,
	BY_SIGNAL,
	BY_DURATION,
	BY_BACKEND,		/* it has left or died */
	BY_SQL,			/* the trace that we read was stopped */
	BY_DAMAGE,		/* its record file cannot be read on */
	BY_OUTPUT,		/* nowhere to write to */
};

static const char *const ending_texts[] = {
	[BY_SIGNAL] = "stopped",
	[BY_DURATION] = "its time is over",
	[BY_BACKEND] = "the backend has ended",
	[BY_SQL] = "the session's trace was stopped",
	[BY_DAMAGE] = "the record file is damaged",
	[BY_OUTPUT] = "the output cannot be written",
};

struct tracer {
	struct trace_options options;
	struct attachment at;
	struct extension ext;
	struct output out;
	struct merge *merge;
	struct source **rings;
	size_t ring_count;
	struct activity *activity;
	struct pending *pending;	/* NULL: samples come in order */
	bool said_watch;	/* from when on waits are seen, and how */
	bool seen_end;		/* the records' own PGT_END */
	uint64_t cut_ns;	/* the probes came off: nothing younger is shown; 0: not yet */
	uint64_t last_wait_start_ns;	/* of the waits shown */
	uint64_t round_ns;	/* when the last round began */
	uint32_t lost;		/* samples, as the programs had counted by then */
	bool shows_status;
	uint64_t began_ns, status_ns, modules_ns;
	int process_fd;
};

/* --- the stream ------------------------------------------------------------ */

/* From here on waits are seen, and how. */
static void say_watch(struct tracer *t)
{
	struct strbuf body = STRBUF_INIT, text = STRBUF_INIT;
	struct pgt_watch watch = { 0 };

	t->said_watch = true;
	attachment_describe(&t->at, &text);
	watch.length = (uint32_t)text.length;
	strbuf_add(&body, &watch, sizeof(watch));
	strbuf_add(&body, text.text, text.length);
	output_own(&t->out, PGT_WATCH, (uint32_t)t->at.target.own_pid, t->at.attached_ns, body.text, body.length);
	strbuf_release(&text);
	strbuf_release(&body);
}

static void pass_on(const struct event *ev, void *arg)
{
	struct tracer *t = arg;

	/* What comes behind the session's end, or when nobody looked for waits any more, would only mislead. */
	if (t->seen_end || (t->cut_ns && ev->head.time_ns > t->cut_ns))
		return;
	if (!t->said_watch && ev->head.time_ns >= t->at.attached_ns)
		say_watch(t);
	if (ev->head.kind == PGT_END)
		t->seen_end = true;
	if (ev->head.kind == PGT_WAIT)
		t->last_wait_start_ns = ((const struct pgt_wait *)ev->body)->start_ns;
	output_event(&t->out, ev);
}

/* Before the events of the round, so that the calls it may concern are known to be incomplete. */
static void say_lost(struct tracer *t, uint32_t lost, uint64_t until_ns)
{
	struct pgt_loss loss = { .reason = PGT_LOSS_RING, .count = lost - t->lost, .until_ns = until_ns };

	if (lost == t->lost)
		return;
	t->lost = lost;
	output_own(&t->out, PGT_LOSS, (uint32_t)t->at.target.own_pid, t->round_ns, &loss, sizeof(loss));
}

static void look_for_losses(struct tracer *t)
{
	uint64_t now = clock_mono_ns();
	struct task_state state;

	if (probe_set_state(t->at.set, t->at.target.pid, &state))
		say_lost(t, state.lost, now);
	t->round_ns = now;
}

static void round_of_events(struct tracer *t)
{
	const struct event *ev;

	while ((ev = merge_next(t->merge))) {
		if (ev->head.kind == EVENT_ACTIVITY)
			activity_apply(t->activity, ev, pass_on, t);
		else
			pass_on(ev, t);
	}
}

static bool read_state(void *arg, uint32_t pid, struct task_state *out)
{
	return probe_set_state(((struct tracer *)arg)->at.set, (pid_t)pid, out);
}

static void open_pending(struct tracer *t)
{
	t->pending = pending_new(read_state, t);
	pending_add(t->pending, (uint32_t)t->at.target.pid, (uint32_t)t->at.target.own_pid, t->at.attached_ns);
	merge_add(t->merge, pending_source(t->pending));
}

static void open_stream(struct tracer *t)
{
	size_t i;

	t->merge = merge_new();
	t->activity = activity_new(t->at.target.major_version, (uint32_t)t->at.target.own_pid);
	if (t->at.source->is_late)
		open_pending(t);
	t->ring_count = ring_set_count(t->at.rings);
	t->rings = xcalloc(t->ring_count, sizeof(*t->rings));
	for (i = 0; i < t->ring_count; i++) {
		t->rings[i] = ring_source_new(ring_set_ring(t->at.rings, i), t->at.target.pid,
					      t->at.target.own_pid, t->at.attached_ns);
		merge_add(t->merge, t->pending ? pending_ordered(t->pending, t->rings[i]) : t->rings[i]);
	}
}

/* --- what the trace begins with --------------------------------------------- */

/*
 * "postgres: 15/main: alice shop 10.0.0.1(5432) idle": user, database and client, where they are three words
 * and the third is an address; a name with a blank in it, or another kind of process, leaves them unknown.
 */
static void session_from_title(const char *title, struct pgt_session *session)
{
	const char *at = strstr(title, ": "), *colon;
	char user[PGT_NAME_SIZE], database[PGT_NAME_SIZE], client[PGT_NAME_SIZE];

	if (!at)
		return;
	at += 2;
	while ((colon = strstr(at, ": ")))	/* cluster_name */
		at = colon + 2;
	if (sscanf(at, "%63s %63s %63s", user, database, client) != 3 ||
	    (strcmp(client, "[local]") && client[strlen(client) - 1] != ')'))
		return;
	memcpy(session->user_name, user, sizeof(user));
	memcpy(session->database, database, sizeof(database));
	memcpy(session->client, client, sizeof(client));
}

static void make_session(const struct tracer *t, struct pgt_session *session)
{
	const struct target *target = &t->at.target;

	memset(session, 0, sizeof(*session));
	session->server_version_num = (uint32_t)target->major_version * 10000;
	session->level = t->options.level;
	session->flags = t->ext.control ? 0 : PGT_SESSION_NO_EXTENSION;
	session->wall_us = clock_wall_us();
	snprintf(session->server_version, sizeof(session->server_version), "%d", target->major_version);
	session_from_title(target->title, session);
}

/* A trace that is joined tells of its session itself, and has a past, which is shown first (pass_on). */
static void say_beginning(struct tracer *t, const struct pgt_session *session)
{
	if (t->ext.control && !t->ext.ours)
		return;
	output_own(&t->out, PGT_SESSION, (uint32_t)t->at.target.own_pid, t->at.attached_ns, session, sizeof(*session));
	say_watch(t);
}

static int open_output(struct tracer *t)
{
	uint32_t pid = (uint32_t)t->at.target.own_pid;
	struct pgt_session session;
	struct pgt_header header = { .level = t->options.level, .pid = pid };
	const char *base = t->options.output;
	char name[64];

	snprintf(name, sizeof(name), "pgtrace_%u_%lld", pid, (long long)(clock_wall_us() / 1000000));
	if (!base)
		base = t->ext.control ? t->ext.base : name;
	make_session(t, &session);
	header.server_version_num = session.server_version_num;
	header.start_mono_ns = t->at.attached_ns;
	header.start_wall_us = session.wall_us;
	if (output_open(&t->out, base, &header))
		return -1;
	say_beginning(t, &session);
	return 0;
}

/* --- the loop --------------------------------------------------------------- */

static enum ending wait_for_more(struct tracer *t)
{
	struct pollfd fds[] = {
		{ .fd = t->process_fd, .events = POLLIN },
		{ .fd = ring_set_fd(t->at.rings), .events = POLLIN },
	};

	if (stop_asked() || (poll(fds, 2, ROUND_MS) < 0 && stop_asked()))
		return BY_SIGNAL;
	if (fds[0].revents || (t->process_fd < 0 && !target_is_alive(&t->at.target)))
		return BY_BACKEND;
	if (t->options.duration_ns && clock_mono_ns() - t->began_ns >= t->options.duration_ns)
		return BY_DURATION;
	if (t->out.failed)
		return BY_OUTPUT;
	if (t->ext.records && record_source_ended(t->ext.records))
		return record_source_damaged(t->ext.records) ? BY_DAMAGE : BY_SQL;
	return GOES_ON;
}

static void show_status(struct tracer *t, uint64_t now)
{
	const struct trace_totals *totals = trace_totals(t->out.trace);

	if (!t->shows_status || now - t->status_ns < STATUS_NS)
		return;
	t->status_ns = now;
	fprintf(stderr, "\r%6.0f s  %llu statements  %llu waits  %llu lost ",
		(double)(now - t->began_ns) / 1e9, (unsigned long long)totals->statements,
		(unsigned long long)totals->waits,
		(unsigned long long)(totals->lost_samples + totals->dropped_records));
}

/* The extension's side may begin late, or not at all: then statements come from a probe after all. */
static void look_at_extension(struct tracer *t)
{
	bool had_failed = t->ext.failed;

	if (extension_poll(&t->ext))
		merge_add(t->merge, t->ext.records);
	if (!t->ext.failed || had_failed)
		return;
	output_note(&t->out, (uint32_t)t->at.target.own_pid, clock_mono_ns(), t->ext.why);
	if (attachment_add_statements(&t->at))
		output_note(&t->out, (uint32_t)t->at.target.own_pid, clock_mono_ns(),
			    "statements cannot be seen by a probe either: they are missing");
}

/* Modules that were loaded since: a statement may load one at any time, so look rather often. */
static void look_for_modules(struct tracer *t, uint64_t now)
{
	uint32_t pid = (uint32_t)t->at.target.own_pid;
	struct strbuf news = STRBUF_INIT;

	if (now - t->modules_ns < MODULES_NS)
		return;
	t->modules_ns = now;
	if (attachment_add_modules(&t->at, &news))
		output_note(&t->out, pid, t->round_ns, "probes of a module did not open: its waits are missing");
	if (news.length)
		output_note(&t->out, pid, t->round_ns, news.text);
	strbuf_release(&news);
}

static enum ending loop(struct tracer *t)
{
	enum ending ending = GOES_ON;

	while (!ending) {
		ending = wait_for_more(t);
		look_at_extension(t);
		look_for_losses(t);
		look_for_modules(t, t->round_ns);
		round_of_events(t);
		output_flush(&t->out);
		show_status(t, clock_mono_ns());
	}
	if (t->shows_status)
		fputc('\n', stderr);
	return ending;
}

/* --- the end ---------------------------------------------------------------- */

static void say_open_wait(struct tracer *t, const struct task_state *last, uint64_t now)
{
	struct pgt_wait wait = { .event = last->event, .flags = PGT_WAIT_OPEN, .start_ns = last->start_ns };

	objects_of_wait(last, &wait.object);
	if (!wait.start_ns) {
		wait.flags |= PGT_WAIT_NO_START;
		wait.start_ns = t->at.attached_ns;
	}
	/* None was open; or it had ended just then, and has been shown. */
	if (!last->event || last->end_ns || wait.start_ns > now || t->last_wait_start_ns >= wait.start_ns)
		return;
	output_own(&t->out, PGT_WAIT, (uint32_t)t->at.target.own_pid, now, &wait, sizeof(wait));
}

/* A probe that must fire is seen to fire: silence must not pass for the absence of waits. */
static void say_self_check(struct tracer *t, const struct task_state *last, uint64_t now)
{
	uint32_t pid = (uint32_t)t->at.target.own_pid;
	char text[160];

	if (last->read_faults) {
		snprintf(text, sizeof(text),
			 "%u times a wait event or a statement's text could not be read: some are missing",
			 last->read_faults);
		output_note(&t->out, pid, now, text);
	}
	if (!last->hits)
		output_note(&t->out, pid, now,
			    "no wait probe was hit: the session neither waited nor ran, or its waits were not seen");
}

static void say_bad_samples(struct tracer *t, uint64_t now)
{
	struct pgt_loss loss = { .reason = PGT_LOSS_BAD_SAMPLE };
	size_t i;

	for (i = 0; i < t->ring_count; i++)
		loss.count += ring_bad(ring_set_ring(t->at.rings, i));
	if (loss.count)
		output_own(&t->out, PGT_LOSS, (uint32_t)t->at.target.own_pid, now, &loss, sizeof(loss));
}

/* On a full disk there is no room for the record that says so either; the file's header has the count. */
static void say_dropped(struct tracer *t, uint64_t now)
{
	uint64_t told = trace_totals(t->out.trace)->dropped_records;
	struct pgt_loss loss = { .reason = PGT_LOSS_UNTOLD };

	if (!t->ext.records || record_source_dropped(t->ext.records) <= told)
		return;
	loss.count = record_source_dropped(t->ext.records) - told;
	output_own(&t->out, PGT_LOSS, (uint32_t)t->at.target.own_pid, now, &loss, sizeof(loss));
}

static void say_late(struct tracer *t, uint64_t now)
{
	struct pgt_loss loss = { .reason = PGT_LOSS_LATE, .count = merge_late(t->merge) };

	if (loss.count)
		output_own(&t->out, PGT_LOSS, (uint32_t)t->at.target.own_pid, now, &loss, sizeof(loss));
}

static void say_end(struct tracer *t, enum ending ending, uint64_t now)
{
	struct pgt_end end = { .reason = PGT_END_STOPPED };

	if (t->seen_end)
		return;
	if (ending == BY_BACKEND)
		end.reason = t->ext.records ? PGT_END_KILLED : PGT_END_GONE;
	output_own(&t->out, PGT_END, (uint32_t)t->at.target.own_pid, now, &end, sizeof(end));
}

static void finish_stream(struct tracer *t, enum ending ending)
{
	struct task_state last;
	int i;

	t->cut_ns = attachment_detach(&t->at, &last);
	if (t->pending)
		pending_close(t->pending, (uint32_t)t->at.target.pid, &last);
	extension_stop(&t->ext);
	if (ending == BY_BACKEND && t->ext.records)
		record_source_close(t->ext.records);
	if (last.hits)
		say_lost(t, last.lost, t->cut_ns);
	for (i = 0; i < LAST_ROUNDS; i++)
		round_of_events(t);
	if (!t->said_watch)
		say_watch(t);
	if (!t->seen_end)
		say_open_wait(t, &last, t->cut_ns);
	say_self_check(t, &last, t->cut_ns);
	say_bad_samples(t, t->cut_ns);
	say_dropped(t, t->cut_ns);
	say_late(t, t->cut_ns);
	say_end(t, ending, t->cut_ns);
}

/* All of the record file that we asked for is in the .pgt: do not leave a copy with the server. */
static void drop_record(const struct tracer *t)
{
	if (t->ext.ours && t->ext.records && !t->options.keep_record && t->out.records_path &&
	    unlink(t->ext.record_path))
		log_warn("cannot remove %s: %s", t->ext.record_path, strerror(errno));
}

static int finish(struct tracer *t, enum ending ending)
{
	struct trace_totals totals;

	finish_stream(t, ending);
	totals = *trace_totals(t->out.trace);
	if (output_finish(&t->out))
		return log_error("the trace is not whole: its output could not be written");
	log_info("%s: %llu statements, %llu waits, %llu lost%s%s%s%s", ending_texts[ending],
		 (unsigned long long)totals.statements, (unsigned long long)totals.waits,
		 (unsigned long long)(totals.lost_samples + totals.dropped_records),
		 t->out.text_path ? "; see " : "", t->out.text_path ? t->out.text_path : "",
		 t->out.records_path ? " and " : "", t->out.records_path ? t->out.records_path : "");
	if (t->ext.records && record_source_damaged(t->ext.records))
		return log_error("the trace is not whole: %s cannot be read to its end, and stays", t->ext.record_path);
	drop_record(t);
	return 0;
}

static int run(struct tracer *t)
{
	const struct attach_options how = {
		.source = t->options.source,
		.at_stores = t->options.at_stores,
		.objects = !t->options.no_objects,
		.ring_pages = t->options.ring_pages,
	};

	if (attachment_open(&t->at, t->options.pid, &how) ||
	    extension_open(&t->ext, &t->at.target, t->options.level))
		return -1;
	open_stream(t);
	if (open_output(t)) {
		extension_stop(&t->ext);
		return -1;
	}
	log_info("tracing process %d (%s)%s", (int)t->options.pid, t->at.target.title,
		 t->ext.control ? (t->ext.ours ? "" : ", joining its trace") :
				  "; without the extension pg_trace: no binds, plans, rows or nested SQL");
	t->began_ns = clock_mono_ns();
	t->shows_status = isatty(STDERR_FILENO) && t->out.text_path && !log_is_quiet();
	return finish(t, loop(t));
}

static void release(struct tracer *t)
{
	size_t i;

	output_close(&t->out);
	merge_free(t->merge);
	pending_free(t->pending);
	for (i = 0; i < t->ring_count; i++)
		ring_source_free(t->rings[i]);
	free(t->rings);
	activity_free(t->activity);
	extension_close(&t->ext);
	attachment_close(&t->at);
	if (t->process_fd >= 0)
		close(t->process_fd);
}

int cmd_trace(int argc, char **argv)
{
	struct tracer t = { .process_fd = -1 };
	int status = trace_options_parse(&t.options, argc, argv);

	if (status >= 0)
		return status;
	/* From here on no signal can end us with probes in place. */
	stop_catch();
	/* Without pidfd_open (before Linux 5.3) target_is_alive alone tells. */
	t.process_fd = (int)syscall(SYS_pidfd_open, t.options.pid, 0);
	status = run(&t) ? EXIT_FAILED : EXIT_OK;
	release(&t);
	return status;
}
