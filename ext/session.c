/* SPDX-License-Identifier: PostgreSQL */
/*
 * session.c
 *	  The trace of this backend: whether there is one, its start and its end.
 *
 * Three can ask for a trace: the session itself by SQL, another session or the
 * collector through this backend's slot, and the setting pg_trace.enabled.  All
 * but the first are looked at when the next statement reaches a hook; until then
 * an untraced statement pays the load and the branch of tracing().
 */
#include "postgres.h"

#include <sys/stat.h>
#include <unistd.h>

#include "access/parallel.h"
#include "access/xact.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"

#include "calls.h"
#include "clock.h"
#include "cputime.h"
#include "cursors.h"
#include "directory.h"
#include "guc.h"
#include "printer.h"
#include "queries.h"
#include "record_file.h"
#include "relations.h"
#include "session.h"
#include "slots.h"
#include "wait_names.h"

uint32		trace_id;
uint32		trace_level;
bool		trace_suspended;

/* With nothing to watch, the first statement of a process attends. */
static const volatile uint32 always = 1;
const volatile uint32 *trace_watch = &always;
uint32		trace_answered;

static struct pgt_slot *slot;	/* of this backend; NULL: none yet */
static pid_t attached_pid;		/* whose process-local state this is */
static uint32 last_id;
static char base_name[PGT_BASE_SIZE];
static bool started_by_setting; /* then the setting also ends it */
static bool needs_heartbeat;	/* started for a collector */
static bool enabled_seen;		/* pg_trace.enabled when last looked at */

const char *
session_base(void)
{
	return base_name;
}

void
session_look_again(void)
{
	trace_answered = *trace_watch + 1;
}

void
session_make_base(pid_t pid, char *base, size_t size)
{
	time_t		epoch = time(NULL);
	char		path[MAXPGPATH + PGT_BASE_SIZE];
	struct stat st;

	/* Two traces within a second: the later takes the next second. */
	do
	{
		snprintf(base, size, "pg_trace_%d_%lld", (int) pid, (long long) epoch++);
		snprintf(path, sizeof(path), "%s/%s.rec", directory_path(), base);
	} while (lstat(path, &st) == 0);
}

/* --- start ------------------------------------------------------------------ */

/* As the SQL functions of these names; NULL arguments and results are fine. */
static Datum
call_without_arguments(PGFunction f, bool *isnull)
{
	LOCAL_FCINFO(fcinfo, 0);
	Datum		result;

	InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, NULL, NULL);
	result = f(fcinfo);
	*isnull = fcinfo->isnull;
	return result;
}

/*
 * Not from MyProcPort: its header needs headers of the libraries that the server was
 * built with, which are not there on most machines.
 */
static void
fill_client(char *to, size_t size)
{
	bool		isnull;
	Datum		address = call_without_arguments(inet_client_addr, &isnull);
	Datum		port;

	if (isnull)
	{
		strlcpy(to, IsBackgroundWorker ? "" : "[local]", size);
		return;
	}
	port = call_without_arguments(inet_client_port, &isnull);
	snprintf(to, size, "%s:%d",
			 DatumGetCString(DirectFunctionCall1(inet_out, address)),
			 isnull ? 0 : DatumGetInt32(port));
}

static void
copy_name(char *to, const char *from)
{
	strlcpy(to, from != NULL ? from : "", PGT_NAME_SIZE);
}

static void
fill_header(struct pgt_header *h, uint32 level)
{
	memset(h, 0, sizeof(*h));
	h->level = level;
	h->pid = (uint32) MyProcPid;
	h->server_version_num = PG_VERSION_NUM;
	h->database_oid = MyDatabaseId;
	h->user_oid = GetSessionUserId();
	copy_name(h->server_version, GetConfigOption("server_version", true, false));
	copy_name(h->database, get_database_name(MyDatabaseId));
	copy_name(h->user_name, GetUserNameFromId(GetSessionUserId(), true));
	copy_name(h->application, application_name);
	fill_client(h->client, PGT_NAME_SIZE);
	h->start_mono_ns = clock_mono_ns();
	h->start_wall_us = clock_wall_us();
}

static void
write_session(void)
{
	const struct pgt_header *h = record_header();
	struct pgt_session *s = record_begin(PGT_SESSION, 0, 0, sizeof(*s),
										 h->start_mono_ns);

	if (s == NULL)
		return;
	s->leader_pid = h->leader_pid;
	s->server_version_num = h->server_version_num;
	s->level = h->level;
	s->database_oid = h->database_oid;
	s->user_oid = h->user_oid;
	s->flags = 0;
	s->wall_us = h->start_wall_us;
	memcpy(s->server_version, h->server_version, PGT_NAME_SIZE);
	memcpy(s->database, h->database, PGT_NAME_SIZE);
	memcpy(s->user_name, h->user_name, PGT_NAME_SIZE);
	memcpy(s->application, h->application, PGT_NAME_SIZE);
	memcpy(s->client, h->client, PGT_NAME_SIZE);
	record_commit();
}

static int
open_record_file(uint32 level, const char *base)
{
	struct pgt_header header;
	int			dirfd = directory_open();
	int			error;

	if (dirfd < 0)
		return -dirfd;
	fill_header(&header, level);
	error = record_file_open(dirfd, base, &header);
	close(dirfd);
	return error;
}

static void
show_in_slot(enum pgt_slot_state state, int error)
{
	if (slot == NULL)
		return;
	slot->level = trace_level;
	slot->failure = (uint32) error;
	slot->started_ns = clock_mono_ns();
	memset(slot->record, 0, sizeof(slot->record));
	strlcpy(slot->record, base_name, sizeof(slot->record));
	__atomic_store_n(&slot->state, (uint32) state, __ATOMIC_RELEASE);
}

int
session_start(uint32 level, const char *base)
{
	int			error = open_record_file(level, base);

	if (error == 0 && !cursors_init())
	{
		record_file_close();
		error = ENOMEM;
	}
	if (error != 0)
		return error;
	strlcpy(base_name, base, sizeof(base_name));
	trace_id = ++last_id;
	trace_level = level;
	started_by_setting = needs_heartbeat = false;
	write_session();
	wait_names_write();
	cputime_open();
	calls_trace_begins();
	show_in_slot(PGT_SLOT_TRACING, 0);
	session_look_again();
	return 0;
}

/* --- end -------------------------------------------------------------------- */

void
session_end(enum pgt_end_reason reason)
{
	if (trace_id == 0)
		return;
	queries_trace_ends();
	calls_trace_ends();
	record_write_end(reason, clock_mono_ns());
	record_file_close();
	cputime_close();
	cursors_forget();
	relations_forget();
	trace_id = 0;
	if (slot != NULL)
	{
		slot->heartbeat_ns = 0;
		__atomic_store_n(&slot->state, PGT_SLOT_IDLE, __ATOMIC_RELEASE);
	}
	session_look_again();
}

static void
at_exit(int code, Datum arg)
{
	if (attached_pid != MyProcPid)
		return;
	session_end(PGT_END_EXIT);
	if (slot != NULL)
		slot_release(slot);
	slot = NULL;
}

/* --- being asked ------------------------------------------------------------ */

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
	if (attached_pid != MyProcPid)
	{
		attached_pid = MyProcPid;
		on_proc_exit(at_exit, 0);
	}
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
	bool		heartbeat = slot->heartbeat_ns != 0;
	int			error;

	if (trace_id != 0)
		return;					/* joined: whoever asks reads the slot */
	memcpy(base, slot->base, sizeof(base));
	if (!is_valid_base(base))
		session_make_base(MyProcPid, base, sizeof(base));
	error = session_start(level ? level : PGT_LEVEL_DEFAULT, base);
	if (error == 0)
		needs_heartbeat = heartbeat;
	else
	{
		show_in_slot(PGT_SLOT_FAILED, error);
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
		printer_start(base_name);
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
			printer_start(base_name);
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
				 errdetail("Record file \"%s/%s.rec\".", directory_path(), base_name),
				 errhint("Raise pg_trace.max_file_size.")));
	else
		ereport(WARNING,
				(errmsg("pg_trace: could not extend the record file: %m, records are lost"),
				 errdetail("Record file \"%s/%s.rec\".", directory_path(), base_name),
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
session_attend(const char *source)
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
session_init(void)
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
