/* SPDX-License-Identifier: PostgreSQL */
/*
 * wait_names.c
 *	  The wait events of this very server, by number and name.
 *
 * The server gives a name for a number, and no list.  So each class is asked from
 * 0 on, and the names that it has for numbers it does not know are left out (13 to
 * 18: backend/utils/activity/wait_event.c, lwlock.c, lmgr.c).
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "clock.h"
#include "compat.h"
#include "record_file.h"
#include "wait_names.h"

#define EVENT_CLASSES 0x0C		/* 0x01 LWLock to 0x0B InjectionPoint */
#define EVENTS_OF_CLASS 512		/* no class is asked for more */
#define EXTENSION_CLASSES(c) ((c) == 0x07 || (c) == 0x0B)

/*
 * Numbers have gaps: individual LWLocks that are no more, tranches and custom events
 * that this process does not know.  After so many there is nothing more.
 */
#define LONGEST_GAP 16

static const char *const unknown_names[] = {
	"unknown wait event", "???", "extension", "<unassigned",
};

static bool
is_unknown(const char *name)
{
	if (name == NULL)
		return true;
	for (int i = 0; i < lengthof(unknown_names); i++)
		if (strncmp(name, unknown_names[i], strlen(unknown_names[i])) == 0)
			return true;
	return false;
}

/* The name of an event, or NULL. */
static const char *
event_name(uint32 event)
{
	const char *name;

	if (!COMPAT_CUSTOM_WAIT_EVENTS || !EXTENSION_CLASSES(event >> 24))
		name = pgstat_get_wait_event(event);
	else
	{
		MemoryContext old = CurrentMemoryContext;

		PG_TRY();
		{
			name = pgstat_get_wait_event(event);
		}
		PG_CATCH();
		{
			MemoryContextSwitchTo(old);
			FlushErrorState();
			name = NULL;
		}
		PG_END_TRY();
	}
	return is_unknown(name) ? NULL : name;
}

/* Some classes give one name for every number. */
static bool
is_same(const char *name, const char *before)
{
	return name != NULL && before != NULL && strcmp(name, before) == 0;
}

typedef void (*EventVisitor) (uint32 event, const char *type, const char *name,
							  void *arg);

static void
visit_events(EventVisitor visit, void *arg)
{
	for (uint32 class = 1; class < EVENT_CLASSES; class++)
	{
		const char *before = NULL;
		int			gap = 0;

		for (uint32 i = 0; i < EVENTS_OF_CLASS; i++)
		{
			uint32		event = class << 24 | i;
			const char *name = event_name(event);

			gap = name != NULL ? 0 : gap + 1;
			if (is_same(name, before) || gap > LONGEST_GAP)
				break;
			before = name;
			if (name != NULL)
				visit(event, pgstat_get_wait_event_type(event), name, arg);
		}
	}
}

typedef struct NamesSize
{
	uint32		count;
	uint64		bytes;
	char	   *at;				/* where the next goes, in the second pass */
	char	   *end;
} NamesSize;

static uint64
entry_size(const char *type, const char *name)
{
	return TYPEALIGN(4, sizeof(struct pgt_wait_name) + strlen(type) +
					 strlen(name));
}

static void
measure_name(uint32 event, const char *type, const char *name, void *arg)
{
	NamesSize  *s = arg;

	s->count++;
	s->bytes += entry_size(type, name);
}

static void
write_name(uint32 event, const char *type, const char *name, void *arg)
{
	NamesSize  *s = arg;
	uint64		size = entry_size(type, name);
	struct pgt_wait_name *n = (struct pgt_wait_name *) s->at;
	size_t		type_length = strlen(type);
	size_t		name_length = strlen(name);
	size_t		used = sizeof(*n) + type_length + name_length;

	n->event = event;
	n->type_length = (uint16) type_length;
	n->name_length = (uint16) name_length;
	memcpy(n + 1, type, type_length);
	memcpy((char *) (n + 1) + type_length, name, name_length);
	memset(s->at + used, 0, size - used);
	s->at += size;
}

void
wait_names_write(void)
{
	NamesSize	size = {0};
	struct pgt_wait_names *names;
	char	   *copy;

	visit_events(measure_name, &size);
	/* Asking may raise, so it is not done between begin and commit. */
	copy = MemoryContextAllocExtended(TopMemoryContext, size.bytes,
									  MCXT_ALLOC_NO_OOM);
	if (copy == NULL)
		return;
	size.at = copy;
	visit_events(write_name, &size);
	names = record_begin(PGT_WAIT_NAMES, 0, 0, sizeof(*names) + size.bytes,
						 clock_mono_ns());
	if (names != NULL)
	{
		names->count = size.count;
		names->unused = 0;
		memcpy(names + 1, copy, size.bytes);
		record_commit();
	}
	pfree(copy);
}
