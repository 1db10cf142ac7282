/* SPDX-License-Identifier: PostgreSQL */
/*
 * record.h - THE record format: the one description of what the extension
 * writes (.rec), what the collector merges, and what it keeps (.pgt).
 *
 * Includes nothing of PostgreSQL, so both sides use the same header.
 *
 * A file is one header page followed by records.  There is one writer.  It
 * fills a record, then moves header.committed past it with a release store; a
 * reader loads header.committed with acquire (or reads it with pread) and never
 * looks beyond it.  Whatever is below committed stays readable after SIGKILL of
 * the writer, the reader or both.
 *
 * All integers are in the byte order of the machine that wrote the file
 * (header.byte_order tells).  Every record begins at an offset that is a
 * multiple of 8, and length counts the record's header and its padding.  Times
 * are CLOCK_MONOTONIC nanoseconds, which is also what bpf_ktime_get_ns() gives,
 * so the two streams need no translation.  Records of one process appear in the
 * order of their time_ns.
 *
 * A reader takes nothing in a file on trust: every length is checked against
 * the bytes that are there (src/stmt).  Unknown kinds are skipped and counted.
 * Bodies may grow at their end: a reader accepts a fixed part that is longer
 * than it knows, and treats a shorter one as damage.
 */
#ifndef PGT_RECORD_H
#define PGT_RECORD_H

#include <stdint.h>

#define PGT_MAGIC "PGTRACE"	/* 8 bytes with its NUL */
#define PGT_FORMAT_VERSION 1u
#define PGT_BYTE_ORDER 0x01020304u
#define PGT_HEADER_SIZE 4096u
#define PGT_NAME_SIZE 64	/* NAMEDATALEN, NUL-terminated */
#define PGT_MAX_RECORD (256u << 20)	/* no whole record is longer, bytes */

/* Level bits, as Oracle's event 10046 (oracle-10046, 1.11). */
#define PGT_LEVEL_CALLS 1u
#define PGT_LEVEL_BINDS 4u
#define PGT_LEVEL_WAITS 8u
#define PGT_LEVEL_STAT_EVERY 16u	/* plan statistics of every execution */
#define PGT_LEVEL_STAT_NEVER 32u
#define PGT_LEVEL_STAT_ADAPTIVE 64u	/* again after a minute of DB time */
#define PGT_LEVEL_ALL 127u
#define PGT_LEVEL_DEFAULT (PGT_LEVEL_BINDS | PGT_LEVEL_WAITS)	/* any level has calls */

enum pgt_file_kind {
	PGT_FILE_REC = 1,	/* one backend, written by the extension */
	PGT_FILE_PGT = 2,	/* merged, written by the collector */
};

enum pgt_state {
	PGT_STATE_OPEN = 1,	/* being written, or the writer was killed */
	PGT_STATE_CLOSED = 2,	/* ended by its writer */
};

/* Byte 0 of the file.  The rest of the first PGT_HEADER_SIZE bytes is zero. */
struct pgt_header {
	char magic[8];
	uint32_t byte_order;
	uint32_t format_version;
	uint32_t header_size;	/* where the first record begins */
	uint32_t file_kind;	/* enum pgt_file_kind */
	uint32_t state;		/* enum pgt_state */
	uint32_t level;
	uint32_t pid;		/* of the backend, in its own pid namespace */
	uint32_t leader_pid;	/* of a parallel worker's leader, else 0 */
	uint32_t server_version_num;	/* 150020 */
	uint32_t database_oid;
	uint32_t user_oid;
	uint32_t unused;
	uint64_t committed;	/* bytes of the file, this page included, that are whole */
	uint64_t start_mono_ns;	/* a pair: the same instant on both clocks */
	int64_t start_wall_us;	/* since 1970-01-01 UTC */
	uint64_t records;	/* written */
	uint64_t dropped_records;	/* not written: no space, or over the limit */
	uint64_t dropped_bytes;
	uint64_t cut_values;	/* texts and binds that were shortened */
	uint64_t failed_values;	/* binds whose output function raised */
	uint32_t cursor;	/* what runs now, for probes to read; 0 is nothing */
	uint32_t depth;		/* its nesting depth; 0 is what the client sent */
	char server_version[PGT_NAME_SIZE];	/* "15.20 (Debian 15.20-0+deb12u1)" */
	char database[PGT_NAME_SIZE];
	char user_name[PGT_NAME_SIZE];
	char application[PGT_NAME_SIZE];
	char client[PGT_NAME_SIZE];	/* "[local]" or the address */
};

enum pgt_kind {
	PGT_SESSION = 1,	/* struct pgt_session */
	PGT_WAIT_NAMES,		/* struct pgt_wait_names */
	PGT_TEXT,		/* struct pgt_text: a cursor's statement, once */
	PGT_BEGIN,		/* struct pgt_begin: a call begins */
	PGT_CALL,		/* struct pgt_call: a call has ended */
	PGT_BINDS,		/* struct pgt_binds: of the execution that begins next */
	PGT_PLAN,		/* struct pgt_plan: nodes, with actuals if measured */
	PGT_XACT,		/* struct pgt_xact */
	PGT_ERROR,		/* struct pgt_error */
	PGT_CLOCK,		/* struct pgt_clock: about once a second */
	PGT_LOSS,		/* struct pgt_loss */
	PGT_WAIT,		/* struct pgt_wait: from the collector */
	PGT_NOTE,		/* struct pgt_note: a line for the trace's reader */
	PGT_END,		/* struct pgt_end: of this process's trace */
	PGT_WATCH,		/* struct pgt_watch: a collector sees its waits from here on */
	PGT_RELATION,		/* struct pgt_relation: the name of a relation that files and locks are of */
	PGT_BLOCKER,		/* struct pgt_blocker: a lock wait begins: who is in its way; from the collector */
	PGT_KINDS
};

/* Every record begins with this; time_ns is when it was written. */
struct pgt_record {
	uint32_t length;	/* whole record with padding; multiple of 8 */
	uint8_t kind;		/* enum pgt_kind */
	uint8_t flags;		/* none yet: 0 */
	uint16_t depth;		/* nesting depth of the cursor */
	uint32_t pid;		/* whose record this is */
	uint32_t cursor;	/* 0: none */
	uint64_t time_ns;
};

/* What a session is; the first record of each process in a file. */
struct pgt_session {
	uint32_t leader_pid;
	uint32_t server_version_num;
	uint32_t level;
	uint32_t database_oid;
	uint32_t user_oid;
	uint32_t flags;		/* PGT_SESSION_* */
	int64_t wall_us;	/* the wall clock at time_ns */
	char server_version[PGT_NAME_SIZE];
	char database[PGT_NAME_SIZE];
	char user_name[PGT_NAME_SIZE];
	char application[PGT_NAME_SIZE];
	char client[PGT_NAME_SIZE];
};

/* Statements come from a probe: no binds, plan, rows, buffers, nested SQL. */
#define PGT_SESSION_NO_EXTENSION 1u

/*
 * The server's own names of its wait events.  After the fixed part: count
 * entries, each struct pgt_wait_name followed by type and name, not
 * NUL-terminated, padded together to 4 bytes.
 */
struct pgt_wait_names {
	uint32_t count;
	uint32_t unused;
};

struct pgt_wait_name {
	uint32_t event;		/* wait_event_info: class << 24 | number */
	uint16_t type_length;
	uint16_t name_length;
};

/* Text follows the fixed part: length bytes. */
struct pgt_text {
	uint64_t query_id;	/* PostgreSQL's, 0 if not computed */
	uint32_t length;	/* bytes that follow */
	uint32_t true_length;	/* of the statement; longer if it was cut */
	uint32_t command;	/* enum CmdType of nodes.h; 0 unknown */
	uint32_t unused;
};

enum pgt_call_kind {
	PGT_CALL_PARSE = 1,	/* raw parse and analysis */
	PGT_CALL_PLAN,
	PGT_CALL_EXEC,		/* ExecutorStart to the end of the run, or a utility command */
	PGT_CALL_FETCH,		/* a run of a part of the rows */
	PGT_CALL_CLOSE,		/* ExecutorEnd */
	PGT_CALL_KINDS
};

/*
 * A call begins.  EXEC and FETCH have one, so that a reader can show waits as
 * they come and a crash leaves evidence; short calls (PARSE, PLAN, CLOSE) are
 * one pgt_call at their end.
 */
struct pgt_begin {
	uint32_t call;		/* enum pgt_call_kind */
	uint32_t flags;		/* PGT_CALL_UTILITY */
};

/* Blocks as struct BufferUsage counts them, times in ns, WAL as struct WalUsage. */
struct pgt_usage {
	int64_t shared_hit, shared_read, shared_dirtied, shared_written;
	int64_t local_hit, local_read, local_dirtied, local_written;
	int64_t temp_read, temp_written;
	int64_t io_read_ns, io_write_ns;	/* 0 unless track_io_timing */
	int64_t wal_records, wal_fpi, wal_bytes;
};

#define PGT_CALL_UTILITY 1u		/* a utility command, not a plan */
#define PGT_CALL_ERROR 2u		/* left by an error */
#define PGT_CALL_OPEN 4u		/* the trace ended first; end is that moment */
#define PGT_CALL_NO_START 8u		/* start unknown: start == end, elapsed is not known */
#define PGT_CALL_NO_CPU 16u		/* cpu_ns and runqueue_ns were not measured */
#define PGT_CALL_NO_USAGE 32u		/* rows and usage were not measured */
#define PGT_CALL_GENERIC 64u		/* EXEC of a cached plan: it met no planner */
#define PGT_CALL_ABORTED 128u		/* CLOSE by the end of a failed transaction */
#define PGT_CALL_LATE 256u		/* the trace began inside the call; start is that moment */

/* A call has ended.  Every figure includes the calls nested in it. */
struct pgt_call {
	uint32_t call;		/* enum pgt_call_kind */
	uint32_t flags;		/* PGT_CALL_* */
	uint64_t start_ns;
	uint64_t end_ns;	/* <= time_ns */
	uint64_t rows;		/* returned or affected */
	uint64_t cpu_ns;	/* user and system */
	uint64_t runqueue_ns;	/* runnable, waiting for a CPU */
	struct pgt_usage usage;
};

#define PGT_BIND_NULL 1u
#define PGT_BIND_CUT 2u		/* length < true_length */
#define PGT_BIND_REDACTED 4u	/* pg_trace.redact_binds: no value here */
#define PGT_BIND_FAILED 8u	/* the type's output function raised: no value */
#define PGT_BIND_UNSET 16u	/* a variable that the statement does not use */

/* count entries follow: struct pgt_bind and its text, padded to 8 bytes. */
struct pgt_binds {
	uint32_t count;
	uint32_t unused;
};

struct pgt_bind {
	uint32_t type_oid;
	uint32_t flags;		/* PGT_BIND_* */
	uint32_t length;	/* bytes of text that follow */
	uint32_t unused;
	uint64_t true_length;	/* of the whole text; of the stored value if it was never made text */
};

#define PGT_PLAN_ACTUALS 1u	/* the nodes carry actual rows, loops and usage */
#define PGT_PLAN_TIMING 2u	/* and times */
#define PGT_PLAN_ABORTED 4u	/* the execution did not end: actuals are partial */

/*
 * A plan, once per new plan of a cursor or per execution, as the level asks.
 * nodes entries follow: struct pgt_node and its text, padded to 8 bytes, in
 * depth-first order; a parent comes before its children.
 */
struct pgt_plan {
	uint32_t nodes;
	uint32_t flags;		/* PGT_PLAN_* */
	uint64_t plan_hash;	/* of the shape: equal plans, equal hash */
};

/* The text is EXPLAIN's line for the node: "Index Scan using t_pkey on public.t x". */
struct pgt_node {
	uint32_t id;		/* from 1, in this order */
	uint32_t parent_id;	/* 0: the root */
	uint32_t relation_oid;	/* that the node scans or modifies, else 0 */
	uint32_t text_length;
	double startup_cost, total_cost, plan_rows;
	uint32_t plan_width;
	uint32_t workers_launched;
	double rows;		/* summed over loops */
	double loops;
	double filtered;	/* rows removed by filters, summed */
	uint64_t startup_ns, total_ns;	/* summed over loops, children included */
	struct pgt_usage usage;	/* children included */
};

enum pgt_xact_event {
	PGT_XACT_COMMIT = 1,
	PGT_XACT_ROLLBACK,
	PGT_XACT_PREPARE,
	PGT_XACT_SUBCOMMIT,	/* RELEASE, or the end of an exception block */
	PGT_XACT_SUBROLLBACK,
};

struct pgt_xact {
	uint32_t event;		/* enum pgt_xact_event */
	uint32_t xid;		/* 0: none was assigned, nothing was written */
	uint32_t subxact;	/* subtransaction id of SUB*, else 0 */
	uint32_t unused;
};

/* message_length bytes of message follow, then statement_length of the statement
 * where no cursor has it (a syntax error). */
struct pgt_error {
	char sqlstate[8];	/* "22012" and NULs */
	uint32_t level;		/* elog.h: ERROR, FATAL */
	int32_t position;	/* in the statement, from 1; 0 unknown */
	uint32_t message_length;
	uint32_t statement_length;
};

struct pgt_clock {
	int64_t wall_us;	/* at time_ns */
};

enum pgt_loss_reason {
	PGT_LOSS_NO_SPACE = 1,	/* the file system gave no more */
	PGT_LOSS_SIZE_LIMIT,	/* pg_trace.max_file_size */
	PGT_LOSS_IO,		/* another failure of the record file */
	PGT_LOSS_RING,		/* the perf ring was full: samples lost */
	PGT_LOSS_BAD_SAMPLE,	/* a sample that makes no sense */
	PGT_LOSS_BAD_RECORD,	/* damage in a record file */
	PGT_LOSS_LATE,		/* came after its time was printed; shown out of order */
	PGT_LOSS_UNTOLD,	/* counted in a file's header; no record in it says why */
	PGT_LOSS_REASONS
};

/* What is missing here. */
struct pgt_loss {
	uint32_t reason;	/* enum pgt_loss_reason */
	uint32_t cpu;		/* of the ring, for PGT_LOSS_RING */
	uint64_t count;		/* records or samples */
	uint64_t bytes;		/* 0 where not known */
	uint64_t until_ns;	/* lost between time_ns and this; 0: not known when */
};

#define PGT_WAIT_NO_START 1u	/* began before the trace; start_ns is when that began */
#define PGT_WAIT_OPEN 2u	/* had not ended when the trace did */

enum pgt_object_kind {
	PGT_OBJECT_NONE = 0,	/* not known */
	PGT_OBJECT_FILE = 1,	/* of a relation */
	PGT_OBJECT_LOCK = 2,	/* a heavyweight lock */
};

/* As PostgreSQL's smgr layer was called: storage/smgr.h, storage/relfilenode.h (relfilelocator.h from 16 on). */
struct pgt_file {
	uint32_t tablespace, database, relation;
	int32_t backend;	/* whose temporary relation; -1: it is no temporary one */
	uint32_t fork;		/* common/relpath.h: main, fsm, vm, init */
	uint32_t block;		/* the first, in the relation (not in its segment) */
	uint32_t blocks;	/* 0: the whole fork, block means nothing */
};

#define PGT_LOCK_BLOCKERS 4
#define PGT_LOCK_UNKNOWN UINT32_MAX	/* blockers could not be read */
#define PGT_LOCK_AT_LEAST 0x80000000u	/* with the number: not all were looked at */

/* LOCKTAG and LOCKMODE of storage/lock.h. */
struct pgt_lock {
	uint32_t field1, field2, field3;
	uint16_t field4;
	uint8_t type;		/* enum LockTagType */
	uint8_t method;
	uint32_t mode;
	uint32_t blockers;	/* when the wait began, in all; PGT_LOCK_* */
	uint32_t pids[PGT_LOCK_BLOCKERS];	/* the first of them, in the server's pid namespace; 0: a prepared transaction */
};

struct pgt_object {
	uint32_t kind;		/* enum pgt_object_kind */
	uint32_t unused;
	union {
		struct pgt_file file;
		struct pgt_lock lock;
	};
};

/* One wait; time_ns is its end.  Without an object the body may end before it. */
struct pgt_wait {
	uint32_t event;		/* wait_event_info, never 0 */
	uint32_t flags;		/* PGT_WAIT_* */
	uint64_t start_ns;
	struct pgt_object object;
};

#define PGT_WAIT_SHORT 16u	/* bytes of the body without the object */

#define PGT_BLOCKER_AHEAD 1u	/* it waits as well, ahead in the queue; else it holds the lock */
#define PGT_BLOCKER_KNOWN 2u	/* state, times and text could be read */

/* length bytes of text follow: the statement that it runs, or ran last. */
struct pgt_blocker {
	uint32_t pid;		/* in the server's pid namespace; 0: a prepared transaction */
	uint32_t flags;		/* PGT_BLOCKER_* */
	uint32_t state;		/* enum BackendState of the server's version */
	uint32_t length;
	int64_t xact_start_us;	/* wall clock, since 1970 UTC; 0: it is in none */
	int64_t statement_start_us;
};

/*
 * Once per relation and trace, and again when its file is another.  After the fixed part: schema, then name, as they
 * are (not quoted).
 */
struct pgt_relation {
	uint32_t database;	/* 0: shared by all */
	uint32_t tablespace;	/* as in struct pgt_file */
	uint32_t file;		/* its number; 0: it has none */
	uint32_t oid;
	uint32_t kind;		/* pg_class.relkind, a character */
	uint16_t schema_length;
	uint16_t name_length;
};

/* length bytes of UTF-8 text, one line, follow: how the waits are caught.  Before time_ns nobody looked. */
struct pgt_watch {
	uint32_t length;
	uint32_t unused;
};

/* length bytes of UTF-8 text, one line, follow. */
struct pgt_note {
	uint32_t length;
	uint32_t unused;
};

enum pgt_end_reason {
	PGT_END_STOPPED = 1,	/* pg_trace_stop_trace, or the collector's end */
	PGT_END_EXIT,		/* the backend left */
	PGT_END_KILLED,		/* the backend died without a word */
	PGT_END_COLLECTOR_GONE,	/* no heartbeat from the collector that asked */
	PGT_END_GONE,		/* the backend is no more; nobody knows how it ended */
};

struct pgt_end {
	uint32_t reason;	/* enum pgt_end_reason */
	uint32_t unused;
};

/* Both sides must agree on the bytes. */
_Static_assert(sizeof(struct pgt_header) <= PGT_HEADER_SIZE, "header fits its page");
_Static_assert(sizeof(struct pgt_record) == 24, "record header");
_Static_assert(sizeof(struct pgt_session) == 352, "session");
_Static_assert(sizeof(struct pgt_usage) == 120, "usage");
_Static_assert(sizeof(struct pgt_call) == 168, "call");
_Static_assert(sizeof(struct pgt_bind) == 24, "bind");
_Static_assert(sizeof(struct pgt_node) == 208, "node");
_Static_assert(sizeof(struct pgt_object) == 48, "object");
_Static_assert(sizeof(struct pgt_wait) == 64, "wait");
_Static_assert(sizeof(struct pgt_blocker) == 32, "blocker");
_Static_assert(sizeof(struct pgt_relation) == 24, "relation");

#endif
