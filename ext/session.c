/* SPDX-License-Identifier: PostgreSQL */
/*
 * session.c
 *	  The trace of this backend: whether there is one, its start and its end.
 */
#include "postgres.h"

#include <sys/stat.h>
#include <unistd.h>

#include "commands/dbcommands.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "calls.h"
#include "clock.h"
#include "control.h"
#include "cputime.h"
#include "cursors.h"
#include "directory.h"
#include "queries.h"
#include "record_file.h"
#include "relations.h"
#include "requests.h"
#include "session.h"
#include "wait_names.h"

uint32		trace_id;
uint32		trace_level;
bool		trace_suspended;

static uint32 last_id;
static char base_name[PGT_BASE_SIZE];

const char *
session_base(void)
{
	return base_name;
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
		strlcpy(to, MyBackendType == B_BG_WORKER ? "" : "[local]", size);
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
	write_session();
	wait_names_write();
	cputime_open();
	calls_trace_begins();
	requests_trace_began(base);
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
	requests_trace_ended();
}
