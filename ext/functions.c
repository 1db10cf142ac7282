/* SPDX-License-Identifier: PostgreSQL */
/*
 * functions.c
 *	  The SQL functions.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "clock.h"
#include "directory.h"
#include "guc.h"
#include "printer.h"
#include "record.h"
#include "session.h"
#include "slots.h"

extern PGDLLEXPORT Datum pg_trace_start_trace(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum pg_trace_stop_trace(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum pg_trace_sessions(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(pg_trace_start_trace);
PG_FUNCTION_INFO_V1(pg_trace_stop_trace);
PG_FUNCTION_INFO_V1(pg_trace_sessions);

/* The readable file of a trace. */
static text *
trace_name(const char *base)
{
	return cstring_to_text(psprintf("%s/%s.trc", directory_path(), base));
}

/* Is the first argument this session's pid, or not given? */
static bool
is_own(FunctionCallInfo fcinfo)
{
	return PG_ARGISNULL(0) || PG_GETARG_INT32(0) == MyProcPid;
}

/* The trace may not end under the hands of what writes it. */
static void
refuse_while_suspended(void)
{
	if (trace_suspended)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a trace cannot be started or stopped by the output function of a type")));
}

/* --- another session -------------------------------------------------------- */

/* The slot through which that backend can be asked; raises an error if there is none. */
static struct pgt_slot *
slot_to_ask(int pid)
{
	struct pgt_slot *slot;
	int			error;

	if (BackendPidGetProc(pid) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("PID %d is not a PostgreSQL backend process", pid)));
	error = slots_map();
	if (error != 0)
	{
		errno = error;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not map control file \"%s/%s\": %m",
						directory_path(), PGT_CONTROL_FILE),
				 errhint("%s", directory_hint(error))));
	}
	if (!slot_mapped_by(pid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("process %d has not loaded pg_trace", pid),
				 errhint("Put pg_trace into shared_preload_libraries or session_preload_libraries; a session that is connected already must LOAD it.")));
	slot = slot_claim(pid);
	if (slot == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no free slot in control file \"%s/%s\"",
						directory_path(), PGT_CONTROL_FILE)));
	return slot;
}

/* The base of the trace that is running or asked for, NULL if none. */
static const char *
base_in_slot(const struct pgt_slot *slot)
{
	if (slot->state == PGT_SLOT_TRACING)
		return slot->record;
	if (slot->request_seq != slot->answer_seq &&
		slot->request == PGT_REQUEST_START)
		return slot->base;
	return NULL;
}

/* Asked to stop, and not yet done. */
static bool
is_stopping(const struct pgt_slot *slot)
{
	return slot->state == PGT_SLOT_TRACING &&
		slot->request_seq != slot->answer_seq &&
		slot->request == PGT_REQUEST_STOP;
}

static text *
start_other(int pid, int level)
{
	struct pgt_slot *slot = slot_to_ask(pid);
	const char *running = base_in_slot(slot);
	char		base[PGT_BASE_SIZE];

	if (is_stopping(slot))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("the trace of process %d is being stopped", pid),
				 errhint("Try again: it ends with the process's next statement.")));
	if (running != NULL)
	{
		ereport(NOTICE,
				(errmsg("process %d is being traced already", pid)));
		return trace_name(running);
	}
	session_make_base(pid, base, sizeof(base));
	slot_request(slot, PGT_REQUEST_START, (uint32) level, base);
	return trace_name(base);
}

/* The name must be read before the request: the backend may be quick. */
static text *
stop_other(int pid)
{
	struct pgt_slot *slot = slot_to_ask(pid);
	const char *running = base_in_slot(slot);
	text	   *name = running != NULL ? trace_name(running) : NULL;

	if (running == NULL)
		ereport(NOTICE,
				(errmsg("process %d is not being traced", pid)));
	else
		slot_request(slot, PGT_REQUEST_STOP, 0, NULL);
	return name;
}

/* --- this session ----------------------------------------------------------- */

static text *
start_own(int level)
{
	char		base[PGT_BASE_SIZE];
	int			error;

	if (trace_id != 0)
	{
		ereport(NOTICE,
				(errmsg("this session is being traced already")));
		return trace_name(session_base());
	}
	session_make_base(MyProcPid, base, sizeof(base));
	error = session_start((uint32) level, base);
	if (error != 0)
	{
		errno = error;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not start a trace in directory \"%s\": %m",
						directory_path()),
				 errhint("%s", directory_hint(error))));
	}
	return trace_name(base);
}

static void
not_printed(const char *why)
{
	ereport(NOTICE,
			(errmsg("the trace is not printed: %s", why),
			 errhint("Run: pgtrace-perf print %s/%s.rec",
					 directory_path(), session_base())));
}

static void
print_trace(void)
{
	int			pid = printer_start(session_base());

	if (pid == -ENOENT)
		not_printed(psprintf("program \"%s\" is not installed", guc_printer));
	else if (pid == -EBUSY)
		not_printed("the trace before is still being printed");
	else if (pid < 0)
		not_printed(psprintf("program \"%s\" could not be run: %s", guc_printer,
							 strerror(-pid)));
	else
	{
		PrinterEnd	end = printer_wait(pid);

		if (end == PRINTER_RUNNING)
			ereport(NOTICE,
					(errmsg("the trace is still being printed in the background")));
		else if (end == PRINTER_FAILED)
			not_printed(psprintf("program \"%s\" failed, see the server log",
								 guc_printer));
	}
}

static text *
stop_own(void)
{
	if (trace_id == 0)
	{
		ereport(NOTICE,
				(errmsg("this session is not being traced")));
		return NULL;
	}
	session_end(PGT_END_STOPPED);
	print_trace();
	return trace_name(session_base());
}

/* --- SQL -------------------------------------------------------------------- */

Datum
pg_trace_start_trace(PG_FUNCTION_ARGS)
{
	int			level = PG_ARGISNULL(1) ? guc_level : PG_GETARG_INT32(1);

	refuse_while_suspended();
	if (level < 1 || level > (int) PGT_LEVEL_ALL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("trace level %d is outside the valid range 1 .. %d",
						level, (int) PGT_LEVEL_ALL)));
	PG_RETURN_TEXT_P(is_own(fcinfo) ? start_own(level) :
					 start_other(PG_GETARG_INT32(0), level));
}

Datum
pg_trace_stop_trace(PG_FUNCTION_ARGS)
{
	text	   *name;

	refuse_while_suspended();
	name = is_own(fcinfo) ? stop_own() : stop_other(PG_GETARG_INT32(0));
	if (name == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(name);
}

static const char *
state_of(const struct pgt_slot *slot)
{
	bool		asked = slot->request_seq != slot->answer_seq;

	if (slot->state == PGT_SLOT_TRACING)
		return is_stopping(slot) ? "stopping" : "tracing";
	if (asked && slot->request == PGT_REQUEST_START)
		return "starting";
	if (slot->state == PGT_SLOT_FAILED)
		return psprintf("failed: %s", strerror((int) slot->failure));
	return NULL;
}

/* A moment of CLOCK_MONOTONIC on the wall. */
static TimestampTz
wall_time(uint64 mono_ns)
{
	return GetCurrentTimestamp() -
		((int64) clock_mono_ns() - (int64) mono_ns) / 1000;
}

/* The row of a slot, or NULL if its backend is not being traced. */
static HeapTuple
slot_row(const struct pgt_slot *slot, TupleDesc desc)
{
	Datum		values[5];
	bool		nulls[5] = {false};
	uint32		pid = slot->pid;
	const char *state = state_of(slot);
	const char *base = base_in_slot(slot);
	bool		tracing_now = slot->state == PGT_SLOT_TRACING;

	if (pid == 0 || state == NULL || BackendPidGetProc((int) pid) == NULL)
		return NULL;
	values[0] = Int32GetDatum((int32) pid);
	values[1] = Int32GetDatum((int32) (tracing_now ? slot->level :
									   slot->request_level));
	values[2] = TimestampTzGetDatum(wall_time(slot->started_ns));
	nulls[2] = !tracing_now;
	nulls[3] = base == NULL;
	if (base != NULL)
		values[3] = CStringGetTextDatum(psprintf("%s/%s.rec", directory_path(),
												 base));
	values[4] = CStringGetTextDatum(state);
	return heap_form_tuple(desc, values, nulls);
}

static void
sessions_first_call(FunctionCallInfo fcinfo)
{
	FuncCallContext *f = SRF_FIRSTCALL_INIT();
	MemoryContext old = MemoryContextSwitchTo(f->multi_call_memory_ctx);
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	f->tuple_desc = BlessTupleDesc(desc);
	f->max_calls = slots_map() == 0 ? slots_count() : 0;
	MemoryContextSwitchTo(old);
}

Datum
pg_trace_sessions(PG_FUNCTION_ARGS)
{
	FuncCallContext *f;

	if (SRF_IS_FIRSTCALL())
		sessions_first_call(fcinfo);
	f = SRF_PERCALL_SETUP();
	while (f->call_cntr < f->max_calls)
	{
		/* SRF_RETURN_NEXT counts one more. */
		HeapTuple	row = slot_row(slot_at((uint32) f->call_cntr), f->tuple_desc);

		if (row != NULL)
			SRF_RETURN_NEXT(f, HeapTupleGetDatum(row));
		f->call_cntr++;
	}
	SRF_RETURN_DONE(f);
}
