/* SPDX-License-Identifier: PostgreSQL */
/*
 * cursors.c
 *	  Cursor numbers: one for each distinct statement text of a trace.
 *
 * An open-addressing table by the text's hash.  Hashing the text at each execution
 * would cost more than all else for long statements, so a small cache goes before
 * it, keyed by where the text is: pointer, location and length.  Memory is reused,
 * so a hit counts only if the kept copy is the same bytes; that compare is many
 * times faster than the hash.
 *
 * The table is bounded.  When it is full, all cursors are forgotten; a text met
 * again is written again under a new number.  Nothing here raises an error: a trace
 * must not fail a statement for want of memory.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "calls.h"
#include "clock.h"
#include "cursors.h"
#include "record_file.h"

#define MAX_CURSORS 10000
#define TABLE_SIZE 16384		/* a power of two, not above 2/3 full */
#define MAX_TEXT_BYTES (32 * 1024 * 1024)	/* kept copies, all together */
#define CACHE_SHIFT 58
#define CACHE_SIZE (1 << (64 - CACHE_SHIFT))

/* A text that with its record is no longer than PGT_MAX_RECORD. */
#define MAX_TEXT (PGT_MAX_RECORD - 1024)

typedef struct CacheEntry
{
	const char *source;
	int			location;
	int			length;
	Cursor	   *cursor;
} CacheEntry;

typedef struct Slice
{
	const char *text;
	uint32		length;
} Slice;

static MemoryContext context;	/* NULL between traces */
static Cursor **table;
static CacheEntry cache[CACHE_SIZE];
static uint32 count;			/* in the table */
static uint64 text_bytes;
static uint32 last_number;		/* of this trace */
static uint32 epoch;			/* of the table; never reused */

static void *
allocate(Size size, int flags)
{
	return MemoryContextAllocExtended(context, size, MCXT_ALLOC_NO_OOM |
									  MCXT_ALLOC_HUGE | flags);
}

/* An empty table. */
static bool
start_over(void)
{
	memset(cache, 0, sizeof(cache));
	count = 0;
	text_bytes = 0;
	epoch++;
	table = allocate(TABLE_SIZE * sizeof(Cursor *), MCXT_ALLOC_ZERO);
	return table != NULL;
}

bool
cursors_init(void)
{
	last_number = 0;
	if (context == NULL)
		context = AllocSetContextCreate(TopMemoryContext, "pg_trace cursors",
										ALLOCSET_DEFAULT_SIZES);
	return start_over();
}

void
cursors_forget(void)
{
	if (context != NULL)
		MemoryContextDelete(context);
	context = NULL;
	table = NULL;
	epoch++;
}

CursorRef
cursor_ref(Cursor *cursor)
{
	CursorRef	ref = {cursor, epoch};

	return ref;
}

Cursor *
cursor_deref(CursorRef ref)
{
	return ref.epoch == epoch ? ref.cursor : NULL;
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/*
 * The statement itself, as pg_stat_statements cuts it out.  Location and length may be
 * those of another text, if another module made the statement.
 */
static Slice
slice_of(const char *source, int location, int length)
{
	Slice		s;
	size_t		n;

	s.text = source + (location > 0 ? strnlen(source, (size_t) location) : 0);
	n = location >= 0 && length > 0 ? strnlen(s.text, (size_t) length) :
		strlen(s.text);
	while (n > 0 && is_space(s.text[0]))
		s.text++, n--;
	while (n > 0 && (is_space(s.text[n - 1]) || s.text[n - 1] == ';'))
		n--;
	s.length = (uint32) Min(n, PG_UINT32_MAX);
	return s;
}

static bool
is_text_of(const Cursor *c, Slice s)
{
	return c->length == s.length && memcmp(c->text, s.text, s.length) == 0;
}

/* The place of the text in the table: a cursor or NULL. */
static Cursor **
find(Slice s, uint64 hash)
{
	for (uint32 i = (uint32) hash;; i++)
	{
		Cursor	  **at = &table[i % TABLE_SIZE];

		if (*at == NULL || ((*at)->hash == hash && is_text_of(*at, s)))
			return at;
	}
}

/* Room for one more of that length; false if there is no memory. */
static bool
make_room(uint32 length)
{
	if (table != NULL && count < MAX_CURSORS &&
		(text_bytes == 0 || text_bytes + length <= MAX_TEXT_BYTES))
		return true;
	MemoryContextReset(context);
	return start_over();
}

static Cursor *
add(Slice s, uint64 hash)
{
	Cursor	   *c;

	if (!make_room(s.length))
		return NULL;
	c = allocate(sizeof(*c), MCXT_ALLOC_ZERO);
	if (c == NULL)
		return NULL;
	c->text = allocate(s.length + 1, 0);
	if (c->text == NULL)
		return NULL;
	memcpy(c->text, s.text, s.length);
	c->length = s.length;
	c->hash = hash;
	c->number = ++last_number;
	*find(s, hash) = c;
	count++;
	text_bytes += s.length;
	return c;
}

static CacheEntry *
cache_entry(const char *source, int location, int length)
{
	uint64		key = (uint64) (uintptr_t) source ^
		((uint64) (uint32) location << 32) ^ ((uint64) (uint32) length << 17);

	return &cache[(key * UINT64CONST(0x9E3779B97F4A7C15)) >> CACHE_SHIFT];
}

static Cursor *
look_up(const char *source, int location, int length)
{
	CacheEntry *e = cache_entry(source, location, length);
	Slice		s = slice_of(source, location, length);
	Cursor	   *c = e->cursor;
	uint64		hash;

	if (c != NULL && e->source == source && e->location == location &&
		e->length == length && is_text_of(c, s))
		return c;
	hash = hash_bytes_extended((const unsigned char *) s.text, (int) s.length, 0);
	c = table != NULL ? *find(s, hash) : NULL;
	if (c == NULL)
		c = add(s, hash);
	e->source = source;
	e->location = location;
	e->length = length;
	e->cursor = c;
	if (c != NULL)
		c->offset = (uint32) (s.text - source);
	return c;
}

/* The statement's text, once; again if there was no room for it. */
static void
tell(Cursor *c, uint64 query_id, uint32 command)
{
	struct pgt_text *t;
	uint32		length = c->length;

	if (length > MAX_TEXT)
		length = (uint32) pg_mbcliplen(c->text, (int) c->length, MAX_TEXT);
	t = record_begin(PGT_TEXT, c->number, calls_depth(), sizeof(*t) + length,
					 clock_mono_ns());
	if (t == NULL)
		return;
	t->query_id = query_id;
	t->length = length;
	t->true_length = c->length;
	t->command = command;
	t->unused = 0;
	memcpy(t + 1, c->text, length);
	record_commit();
	record_header()->cut_values += length < c->length;
	c->told = true;
}

Cursor *
cursor_get(const char *source, int location, int length, uint64 query_id,
		   uint32 command)
{
	Cursor	   *c;

	if (context == NULL || source == NULL)
		return NULL;
	c = look_up(source, location, length);
	if (c == NULL)
		return NULL;
	if (unlikely(!c->told))
		tell(c, query_id, command);
	return c;
}
