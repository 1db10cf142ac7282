/* SPDX-License-Identifier: PostgreSQL */
/*
 * Open calls, and to which of them a wait's time belongs.
 *
 * EXEC and FETCH announce themselves (BEGIN), so the open ones form a stack.  A wait comes when it has ended
 * and is charged to the innermost open call; a call that ends hands its sum on to the one it lies in.
 * So one wait costs the same at any depth, and the account of a call of any length is exact.
 * A wait that began before the call it ended in counts there only with the part inside; the part before is charged
 * to the calls around it.
 *
 * PARSE, PLAN and CLOSE are known only when they have ended, as an interval in the past.  Their waits were
 * charged to the call around them, or to none; the last waits are therefore remembered with the call
 * each was charged to.  Such an interval takes the waits in it: those of the call around it become its own,
 * those of calls that ran inside it (SQL functions are run by the planner, too) only count in its
 * inclusive sum.  The same way mends the edges of announced calls: their begin and end are moments inside
 * the extension, a little off from when the records were written.  No more than PAST_WAITS are remembered: an interval
 * that holds more has an account that says so.
 *
 * Records may be missing (a full disk), so what cannot be is put right: a call that is nested less deep than
 * an open one, or an interval that spans its beginning, shows that the open call was left unseen; its sum
 * goes where it would have gone.
 */
#include <stdlib.h>

#include "base/xmalloc.h"
#include "trace/session.h"

#define PAST_WAITS 4096
#define MAX_OPEN 16384

static struct open_call *top_of(struct session_state *state)
{
	return state->open ? &state->stack[state->open - 1] : NULL;
}

static uint64_t serial_of(const struct open_call *call)
{
	return call ? call->serial : 0;
}

static void sum_add(struct wait_sum *sum, uint64_t count, uint64_t ns)
{
	sum->count += count;
	sum->ns += ns;
}

/* What [start, end) and [from, to) have in common, ns. */
static uint64_t overlap(uint64_t start, uint64_t end, uint64_t from, uint64_t to)
{
	start = start > from ? start : from;
	end = end < to ? end : to;
	return end > start ? end - start : 0;
}

/* The innermost open call is over: what waited in it waited in the call around it. */
static void pop(struct session_state *state)
{
	struct open_call *call = top_of(state), *around;

	state->open--;
	around = top_of(state);
	if (around) {
		sum_add(&around->all, call->all.count, call->all.ns);
		around->cut |= call->cut;
	}
}

void calls_begin(struct session_state *state, const struct event *ev)
{
	const struct pgt_begin *begin = ev->body;

	while (state->open && top_of(state)->depth > ev->head.depth)
		pop(state);
	/* What the client sends is never nested in what it sent before. */
	while (state->open && !ev->head.depth)
		pop(state);
	if (state->open == MAX_OPEN)
		return;
	if (state->open == state->stack_size) {
		state->stack_size = state->stack_size ? state->stack_size * 2 : 8;
		state->stack = xrealloc(state->stack, state->stack_size, sizeof(*state->stack));
	}
	state->stack[state->open++] = (struct open_call){
		.serial = ++state->serials,
		.cursor = ev->head.cursor,
		.call = begin->call,
		.depth = ev->head.depth,
		.begin_ns = ev->head.time_ns,
	};
}

/* --- waits ------------------------------------------------------------------ */

static struct past_wait *past_at(const struct session_state *state, uint64_t n)
{
	return &state->past[n & (state->past_size - 1)];
}

static uint64_t past_first(const struct session_state *state)
{
	return state->past_count > state->past_size ? state->past_count - state->past_size : 0;
}

static void remember(struct session_state *state, uint64_t start_ns, uint64_t end_ns, uint64_t owner)
{
	/* It grows only before it has wrapped, so that entry n stays at n. */
	if (state->past_count == state->past_size && state->past_size < PAST_WAITS) {
		state->past_size = state->past_size ? state->past_size * 2 : 64;
		state->past = xrealloc(state->past, state->past_size, sizeof(*state->past));
	}
	*past_at(state, state->past_count++) = (struct past_wait){ start_ns, end_ns, owner };
}

const struct open_call *calls_wait(struct session_state *state, const struct event *ev)
{
	const struct pgt_wait *wait = ev->body;
	uint64_t end = ev->head.time_ns;
	struct open_call *call = top_of(state);
	uint64_t part;
	size_t i;

	remember(state, wait->start_ns, end, serial_of(call));
	if (!call)
		return NULL;
	part = overlap(wait->start_ns, end, call->begin_ns, UINT64_MAX);
	sum_add(&call->all, 1, part);
	sum_add(&call->self, 1, part);
	for (i = state->open - 1; i > 0 && wait->start_ns < state->stack[i].begin_ns; i--) {
		part = overlap(wait->start_ns, end, state->stack[i - 1].begin_ns, state->stack[i].begin_ns);
		sum_add(&state->stack[i - 1].all, 0, part);
		sum_add(&state->stack[i - 1].self, 0, part);
	}
	return call;
}

static void charge(struct open_call *call, uint64_t count, uint64_t ns, bool back)
{
	if (!call)
		return;
	sum_add(&call->all, back ? -count : count, back ? -ns : ns);
	sum_add(&call->self, back ? -count : count, back ? -ns : ns);
}

/*
 * Moves what of the remembered waits lies in [start, end) from one call to another (NULL: the session).
 * With inner, the waits of other calls in there are added to to's inclusive sum as well.
 */
static void move_waits(struct session_state *state, struct open_call *from, struct open_call *to, uint64_t start,
		       uint64_t end, bool inner)
{
	uint64_t owner = serial_of(from), first = past_first(state), n;
	struct past_wait *wait = NULL;
	uint64_t count, part;

	for (n = state->past_count; n > first; n--) {
		wait = past_at(state, n - 1);
		if (wait->end_ns <= start)
			return;
		part = overlap(wait->start_ns, wait->end_ns, start, end);
		count = wait->end_ns <= end;
		if (!part && !count)
			continue;
		if (wait->owner == owner) {
			charge(from, count, part, true);
			charge(to, count, part, false);
			if (count)
				wait->owner = serial_of(to);
		} else if (inner) {
			sum_add(&to->all, count, part);
		}
	}
	/* Older ones were forgotten, and may have been in here. */
	if (inner && first)
		to->cut = true;
}

/* --- the end of a call ------------------------------------------------------ */

static void fill_account(struct account *account, const struct pgt_call *call, const struct open_call *sums)
{
	bool known_cpu = !(call->flags & PGT_CALL_NO_CPU);
	uint64_t elapsed = call->end_ns - call->start_ns;
	uint64_t cpu = known_cpu ? call->cpu_ns : 0;
	uint64_t runqueue = known_cpu ? call->runqueue_ns : 0;
	uint64_t wait = sums->all.ns, overlap = 0;
	int64_t asleep = (int64_t)(elapsed - cpu - runqueue);

	if (asleep < 0)
		asleep = 0;
	if (known_cpu && wait > (uint64_t)asleep)
		overlap = wait - (uint64_t)asleep;
	*account = (struct account){
		.elapsed_ns = (int64_t)elapsed,
		.cpu_ns = (int64_t)cpu,
		.runqueue_ns = (int64_t)runqueue,
		.wait_ns = (int64_t)wait,
		.overlap_ns = (int64_t)overlap,
		.rest_ns = (int64_t)(elapsed - cpu - runqueue - wait + overlap),
		.waits = sums->all.count,
		.self_waits = sums->self.count,
		.self_wait_ns = (int64_t)sums->self.ns,
		.known_cpu = known_cpu,
		.cut_waits = sums->cut,
	};
}

/* The innermost open call that this record ends: its place plus one, 0: none. */
static size_t find_open(const struct session_state *state, const struct event *ev)
{
	const struct pgt_call *end = ev->body;
	size_t i;

	for (i = state->open; i > 0; i--) {
		const struct open_call *call = &state->stack[i - 1];

		if (call->cursor == ev->head.cursor && call->depth == ev->head.depth && call->call == end->call)
			break;
	}
	return i;
}

static void end_announced(struct session_state *state, const struct pgt_call *call, struct account *account)
{
	struct open_call *open = top_of(state);
	struct open_call *around = state->open > 1 ? open - 1 : NULL;

	move_waits(state, open, around, call->end_ns, UINT64_MAX, false);
	if (call->start_ns < open->begin_ns)
		move_waits(state, around, open, call->start_ns, open->begin_ns, false);
	fill_account(account, call, open);
	pop(state);
}

static void end_interval(struct session_state *state, const struct pgt_call *call, struct account *account)
{
	struct open_call *around;
	struct open_call own = { .serial = ++state->serials };

	while (state->open && top_of(state)->begin_ns >= call->start_ns)
		pop(state);
	around = top_of(state);
	move_waits(state, around, &own, call->start_ns, call->end_ns, true);
	fill_account(account, call, &own);
	/* What ran inside has been handed on already. */
	if (around)
		sum_add(&around->all, own.self.count, own.self.ns);
}

bool calls_end(struct session_state *state, const struct event *ev, struct account *account)
{
	const struct pgt_call *call = ev->body;
	size_t place = find_open(state, ev);

	if (!place) {
		end_interval(state, call, account);
		return false;
	}
	while (state->open > place)
		pop(state);
	end_announced(state, call, account);
	return true;
}

void calls_release(struct session_state *state)
{
	free(state->stack);
	free(state->past);
	state->stack = NULL;
	state->past = NULL;
	state->open = state->stack_size = state->past_size = 0;
	state->past_count = 0;
}
