/* SPDX-License-Identifier: PostgreSQL */
/*
 * cursors.h
 *	  Cursor numbers: one for each distinct statement text of a trace.
 */
#ifndef PGT_CURSORS_H
#define PGT_CURSORS_H

#define CURSOR_PLANS 8			/* shapes remembered of one cursor */

typedef struct Cursor
{
	uint64		hash;
	uint32		number;			/* from 1 */
	uint32		length;			/* of text, bytes */
	char	   *text;
	uint32		offset;			/* of text in the source where it was met last */
	bool		told;			/* its PGT_TEXT is written */
	bool		planned;		/* the planner was called since the last EXEC */
	uint64		db_ns;			/* time of its executions and fetches */
	uint64		db_ns_at_plan;	/* db_ns at the last plan statistics */
	uint32		plans;			/* valid of the next */
	uint64		plan_hash[CURSOR_PLANS];
} Cursor;

/*
 * A cursor, found again after other cursors may have been forgotten.
 */
typedef struct CursorRef
{
	Cursor	   *cursor;
	uint32		epoch;
} CursorRef;

/* Before the first use in a trace; false if there is no memory. */
extern bool cursors_init(void);

/* At the end of a trace. */
extern void cursors_forget(void);

/*
 * The cursor of a slice of source: location and length as in PlannedStmt (-1 and 0
 * are "unknown" and "the rest").  A new cursor's text is written at once.  NULL if
 * there is no memory.  command is enum CmdType.
 */
extern Cursor *cursor_get(const char *source, int location, int length,
						  uint64 query_id, uint32 command);

extern CursorRef cursor_ref(Cursor *cursor);

/* The cursor, or NULL if it has been forgotten. */
extern Cursor *cursor_deref(CursorRef ref);

/* Its number in records; 0 for NULL. */
static inline uint32
cursor_number(const Cursor *cursor)
{
	return cursor != NULL ? cursor->number : 0;
}

#endif
