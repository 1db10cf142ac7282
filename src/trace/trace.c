/* SPDX-License-Identifier: PostgreSQL */
#include "trace/trace.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "out/sink.h"
#include "trace/relations.h"
#include "trace/session.h"

#define LOSSY_GAP_NS UINT64_C(1000000000)

struct trace {
	struct sessions *sessions;
	struct sink **sinks;
	size_t sink_count;
	struct trace_totals totals;
	struct relations relations;	/* of all sessions: they may be of several databases, not of several servers */
	bool expect_waits;
	int64_t wall_offset_us;	/* of the last clock pair of any session: all run on one machine */
};

struct trace *trace_new(void)
{
	struct trace *trace = xcalloc(1, sizeof(*trace));

	trace->sessions = sessions_new();
	return trace;
}

void trace_add_sink(struct trace *trace, struct sink *sink)
{
	trace->sinks = xrealloc(trace->sinks, trace->sink_count + 1, sizeof(*trace->sinks));
	trace->sinks[trace->sink_count++] = sink;
}

void trace_expect_waits(struct trace *trace)
{
	trace->expect_waits = true;
}

const struct trace_totals *trace_totals(const struct trace *trace)
{
	return &trace->totals;
}

int64_t session_wall_us(const struct session *session, uint64_t time_ns)
{
	return (int64_t)(time_ns / 1000 + (uint64_t)session->wall_offset_us);
}

static void show(struct trace *trace, const struct trace_event *te)
{
	size_t i;

	for (i = 0; i < trace->sink_count; i++)
		sink_event(trace->sinks[i], te);
}

/* --- what each kind does to the model --------------------------------------- */

/* One event on its way through the model. */
struct step {
	struct trace *trace;
	struct session *session;
	const struct event *ev;
	struct trace_event te;
	struct account account;
};

static void set_wall(struct step *step, int64_t wall_us)
{
	step->session->wall_offset_us = (int64_t)((uint64_t)wall_us - step->ev->head.time_ns / 1000);
	step->trace->wall_offset_us = step->session->wall_offset_us;
}

static void apply_session(struct step *step)
{
	struct pgt_session *info = &step->session->info;

	*info = *(const struct pgt_session *)step->ev->body;
	info->server_version[PGT_NAME_SIZE - 1] = '\0';
	info->database[PGT_NAME_SIZE - 1] = '\0';
	info->user_name[PGT_NAME_SIZE - 1] = '\0';
	info->application[PGT_NAME_SIZE - 1] = '\0';
	info->client[PGT_NAME_SIZE - 1] = '\0';
	set_wall(step, info->wall_us);
}

static void apply_wait_names(struct step *step)
{
	waitnames_learn(&step->session->state->names, step->ev);
}

static void apply_text(struct step *step)
{
	const struct pgt_text *text = step->ev->body;

	step->trace->totals.cut_values += text->length < text->true_length;
}

static void apply_begin(struct step *step)
{
	calls_begin(step->session->state, step->ev);
}

/* A trace that is joined has calls from before its PGT_WATCH. */
static bool waits_were_seen(const struct session *session, const struct pgt_call *call)
{
	if (!session->state->watched_ns)
		return session->waits > 0;
	return call->start_ns >= session->state->watched_ns;
}

/* Samples were lost while this call ran: some of its waits may be among them. */
static bool lost_inside(const struct session_state *state, const struct pgt_call *call)
{
	return call->start_ns < state->lossy_until && call->end_ns > state->lossy_from;
}

static void apply_call(struct step *step)
{
	const struct pgt_call *call = step->ev->body;

	step->te.begun = calls_end(step->session->state, step->ev, &step->account);
	step->account.known_waits = waits_were_seen(step->session, call);
	step->account.cut_waits |= lost_inside(step->session->state, call);
	if (!(call->flags & PGT_CALL_NO_START))
		step->te.account = &step->account;
	step->session->calls++;
	step->trace->totals.calls++;
	if (call->call == PGT_CALL_EXEC && !step->ev->head.depth) {
		step->session->statements++;
		step->trace->totals.statements++;
	}
}

static void apply_binds(struct step *step)
{
	struct trace_totals *totals = &step->trace->totals;
	struct pgt_bind bind;
	const char *text;
	size_t at = 0;

	while (event_next_bind(step->ev, &at, &bind, &text)) {
		totals->cut_values += !!(bind.flags & PGT_BIND_CUT);
		totals->failed_values += !!(bind.flags & PGT_BIND_FAILED);
	}
}

static void apply_clock(struct step *step)
{
	set_wall(step, ((const struct pgt_clock *)step->ev->body)->wall_us);
}

/* Where a loss is counted. */
static uint64_t *loss_total(struct trace_totals *totals, uint32_t reason)
{
	switch (reason) {
	case PGT_LOSS_RING:
	case PGT_LOSS_BAD_SAMPLE:
		return &totals->lost_samples;
	case PGT_LOSS_BAD_RECORD:
		return &totals->bad_records;
	case PGT_LOSS_LATE:
		return &totals->late_events;
	}
	return &totals->dropped_records;
}

/* Losses that follow one another are one stretch of time, so that a long call is seen to overlap all of them. */
static void note_lossy(struct session_state *state, const struct event *ev)
{
	uint64_t until = event_loss_until(ev);

	if (ev->head.time_ns > state->lossy_until + LOSSY_GAP_NS && !state->open)
		state->lossy_from = ev->head.time_ns;
	if (!state->lossy_until)
		state->lossy_from = ev->head.time_ns;
	state->lossy_until = until ? until : ev->head.time_ns + 1;
}

static void apply_watch(struct step *step)
{
	step->session->has_waits = true;
	step->session->state->watched_ns = step->ev->head.time_ns;
}

static void apply_loss(struct step *step)
{
	const struct pgt_loss *loss = step->ev->body;
	uint64_t *total = loss_total(&step->trace->totals, loss->reason);

	*total += loss->count;
	if (loss->reason == PGT_LOSS_RING)
		note_lossy(step->session->state, step->ev);
	if (total == &step->trace->totals.dropped_records)
		step->session->state->told_dropped += loss->count;
}

static void apply_wait(struct step *step)
{
	const struct pgt_wait *wait = step->ev->body;
	const struct pgt_record *head = &step->ev->head;
	struct session *session = step->session;
	const struct open_call *call = calls_wait(session->state, step->ev);
	struct trace_event *te = &step->te;

	te->call_cursor = call ? call->cursor : head->cursor;
	te->call_depth = call ? call->depth : head->depth;
	te->wait_name = waitnames_find(&session->state->names, session->info.server_version_num, wait->event,
				       &te->wait_type);
	te->object = event_object(step->ev);
	te->relation = te->object ? relations_find(&step->trace->relations, te->object) : NULL;
	session->has_waits = true;
	session->waits++;
	session->wait_ns = (int64_t)((uint64_t)session->wait_ns + head->time_ns - wait->start_ns);
	step->trace->totals.waits++;
}

static void apply_relation(struct step *step)
{
	relations_learn(&step->trace->relations, step->ev);
}

static void (*const appliers[PGT_KINDS])(struct step *step) = {
	[PGT_SESSION]	 = apply_session,
	[PGT_WAIT_NAMES] = apply_wait_names,
	[PGT_TEXT]	 = apply_text,
	[PGT_BEGIN]	 = apply_begin,
	[PGT_CALL]	 = apply_call,
	[PGT_BINDS]	 = apply_binds,
	[PGT_CLOCK]	 = apply_clock,
	[PGT_LOSS]	 = apply_loss,
	[PGT_WAIT]	 = apply_wait,
	[PGT_WATCH]	 = apply_watch,
	[PGT_RELATION]	 = apply_relation,
};

/* --- the stream ------------------------------------------------------------- */

static void apply_to(struct trace *trace, struct session *session, const struct event *ev)
{
	struct step step = {
		.trace = trace,
		.session = session,
		.ev = ev,
		.te = { .event = ev, .session = session },
	};

	if (ev->head.kind >= PGT_KINDS || !ev->head.kind)
		trace->totals.unknown_records++;
	else if (appliers[ev->head.kind])
		appliers[ev->head.kind](&step);
	session->state->last_ns = ev->head.time_ns;
	show(trace, &step.te);
}

/* Calls that are open when the trace of their session ends are shown with what is known of them. */
static void leave_calls(struct trace *trace, struct session *session)
{
	struct session_state *state = session->state;

	while (state->open) {
		const struct open_call *open = &state->stack[state->open - 1];
		struct pgt_call call = {
			.call = open->call,
			.flags = PGT_CALL_OPEN | PGT_CALL_NO_CPU | PGT_CALL_NO_USAGE,
			.start_ns = open->begin_ns,
			.end_ns = state->last_ns > open->begin_ns ? state->last_ns : open->begin_ns,
		};
		struct event ev = {
			.head = {
				.length = sizeof(ev.head) + sizeof(call),
				.kind = PGT_CALL,
				.depth = open->depth,
				.pid = session->pid,
				.cursor = open->cursor,
				.time_ns = call.end_ns,
			},
			.body = &call,
			.body_length = sizeof(call),
		};

		apply_to(trace, session, &ev);
	}
}

static void count_session(struct trace *trace, const struct session *session)
{
	/* Process 0 is the collector's own lines. */
	trace->totals.sessions += !!session->pid;
}

static struct session *session_of(struct trace *trace, uint32_t pid)
{
	struct session *session = sessions_find(trace->sessions, pid);

	if (session)
		return session;
	if (sessions_full(trace->sessions)) {
		session = sessions_oldest(trace->sessions);
		leave_calls(trace, session);
		sessions_remove(trace->sessions, session);
	}
	session = sessions_add(trace->sessions, pid);
	session->wall_offset_us = trace->wall_offset_us;
	count_session(trace, session);
	return session;
}

/* Its figures stay until the process number comes again; what takes room does not. */
static void end_session(struct session *session)
{
	calls_release(session->state);
	waitnames_release(&session->state->names);
	session->state->ended = true;
}

/* Another process, or another trace of the same. */
static void renew_session(struct trace *trace, struct session *session)
{
	session->statements = session->calls = session->waits = 0;
	session->wait_ns = 0;
	session->state->told_dropped = 0;
	session->state->watched_ns = session->state->lossy_from = session->state->lossy_until = 0;
	session->state->ended = false;
	count_session(trace, session);
}

void trace_apply(struct trace *trace, const struct event *ev)
{
	struct session *session = session_of(trace, ev->head.pid);
	struct trace_totals *totals = &trace->totals;

	if (!totals->first_ns || (int64_t)ev->head.time_ns < totals->first_ns)
		totals->first_ns = (int64_t)ev->head.time_ns;
	if ((int64_t)ev->head.time_ns > totals->last_ns)
		totals->last_ns = (int64_t)ev->head.time_ns;
	session->has_waits |= trace->expect_waits;
	if (ev->head.kind == PGT_SESSION && session->state->ended)
		renew_session(trace, session);
	if (ev->head.kind == PGT_END)
		leave_calls(trace, session);
	apply_to(trace, session, ev);
	if (ev->head.kind == PGT_END)
		end_session(session);
}

void trace_apply_header(struct trace *trace, const struct pgt_header *header)
{
	struct session *session = sessions_find(trace->sessions, header->pid);
	uint64_t told = session ? session->state->told_dropped : 0;
	struct pgt_loss loss = { .reason = PGT_LOSS_UNTOLD };
	struct event ev = {
		.head = {
			.length = sizeof(ev.head) + sizeof(loss),
			.kind = PGT_LOSS,
			.pid = header->pid,
			.time_ns = (uint64_t)trace->totals.last_ns,
		},
		.body = &loss,
		.body_length = sizeof(loss),
	};

	if (header->dropped_records <= told)
		return;
	loss.count = header->dropped_records - told;
	trace_apply(trace, &ev);
}

void trace_flush(struct trace *trace)
{
	size_t i;

	for (i = 0; i < trace->sink_count; i++)
		sink_flush(trace->sinks[i]);
}

int trace_finish(struct trace *trace)
{
	struct session *session;
	int rc = 0;
	size_t i;

	while ((session = sessions_oldest(trace->sessions))) {
		leave_calls(trace, session);
		sessions_remove(trace->sessions, session);
	}
	for (i = 0; i < trace->sink_count; i++) {
		sink_end(trace->sinks[i], &trace->totals);
		if (sink_close(trace->sinks[i]))
			rc = -1;
	}
	trace->sink_count = 0;
	return rc;
}

void trace_free(struct trace *trace)
{
	if (!trace)
		return;
	while (trace->sink_count)
		sink_close(trace->sinks[--trace->sink_count]);
	sessions_free(trace->sessions);
	relations_release(&trace->relations);
	free(trace->sinks);
	free(trace);
}
