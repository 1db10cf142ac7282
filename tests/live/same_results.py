# SPDX-License-Identifier: PostgreSQL
"""A traced session answers byte for byte as an untraced one does."""

import re

from harness import Tracer, check, cluster, equal, main, need

SETUP = """
CREATE TABLE t(i int PRIMARY KEY, g int, t text);
CREATE TABLE audit(what text, i int);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO audit VALUES (TG_OP, coalesce(NEW.i, OLD.i)); RETURN coalesce(NEW, OLD); END $$;
CREATE TRIGGER t_note AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note();
CREATE FUNCTION safe_div(int, int) RETURNS int LANGUAGE plpgsql AS
  $$ BEGIN RETURN $1 / $2; EXCEPTION WHEN division_by_zero THEN RAISE NOTICE 'caught %', SQLSTATE; RETURN NULL; END $$;
CREATE FUNCTION rec(int) RETURNS int LANGUAGE plpgsql AS
  $$ BEGIN IF $1 = 0 THEN RETURN 0; END IF; RETURN (SELECT rec($1 - 1) + 1); END $$;
CREATE PROCEDURE commits() LANGUAGE plpgsql AS
  $$ BEGIN FOR k IN 100..103 LOOP INSERT INTO t VALUES (k, 0, 'p');
     IF k % 2 = 0 THEN COMMIT; ELSE ROLLBACK; END IF; END LOOP; END $$;
"""

SIMPLE = [
    "SELECT 1; SELECT 'two'; SELECT NULL",
    "INSERT INTO t SELECT i, i % 3, 'row ' || i FROM generate_series(1, 50) i",
    "UPDATE t SET t = upper(t) WHERE g = 1 RETURNING i, t",
    "DELETE FROM t WHERE i > 45 RETURNING *",
    "SELECT g, count(*), max(t) FROM t GROUP BY g ORDER BY g",
    "WITH moved AS (DELETE FROM t WHERE i = 1 RETURNING *) SELECT * FROM moved",
    "SELECT safe_div(6, 2), safe_div(1, 0), rec(20)",
    "SELECT 1/0", "SELEC", "SELECT * FROM nowhere", "INSERT INTO t VALUES (2)",
    "CALL commits()", "SELECT count(*) FROM t WHERE t = 'p'",
    "DO $$ BEGIN PERFORM safe_div(k, 0) FROM generate_series(1, 3) k; END $$",
    "PREPARE p(int) AS SELECT t FROM t WHERE i = $1",
    *[f"EXECUTE p({i})" for i in range(2, 10)],
    "DEALLOCATE p",
    "COPY (SELECT * FROM t ORDER BY i LIMIT 5) TO STDOUT",
    "COPY t(i, g, t) FROM STDIN",
    "CREATE TABLE t2 AS SELECT * FROM t WHERE g = 2", "SELECT count(*) FROM t2",
    "CREATE MATERIALIZED VIEW mv AS SELECT g, count(*) FROM t GROUP BY g", "REFRESH MATERIALIZED VIEW mv",
    "EXPLAIN (COSTS OFF) SELECT * FROM t WHERE i = 5",
    "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT count(*) FROM t WHERE g = 1",
    "BEGIN", "DECLARE c SCROLL CURSOR FOR SELECT i FROM t ORDER BY i", "FETCH 3 FROM c", "FETCH LAST FROM c",
    "FETCH BACKWARD 2 FROM c", "MOVE 1 FROM c", "CLOSE c",
    "SAVEPOINT a", "SELECT 1/0", "SELECT 'ignored'", "ROLLBACK TO a", "RELEASE a", "COMMIT",
    "BEGIN", "UPDATE t SET g = 9 WHERE i = 5", "ROLLBACK", "SELECT g FROM t WHERE i = 5",
    "BEGIN", "SELECT 1/0", "COMMIT",
    "SET statement_timeout = '30ms'", "SELECT pg_sleep(5)", "RESET statement_timeout",
    "SELECT what, count(*) FROM audit GROUP BY what ORDER BY what",
    "SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; "
    "SET min_parallel_table_scan_size = 0", "SELECT count(*), sum(length(t)) FROM t", "RESET ALL",
    "VACUUM ANALYZE t", "SELECT array_agg(i ORDER BY i) FROM t", "DROP TABLE t2", "",
    "SELECT length('" + "w" * 200000 + "')",
]


def extended(s):
    s.parse("x", "SELECT $1::int + 1, $2::text, $3::bytea")
    s.sync()
    for i in range(8):
        s.bind("", "x", [i, None if i == 3 else f"v{i}", b"\\x00ff"], result_formats=(i % 2,))
        s.describe(b"P", "")
        s.execute()
        s.sync()
    s.query("BEGIN")
    s.parse("", "SELECT i FROM t ORDER BY i")
    s.bind("q", "")
    for _ in range(3):
        s.execute("q", 7)
    s.close_statement(b"P", "q")
    s.sync()
    s.query("COMMIT")
    s.parse("", "INSERT INTO t VALUES ($1, 0, 'x') RETURNING i")
    for value in (500, 500, "no number"):
        s.bind("", "", [value])
        s.execute()
        s.sync()
    s.parse("", "SELECT 1; SELECT 2")
    s.sync()


def workload(s):
    for sql in SIMPLE:
        s.query(sql, copy_data=b"900\t1\tcopied\n901\t2\tcopied too\n")
    extended(s)


# Physical details that differ from run to run.
NOISE = re.compile(rb"(Buffers|Planning|I/O Timings|Memory Usage).*")


def without_noise(kind, body):
    """In a RowDescription, the tables' oids."""
    if kind != b"T":
        return kind, NOISE.sub(b"", body)
    at, columns = 2, []
    while at < len(body):
        end = body.index(b"\0", at) + 1
        columns.append((body[at:end], body[end + 4:end + 18]))
        at = end + 18
    return kind, columns


def transcript(server, extension, tracer_args=None, sql_level=None, **settings):
    """The whole workload in a fresh database; what the server answered."""
    boss = server.session(extension=False)
    boss.run("DROP DATABASE IF EXISTS w")
    boss.run("CREATE DATABASE w")
    boss.close()
    s = server.session(extension=extension, database="w", **settings)
    s.run(SETUP)
    tracer = None
    if sql_level is not None:
        s.run("CREATE EXTENSION pg_trace")
        s.run(f"SELECT pg_trace_start_trace(level => {sql_level})")
    if tracer_args is not None:
        tracer = Tracer(s.pid, *tracer_args)
    s.transcript = []
    workload(s)
    answers = [without_noise(kind, body) for kind, body in s.transcript]
    trace = tracer.end() if tracer else None
    s.close()
    return answers, trace


def same(got, want, what):
    need(len(want) > 300, f"the workload gave only {len(want)} messages")
    for n, (a, b) in enumerate(zip(got, want)):
        equal(a, b, f"{what}: message {n}")
    equal(len(got), len(want), f"{what}: number of messages")


@check
def with_and_without_every_kind_of_trace():
    with cluster("same") as server:
        plain, _ = transcript(server, extension=False)
        again, _ = transcript(server, extension=False)
        same(again, plain, "the workload itself differs from run to run")
        loaded, _ = transcript(server, extension=True)
        same(loaded, plain, "extension loaded")
        from_sql, _ = transcript(server, extension=True, sql_level=12)
        same(from_sql, plain, "traced from SQL")
        every, _ = transcript(server, extension=True, sql_level=29)
        same(every, plain, "plan statistics of every execution")
        attached, trace = transcript(server, extension=True, tracer_args=[])
        same(attached, plain, "traced by the collector")
        need(len(trace.calls()) > 200, f"the trace has {len(trace.calls())} calls only")
        equal(trace.of("loss"), [], "loss")
        bare, trace = transcript(server, extension=False, tracer_args=[])
        same(bare, plain, "traced by the collector, no extension")
        need(len(trace.calls("exec")) > 60, f"the trace has {len(trace.calls('exec'))} statements only")


@check
def tiny_record_file():
    """Over its limit the trace loses records, and the session nothing."""
    with cluster("same", "pg_trace.max_file_size = '64kB'") as server:
        plain, _ = transcript(server, extension=False)
        limited, _ = transcript(server, extension=True, sql_level=29)
        limited = [m for m in limited if not (m[0] == b"N" and b"pg_trace" in m[1])]
        same(limited, plain, "over the size limit")


main(__file__)
