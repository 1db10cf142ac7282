/* SPDX-License-Identifier: PostgreSQL */
/*
 * calls.h
 *	  Calls: parse, plan, exec, fetch, close; their nesting and their figures.
 *
 * A call is measured from call_begin() to call_end().  While it runs on the C stack
 * it has a frame, and the frames are the nesting: a call's depth is the number
 * of frames around it.  A call may outlive a frame (an EXEC goes from ExecutorStart
 * to the end of the run, with a frame around each of the two).
 */
#ifndef PGT_CALLS_H
#define PGT_CALLS_H

#include "executor/instrument.h"
#include "utils/elog.h"

#include "cursors.h"
#include "record.h"

/* The counters at one moment. */
typedef struct Counters
{
	uint64		now;			/* clock_mono_ns() */
	uint64		cpu_ns;
	uint64		runqueue_ns;
	BufferUsage buffers;
	WalUsage	wal;
} Counters;

typedef struct Call
{
	uint32		trace;			/* trace_id; 0: it is not open */
	enum pgt_call_kind kind;
	uint32		cursor;
	uint32		text_offset;	/* of the cursor's text in its source, bytes */
	int			depth;
	uint32		flags;			/* PGT_CALL_* */
	bool		fetches;		/* a FETCH command: it runs a part of another's rows */
	uint64		rows;
	Counters	start;
} Call;

typedef struct Frame
{
	struct Frame *outer;
	Call	   *call;			/* of a trace that may have ended meanwhile */
	uint32		trace;			/* trace_id when it was entered */
	int			depth;
	ErrorContextCallback on_error;
} Frame;

/* Now. */
extern void counters_take(Counters *s);

/* The depth of a call that begins here. */
extern int	calls_depth(void);

/* The innermost running call, NULL if none. */
extern const Call *calls_running(void);

/* When the last call ended, clock_mono_ns(); when the trace was set up if none has. */
extern uint64 calls_last_end(void);

/*
 * Starts to measure.  EXEC and FETCH write a PGT_BEGIN.
 */
extern void call_begin(Call *call, enum pgt_call_kind kind,
					   const Cursor *cursor, uint32 flags);

/* A call of the same query as exec, whose cursor may have been forgotten meanwhile. */
extern void call_begin_after(Call *call, enum pgt_call_kind kind,
							 const Call *exec);

/* Is it open, in the running trace? */
extern bool call_is_open(const Call *call);

/*
 * Ends it: writes the PGT_CALL with what has grown up to *end (NULL: up to now).
 * Returns how long it took, ns.  Does nothing if the call is not open.
 */
extern uint64 call_end(Call *call, const Counters *end, uint32 flags);

/* A call of which only the times are known. */
extern void call_write_times(enum pgt_call_kind kind, uint32 cursor,
							 uint32 flags, uint64 start, uint64 end);

/*
 * The call runs, until frame_leave().  In between goes PG_TRY, whose PG_CATCH
 * does frame_fail() and PG_RE_THROW().  frame_fail ends the call with
 * PGT_CALL_ERROR.
 */
extern void frame_enter(Frame *frame, Call *call);
extern void frame_leave(Frame *frame);
extern void frame_fail(Frame *frame);

/*
 * When a trace begins in the middle of a statement, the depth starts at 1 until a
 * statement of the client is seen: source is that of the statement whose hook this
 * is, NULL if the trace is begun by a function.
 */
extern void calls_find_depth(const char *source);

/* The process exits within its calls: no PG_CATCH will pop their frames. */
extern void calls_abandon(void);

/* The trace begins, ends: what runs is forgotten, ended with PGT_CALL_OPEN. */
extern void calls_trace_begins(void);
extern void calls_trace_ends(void);

#endif
