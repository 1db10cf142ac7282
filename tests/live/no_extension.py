# SPDX-License-Identifier: PostgreSQL
"""A server that knows nothing of us: statements come from one probe, waits from theirs."""

import time

from harness import Tracer, check, cluster, equal, main, need, text, traced

MS = 1_000_000


@check
def statements_with_their_waits():
    with cluster("bare") as server:
        s = server.session(extension=False)
        with traced(s) as t:
            s.run("SELECT pg_sleep(0.1) AS slept")
            s.run("SELECT 'second' AS marker")
            s.query("SELECT 1/0 AS fails")
        trace = t.trace
        for part in ("AS slept", "AS marker", "AS fails"):
            equal(len(trace.execs(part)), 1, f"executions of {part}")
        (sleep,) = trace.waits("PgSleep")
        equal(sleep["call_cursor"], trace.cursor("AS slept"), "the statement that slept")
        need(abs(sleep["elapsed_ns"] - 100 * MS) < 5 * MS, f"slept {sleep['elapsed_ns'] / MS} ms")
        (run,) = trace.execs("AS slept")
        need(run["elapsed_ns"] >= sleep["elapsed_ns"], "the statement is shorter than its wait")
        readable = text(t.base + ".trc")
        need("nam='PgSleep'" in readable and "AS slept" in readable, "the readable trace lacks them")


@check
def idle_time_between_statements():
    with cluster("bare") as server:
        s = server.session(extension=False)
        with traced(s) as t:
            for i in range(5):
                time.sleep(0.02)
                s.run(f"SELECT {i} AS counted")
        reads = t.trace.waits("ClientRead")
        need(len(reads) >= 5, f"{len(reads)} ClientRead waits")
        need(all(w["call_cursor"] == 0 for w in reads), "a ClientRead between statements belongs to a statement")


@check
def prepared_statements():
    with cluster("bare") as server:
        s = server.session(extension=False)
        with traced(s) as t:
            s.parse("p", "SELECT $1::int AS bare_prepared")
            s.sync()
            for i in range(8):
                equal(s.prepared("p", [i]).rows, [(str(i),)], "answer")
        # The server reports a Parse that comes alone as it reports a statement.
        equal(len(t.trace.execs("AS bare_prepared")), 9, "executions and the Parse")


@check
def attaches_in_the_middle_of_a_statement():
    with cluster("bare") as server:
        s = server.session(extension=False)
        s.send(b"Q", b"SELECT pg_sleep(1.5) AS half_seen\0")
        t = Tracer(s.pid)
        s.read()
        s.run("SELECT 'next' AS marker")
        trace = t.end()
        (sleep,) = trace.waits("PgSleep")
        need("no_start" in sleep["flags"], f"the wait's start was not seen, but that is not said: {sleep}")
        equal(len(trace.execs("'next' AS marker")), 1, "executions of the next statement")


@check
def ends_in_the_middle_of_a_wait():
    with cluster("bare") as server:
        s = server.session(extension=False)
        with traced(s) as t:
            s.send(b"Q", b"SELECT pg_sleep(2) AS cut_off\0")
            time.sleep(0.3)
        (sleep,) = t.trace.waits("PgSleep")
        need("open" in sleep["flags"], f"the wait had not ended, but that is not said: {sleep}")
        s.read()


@check
def untraced_backend_is_not_hit():
    with cluster("bare") as server:
        s, other = server.session(extension=False), server.session(extension=False)
        with traced(s) as t:
            other.run("SELECT pg_sleep(0.05) AS not_ours")
            s.run("SELECT 1")
        equal(t.trace.cursors("not_ours"), [], "statements of another session")
        equal(t.trace.waits("PgSleep"), [], "waits of another session")


main(__file__)
