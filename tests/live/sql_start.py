# SPDX-License-Identifier: PostgreSQL
"""Traces that are started from SQL: by themselves, and joined by the collector."""

import glob
import os
import stat
import subprocess
import time

from harness import ROOT, Trace, Tracer, check, cluster, equal, main, need, text, traced, wait_for

PSQL = glob.glob(os.path.join(ROOT, "usr/lib/postgresql/*/bin/psql"))


@check
def quick_start_in_one_terminal():
    """As the reference's README has it, with nothing preloaded."""
    script = """
CREATE EXTENSION pg_trace;
CREATE TABLE employees AS SELECT i AS id, i % 7 AS dept_id, i * 10 AS salary FROM generate_series(1, 10000) i;
SELECT pg_trace_start_trace();
SELECT pg_backend_pid();
SELECT count(*) FROM employees WHERE salary > 50000;
SELECT 1/0;
SELECT pg_trace_stop_trace();
"""
    with cluster("quick") as server:
        need(PSQL, "no psql in the private copy")
        done = subprocess.run([PSQL[0], "-XAtq", "-h", server.dir, "-p", "55432", "-U", "postgres"], input=script,
                              capture_output=True, text=True, timeout=60, check=False)
        lines = done.stdout.splitlines()
        name, pid, count, again = lines[:4]
        equal(count, "5000", "answer")
        equal(again, name, "name of the trace")
        need(os.path.basename(name).startswith(f"pg_trace_{pid}_") and name.endswith(".trc"), f"name {name}")
        readable = text(name)
        for word in ("SELECT count(*) FROM employees WHERE salary > 50000", "Seq Scan on", "division by zero", "EXEC #",
                     "PARSE #", "End of trace"):
            need(word in readable, f"'{word}' is not in the readable trace")
        need("\nWAIT #" not in readable, "waits without a collector")
        equal(stat.S_IMODE(os.stat(name).st_mode), 0o600, "mode of the trace")
        equal(stat.S_IMODE(os.stat(os.path.dirname(name)).st_mode), 0o700, "mode of its folder")
        equal("division by zero" in done.stderr, True, "psql's own error")


@check
def collector_joins_a_trace():
    with cluster("quick") as server:
        s = server.session()
        s.run("CREATE EXTENSION pg_trace")
        name = s.run("SELECT pg_trace_start_trace()")[0][0]
        s.run("SELECT 'before the collector' AS marker")
        with traced(s) as t:
            s.run("SELECT pg_sleep(0.05) AS joined")
        rec = name.removesuffix(".trc") + ".rec"
        need(os.path.exists(rec), "the collector removed a record file that was not its own")
        equal(s.run("SELECT count(*) FROM pg_trace_sessions")[0][0], "1", "traces that are on after the collector left")
        s.run("SELECT 'after the collector' AS marker")
        equal(s.run("SELECT pg_trace_stop_trace()")[0][0], name, "name of the trace")
        equal(len(t.trace.waits("PgSleep")), 1, "PgSleep waits")
        equal(len(t.trace.execs("AS joined")), 1, "executions")
        whole = Trace(rec)
        for marker in ("before the collector", "after the collector"):
            equal(len(whole.execs(marker)), 1, f"executions {marker} in the record file")


@check
def collector_joins_a_trace_that_was_only_asked_for():
    with cluster("quick") as server:
        s, boss = server.session(), server.session()
        boss.run("CREATE EXTENSION pg_trace")
        s.run("SELECT 1")
        name = boss.run(f"SELECT pg_trace_start_trace(pid => {s.pid})")[0][0]
        with traced(s) as t:
            s.run("SELECT 'asked for twice' AS marker")
        boss.run(f"SELECT pg_trace_stop_trace(pid => {s.pid})")
        s.run("SELECT 1")
        equal(len(t.trace.execs("asked for twice")), 1, "executions in the collector's trace")
        equal(len(Trace(name.removesuffix(".trc") + ".rec").execs("asked for twice")), 1, "executions in SQL's trace")


@check
def stop_from_sql_ends_the_collector():
    with cluster("quick") as server:
        s = server.session()
        s.run("CREATE EXTENSION pg_trace")
        s.run("SELECT pg_trace_start_trace()")
        t = Tracer(s.pid)
        s.run("SELECT 'joined' AS marker")
        s.run("SELECT pg_trace_stop_trace()")
        trace = t.result()
        equal(len(trace.execs("'joined' AS marker")), 1, "executions")


@check
def role_setting_traces_from_the_first_statement():
    with cluster("quick") as server:
        boss = server.session()
        boss.run("CREATE EXTENSION pg_trace")
        boss.run("CREATE ROLE watched LOGIN; ALTER ROLE watched SET session_preload_libraries = 'pg_trace'")
        boss.run("ALTER ROLE watched SET pg_trace.enabled = on; ALTER ROLE watched SET pg_trace.level = 4")
        s = server.session(extension=False, user="watched")
        s.run("SELECT 'the very first' AS marker")
        error = s.query("SELECT pg_trace_stop_trace()").error
        need(error is not None and error.sqlstate == "42501", f"a plain user may stop a trace: {error}")
        error = s.query("SET pg_trace.enabled = off").error
        need(error is not None and error.sqlstate == "42501", f"a plain user may set pg_trace.enabled: {error}")
        pid = s.pid
        s.close()
        rec = wait_for(lambda: glob.glob(f"{server.traces}/pg_trace_{pid}_*.rec"), "the record file")[0]
        trace = wait_for(lambda: (lambda t: t.of("end") and t)(Trace(rec)), "the end of the trace")
        equal(len(trace.execs("the very first")), 1, "executions")
        equal([e["reason"] for e in trace.of("end")], ["exit"], "how it ended")


@check
def two_traces_while_the_session_is_idle():
    """The second collector comes before the backend could carry out what the first one asked last."""
    with cluster("quick") as server:
        s = server.session()
        first = Tracer(s.pid)
        first.end()
        second = Tracer(s.pid)
        s.run("SELECT 'for the second' AS marker")
        trace = second.end()
        equal(len(trace.execs("for the second")), 1, "executions")
        time.sleep(0.1)
        s.run("SELECT 1")
        equal(glob.glob(f"{server.traces}/*.rec"), [], "record files left with the server")


main(__file__)
