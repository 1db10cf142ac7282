/* SPDX-License-Identifier: PostgreSQL */
/*
 * requests.c
 *	  What is asked of this backend: start or stop a trace.
 *
 * Three can ask: the session itself by SQL (functions.c), another session or the
 * collector through this backend's slot in the control file, and the setting
 * pg_trace.enabled.  The last two are looked at when the next statement reaches a
 * hook; until then an untraced statement pays the load and the branch of tracing().
 */
#include "postgres.h"

#include <unistd.h>

#include "access/parallel.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/ipc.h"

#include "calls.h"
#include "clock.h"
#include "directory.h"
#include "guc.h"
#include "printer.h"
#include "record_file.h"
#include "requests.h"
#include "session.h"
#include "slots.h"

/* With nothing to watch, the first statement of a process attends. */
static const volatile uint32 always = 1;
const volatile uint32 *trace_watch = &always;
uint32		trace_answered;

static struct pgt_slot *slot;	/* of this backend; NULL: none yet */
static bool at_exit_registered;
static bool started_by_setting; /* then the setting also ends it */
static bool needs_heartbeat;	/* started for a collector */
static bool enabled_seen;		/* pg_trace.enabled when last looked at */

void
requests_look_again(void)
{
	trace_answered = *trace_watch + 1;
}

/* --- the slot --------------------------------------------------------------- */

static void
at_exit(int code, Datum arg)
{
	session_end(PGT_END_EXIT);
	if (slot != NULL)
		slot_release(slot);
	slot = NULL;
}

/* When this process started, CLOCK_MONOTONIC, to a hundredth of a second. */
static uint64
own_start_ns(void)
{
	char		buf[1024];
	char	   *p;
	unsigned long long ticks = 0;
	uint64		age;
	FILE	   *f = fopen("/proc/self/stat", "re");

	if (f == NULL)
		return 0;
	buf[fread(buf, 1, sizeof(buf) - 1, f)] = '\0';
	fclose(f);
	/* Field 22; the second, the command's name, ends with the last ')'. */
	p = strrchr(buf, ')');
	if (p == NULL || sscanf(p + 1, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
							"%*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
							&ticks) != 1)
		return 0;
	age = clock_ns(CLOCK_BOOTTIME) -
		ticks * (NS_PER_SEC / (uint64) sysconf(_SC_CLK_TCK));
	return clock_mono_ns() - age;
}

/* A request to a process that had this pid before is not for us. */
static bool
is_stale(const struct pgt_slot *s)
{
	uint64		requested = s->requested_ns ? s->requested_ns : s->heartbeat_ns;

	return s->request_seq != s->answer_seq && requested < own_start_ns();
}

/* Once in the life of a backend, and again while there is no control file. */
static void
attach(void)
{
	if (!at_exit_registered)
		on_proc_exit(at_exit, 0);
	at_exit_registered = true;
	if (slots_map() != 0)
		return;
	slot = slot_claim(MyProcPid);
	if (slot == NULL)
		return;
	if (is_stale(slot))
		slot->answer_seq = slot->request_seq;
	if (slot->request_seq == slot->answer_seq)
		slot->state = PGT_SLOT_IDLE;
}

static void
show(enum pgt_slot_state state, int error, const char *base)
{
	slot->level = trace_level;
	slot->failure = (uint32) error;
	slot->started_ns = clock_mono_ns();
	memset(slot->record, 0, sizeof(slot->record));
	strlcpy(slot->record, base, sizeof(slot->record));
	__atomic_store_n(&slot->state, (uint32) state, __ATOMIC_RELEASE);
}

void
requests_trace_began(const char *base)
{
	started_by_setting = needs_heartbeat = false;
	if (slot == NULL)
		attach();				/* the call of a function has loaded the library */
	if (slot != NULL)
		show(PGT_SLOT_TRACING, 0, base);
	requests_look_again();
}

void
requests_trace_ended(void)
{
	if (slot != NULL)
	{
		slot->heartbeat_ns = 0;
		__atomic_store_n(&slot->state, PGT_SLOT_IDLE, __ATOMIC_RELEASE);
	}
	requests_look_again();
}

/* --- being asked ------------------------------------------------------------ */

/* Only a name that we could have made; it becomes part of a path. */
static bool
is_valid_base(const char *base)
{
	size_t		length = strnlen(base, PGT_BASE_SIZE);

	return length < PGT_BASE_SIZE &&
		strncmp(base, "pg_trace_", 9) == 0 &&
		strspn(base, "abcdefghijklmnopqrstuvwxyz_0123456789") == length;
}

static void
report_failure(int error)
{
	errno = error;
	ereport(LOG,
			(errcode_for_file_access(),
			 errmsg("pg_trace: could not start a trace in directory \"%s\": %m",
					directory_path()),
			 errhint("%s", directory_hint(error))));
}

static void
obey_start(void)
{
	char		base[PGT_BASE_SIZE];
	uint32		level = slot->request_level & PGT_LEVEL_ALL;
	uint64		heartbeat = slot->heartbeat_ns;
	int			error;

	if (trace_id != 0 && !needs_heartbeat)
		return;					/* joined: whoever asks reads the slot */

	/*
	 * A collector joins what it sees running, so this one came after another had
	 * asked to stop, and before that was seen here.
	 */
	session_end(PGT_END_STOPPED);
	slot->heartbeat_ns = heartbeat;
	memcpy(base, slot->base, sizeof(base));
	if (!is_valid_base(base))
		session_make_base(MyProcPid, base, sizeof(base));
	error = session_start(level ? level : PGT_LEVEL_DEFAULT, base);
	if (error == 0)
		needs_heartbeat = heartbeat != 0;
	else
	{
		show(PGT_SLOT_FAILED, error, base);
		report_failure(error);
	}
}

static void
obey_stop(void)
{
	bool		collector = needs_heartbeat;

	if (trace_id == 0)
		return;
	session_end(PGT_END_STOPPED);
	/* A collector prints its own, which has the waits. */
	if (!collector)
		printer_start(session_base());
}

static void
obey(void)
{
	uint32		seq = __atomic_load_n(&slot->request_seq, __ATOMIC_ACQUIRE);

	if (seq == slot->answer_seq)
		return;
	if (slot->request == PGT_REQUEST_START)
		obey_start();
	else if (slot->request == PGT_REQUEST_STOP)
		obey_stop();
	__atomic_store_n(&slot->answer_seq, seq, __ATOMIC_RELEASE);
}

/* pg_trace.enabled: a change of it starts or ends a trace. */
static void
follow_setting(void)
{
	char		base[PGT_BASE_SIZE];
	int			error;

	if (guc_enabled == enabled_seen)
		return;
	enabled_seen = guc_enabled;
	if (!guc_enabled)
	{
		if (trace_id != 0 && started_by_setting)
		{
			session_end(PGT_END_STOPPED);
			printer_start(session_base());
		}
		return;
	}
	if (trace_id != 0)
		return;
	session_make_base(MyProcPid, base, sizeof(base));
	error = session_start((uint32) guc_level, base);
	if (error == 0)
		started_by_setting = true;
	else
		report_failure(error);
}

/* A killed collector must not leave a trace running. */
static void
check_heartbeat(void)
{
	uint64		seen;

	if (!needs_heartbeat || slot == NULL)
		return;
	seen = slot->heartbeat_ns;
	if (record_last_time() > seen &&
		record_last_time() - seen > PGT_HEARTBEAT_LIMIT_NS)
		session_end(PGT_END_COLLECTOR_GONE);
}

/* One WARNING for each trace that loses something. */
static void
warn_of_loss(void)
{
	int			error;
	enum pgt_loss_reason reason = record_new_loss(&error);

	if (reason == 0)
		return;
	errno = error;
	if (reason == PGT_LOSS_SIZE_LIMIT)
		ereport(WARNING,
				(errmsg("pg_trace: the record file has reached its largest size, records are lost"),
				 errdetail("Record file \"%s/%s.rec\".", directory_path(), session_base()),
				 errhint("Raise pg_trace.max_file_size.")));
	else
		ereport(WARNING,
				(errmsg("pg_trace: could not extend the record file: %m, records are lost"),
				 errdetail("Record file \"%s/%s.rec\".", directory_path(), session_base()),
				 errhint("%s", directory_hint(error))));
}

/* What the next statement has to look at. */
static void
watch(void)
{
	if (trace_id != 0 || slot == NULL)
	{
		trace_watch = &always;
		/* Without a slot there is nothing to wait for but the setting. */
		trace_answered = trace_id != 0 ? 0 : always;
		return;
	}
	trace_watch = &slot->request_seq;
	trace_answered = slot->answer_seq;
}

bool
requests_attend(const char *source)
{
	if (trace_suspended)
		return false;
	if (IsParallelWorker())
	{
		trace_watch = &always;
		trace_answered = always;
		return false;
	}
	if (slot == NULL)
		attach();
	/* In a failed transaction the catalogs cannot be read: the next statement. */
	if (IsTransactionState())
	{
		if (slot != NULL)
			obey();
		follow_setting();
	}
	if (trace_id != 0)
	{
		check_heartbeat();
		warn_of_loss();
	}
	watch();
	if (trace_id != 0)
		calls_find_depth(source);
	return trace_id != 0;
}

void
requests_init(void)
{
	int			error = slots_map();

	if (error == 0)
		return;
	errno = error;
	ereport(LOG,
			(errcode_for_file_access(),
			 errmsg("pg_trace: could not make control file \"%s/%s\": %m",
					directory_path(), PGT_CONTROL_FILE),
			 errdetail("A trace of another session cannot be asked for."),
			 errhint("%s", directory_hint(error))));
}
