/* SPDX-License-Identifier: PostgreSQL */
/*
 * The sessions by pid: a hash table, and a list in the order of their last events, so that a file that
 * names more processes than a server can have costs bounded memory: the one that was silent longest goes.
 */
#include <stdlib.h>

#include "base/xmalloc.h"
#include "trace/session.h"

#define MAX_SESSIONS 8192
#define BUCKETS 4096

struct sessions {
	struct session_state *buckets[BUCKETS];
	struct session_state *oldest, *newest;
	size_t count;
};

static struct session_state **bucket_of(struct sessions *sessions, uint32_t pid)
{
	return &sessions->buckets[(pid * UINT32_C(2654435761)) >> 20];
}

static void unlink_age(struct sessions *sessions, struct session_state *state)
{
	if (state->older)
		state->older->newer = state->newer;
	else
		sessions->oldest = state->newer;
	if (state->newer)
		state->newer->older = state->older;
	else
		sessions->newest = state->older;
}

static void append_age(struct sessions *sessions, struct session_state *state)
{
	state->older = sessions->newest;
	state->newer = NULL;
	if (state->older)
		state->older->newer = state;
	else
		sessions->oldest = state;
	sessions->newest = state;
}

struct sessions *sessions_new(void)
{
	return xcalloc(1, sizeof(struct sessions));
}

struct session *sessions_find(struct sessions *sessions, uint32_t pid)
{
	struct session_state *state = sessions->newest;

	if (state && state->session->pid == pid)
		return state->session;
	for (state = *bucket_of(sessions, pid); state; state = state->next_in_bucket)
		if (state->session->pid == pid)
			break;
	if (!state)
		return NULL;
	unlink_age(sessions, state);
	append_age(sessions, state);
	return state->session;
}

struct session *sessions_add(struct sessions *sessions, uint32_t pid)
{
	struct session_state **bucket = bucket_of(sessions, pid);
	struct session_state *state = xcalloc(1, sizeof(*state));

	state->session = xcalloc(1, sizeof(*state->session));
	state->session->pid = pid;
	state->session->state = state;
	state->next_in_bucket = *bucket;
	*bucket = state;
	append_age(sessions, state);
	sessions->count++;
	return state->session;
}

void sessions_remove(struct sessions *sessions, struct session *session)
{
	struct session_state *state = session->state;
	struct session_state **link = bucket_of(sessions, session->pid);

	while (*link != state)
		link = &(*link)->next_in_bucket;
	*link = state->next_in_bucket;
	unlink_age(sessions, state);
	sessions->count--;
	calls_release(state);
	waitnames_release(&state->names);
	free(session);
	free(state);
}

struct session *sessions_oldest(struct sessions *sessions)
{
	return sessions->oldest ? sessions->oldest->session : NULL;
}

bool sessions_full(const struct sessions *sessions)
{
	return sessions->count >= MAX_SESSIONS;
}

void sessions_free(struct sessions *sessions)
{
	while (sessions->oldest)
		sessions_remove(sessions, sessions->oldest->session);
	free(sessions);
}
