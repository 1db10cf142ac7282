/* SPDX-License-Identifier: PostgreSQL */
/*
 * A libpq client that does what applications do: prepared statements past their fifth
 * execution, parameters of all sorts, pipelines, a long text, a cancel.  It prints what the
 * server answered, so that two runs can be compared.
 *
 *	client CONNINFO SCENARIO...
 *
 * prints "pid N", waits for a line on standard input (the tracer attaches meanwhile), runs the
 * scenarios in order, waits for another line and leaves.
 */
#include <libpq-fe.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OID_BYTEA 17
#define OID_INT4 23
#define OID_TEXT 25

static void die(PGconn *conn, const char *what)
{
	fprintf(stderr, "client: %s: %s", what, PQerrorMessage(conn));
	exit(1);
}

/* Status, SQLSTATE, tag and every value; NULL is told from the empty string. */
static void show(PGresult *res)
{
	int row, col;

	printf("%s %s %s\n", PQresStatus(PQresultStatus(res)), PQcmdStatus(res),
	       PQresultErrorField(res, PG_DIAG_SQLSTATE) ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : "-");
	for (row = 0; row < PQntuples(res); row++)
		for (col = 0; col < PQnfields(res); col++)
			printf("  %d.%d %s\n", row, col,
			       PQgetisnull(res, row, col) ? "NULL" : PQgetvalue(res, row, col));
	PQclear(res);
}

static void query(PGconn *conn, const char *sql)
{
	show(PQexec(conn, sql));
}

/* A generic plan from the sixth execution on; the values tell the executions apart. */
static void generic(PGconn *conn)
{
	static const Oid types[] = { OID_INT4, OID_TEXT };
	int i;

	show(PQprepare(conn, "generic", "SELECT $1::int + 1000 AS n, coalesce($2, 'was null') AS t", 2, types));
	for (i = 1; i <= 10; i++) {
		char number[16], word[16];
		const char *values[2] = { number, word };

		snprintf(number, sizeof(number), "%d", i);
		snprintf(word, sizeof(word), "word %d", i);
		if (i == 7)
			values[1] = NULL;
		if (i == 8)
			word[0] = '\0';
		show(PQexecPrepared(conn, "generic", 2, values, NULL, NULL, 0));
	}
}

/* Parameters in binary: an int4 in network order, bytes with a NUL among them. */
static void binary(PGconn *conn)
{
	static const Oid types[] = { OID_INT4, OID_BYTEA };
	static const char four[4] = { 0, 0, 1, 2 }, bytes[3] = { 'a', 0, 'b' };
	const char *const values[2] = { four, bytes };
	static const int lengths[2] = { 4, 3 }, formats[2] = { 1, 1 };

	show(PQexecParams(conn, "SELECT $1 AS four, length($2) AS length", 2, types, values, lengths, formats, 0));
}

/* Several statements are on their way before the first answer. */
static void pipeline(PGconn *conn)
{
	PGresult *res;
	int i, syncs = 0;

	if (!PQenterPipelineMode(conn))
		die(conn, "pipeline");
	for (i = 0; i < 5; i++) {
		char number[16];
		const char *values[1] = { number };

		snprintf(number, sizeof(number), "%d", i - 2);
		PQsendQueryParams(conn, "SELECT 12 / $1::int AS pipelined", 1, NULL, values, NULL, NULL, 0);
		if (i != 1)
			PQpipelineSync(conn);
	}
	while (syncs < 4) {
		res = PQgetResult(conn);
		if (PQstatus(conn) != CONNECTION_OK)
			die(conn, "pipeline");
		if (!res)
			continue;
		syncs += PQresultStatus(res) == PGRES_PIPELINE_SYNC;
		show(res);
	}
	PQexitPipelineMode(conn);
}

/* A statement of about a megabyte that ends in something one can look for. */
static void longtext(PGconn *conn)
{
	const size_t size = 1 << 20;
	char *sql = malloc(size + 64);
	size_t at;

	if (!sql)
		die(conn, "out of memory");
	at = (size_t)sprintf(sql, "SELECT length('");
	memset(sql + at, 'z', size);
	sprintf(sql + at + size, "') AS long_one -- the end");
	query(conn, sql);
	free(sql);
}

static void cancel(PGconn *conn)
{
	PGcancel *handle = PQgetCancel(conn);
	char error[256];

	PQsendQuery(conn, "SELECT pg_sleep(30) AS cancelled");
	usleep(100000);
	if (!PQcancel(handle, error, sizeof(error)))
		fprintf(stderr, "client: cancel: %s\n", error);
	PQfreeCancel(handle);
	for (PGresult *res; (res = PQgetResult(conn)); )
		show(res);
}

static void timeout(PGconn *conn)
{
	query(conn, "SET statement_timeout = '100ms'");
	query(conn, "SELECT pg_sleep(30) AS timed_out");
	query(conn, "RESET statement_timeout");
}

static void several(PGconn *conn)
{
	PGresult *res;

	PQsendQuery(conn, "SELECT 'first of three'; SELECT 'second of three'; SELECT 'third of three'");
	while ((res = PQgetResult(conn)))
		show(res);
}

static const struct scenario {
	const char *name;
	void (*run)(PGconn *conn);
} scenarios[] = {
	{ "generic", generic }, { "binary", binary }, { "pipeline", pipeline }, { "longtext", longtext },
	{ "cancel", cancel }, { "timeout", timeout }, { "several", several },
};

static void run_scenario(PGconn *conn, const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		if (!strcmp(scenarios[i].name, name)) {
			printf("-- %s\n", name);
			scenarios[i].run(conn);
			return;
		}
	fprintf(stderr, "client: no scenario '%s'\n", name);
	exit(2);
}

static void wait_for_line(void)
{
	int c;

	fflush(stdout);
	do
		c = getchar();
	while (c != '\n' && c != EOF);
}

int main(int argc, char **argv)
{
	PGconn *conn;
	int i;

	if (argc < 3) {
		fprintf(stderr, "Usage: client CONNINFO SCENARIO...\n");
		return 2;
	}
	conn = PQconnectdb(argv[1]);
	if (PQstatus(conn) != CONNECTION_OK)
		die(conn, "connect");
	printf("pid %d\n", PQbackendPID(conn));
	wait_for_line();
	for (i = 2; i < argc; i++)
		run_scenario(conn, argv[i]);
	printf("done\n");
	wait_for_line();
	PQfinish(conn);
	return 0;
}
