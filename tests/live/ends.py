# SPDX-License-Identifier: PostgreSQL
"""However a trace ends, the session goes on, the trace is readable and nothing of ours is left."""

import os
import signal
import time

from harness import (Trace, Tracer, check, cluster, definitions, equal, main, need, run_collector, text, traced,
                     wait_for)


def finish_well(how):
    with cluster("ends") as server:
        s = server.session()
        t = Tracer(s.pid)
        s.run("SELECT 'one' AS marker")
        trace = t.end(how)
        equal(len(trace.execs("'one' AS marker")), 1, "executions in the trace")
        readable = text(t.base + ".trc")
        need("'one' AS marker" in readable, "the readable trace lacks the statement")
        need("End of trace" in readable[-2000:], f"the last lines: {readable[-200:]}")
        equal(s.run("SELECT 'still there'"), [("still there",)], "the session")
        equal(os.stat(t.base + ".trc").st_mode & 0o077, 0, "permissions of the trace for others")


@check
def sigint():
    finish_well(signal.SIGINT)


@check
def sigterm():
    finish_well(signal.SIGTERM)


@check
def sighup():
    finish_well(signal.SIGHUP)


@check
def duration():
    with cluster("ends") as server:
        s = server.session()
        begun = time.monotonic()
        t = Tracer(s.pid, "--duration", "1")
        s.run("SELECT 'timed' AS marker")
        trace = t.result()
        took = time.monotonic() - begun
        need(0.9 < took < 4, f"it took {took:.1f} s")
        equal(len(trace.execs("'timed' AS marker")), 1, "executions in the trace")


@check
def backend_leaves():
    with cluster("ends") as server:
        s = server.session()
        t = Tracer(s.pid)
        s.run("SELECT 'last words' AS marker")
        s.close()
        trace = t.result()
        equal(len(trace.execs("last words")), 1, "executions in the trace")
        equal([e["reason"] for e in trace.of("end")], ["exit"], "how it ended")


@check
def backend_is_killed():
    with cluster("ends") as server:
        s = server.session()
        t = Tracer(s.pid)
        s.run("SELECT 'last words' AS marker")
        s.send(b"Q", b"SELECT pg_sleep(30) AS unfinished\0")
        time.sleep(0.3)
        os.kill(s.pid, signal.SIGKILL)
        trace = t.result()
        equal(len(trace.execs("last words")), 1, "executions in the trace")
        need(trace.cursors("AS unfinished"), "the statement under way is not in the trace")
        equal([e["reason"] for e in trace.of("end")], ["killed"], "how it ended")
        wait_for(lambda: "database system is ready" in server.log().rpartition("SIGKILL")[2]
                 or "ready to accept" in server.log().rpartition("signal 9")[2], "the server to recover")
        again = wait_for(lambda: try_session(server), "the server to accept sessions")
        with traced(again) as t:
            again.run("SELECT 'after the crash' AS marker")
        equal(len(t.trace.execs("after the crash")), 1, "executions after the crash")


def try_session(server):
    try:
        return server.session()
    except Exception:           # it is still recovering; wait_for gives up in the end
        return None


@check
def collector_is_killed():
    with cluster("ends") as server:
        s = server.session()
        t = Tracer(s.pid)
        s.run("SELECT 'before' AS marker")
        t.process.kill()
        t.wait()
        equal(s.run("SELECT 'session goes on'"), [("session goes on",)], "the session")
        need(definitions(t.pid), "the kill left no definitions; the next check would prove nothing")
        # The next collector removes what the first one could not.
        other = server.session()
        with traced(other):
            equal(definitions(t.pid), [], "definitions of the killed collector")
            other.run("SELECT 1")
        # No heartbeat: the backend ends the trace by itself.
        (rec,) = [f for f in os.listdir(server.traces) if f.startswith(f"pg_trace_{s.pid}_") and f.endswith(".rec")]

        def ended():
            s.run("SELECT 'tick' AS ticking")
            return Trace(os.path.join(server.traces, rec)).of("end")
        end = wait_for(ended, "the trace to end by itself", seconds=25, step=0.5)
        equal([e["reason"] for e in end], ["collector_gone"], "how it ended")
        # The same session can be traced again.
        with traced(s) as again:
            s.run("SELECT 'second trace' AS marker")
        equal(len(again.trace.execs("second trace")), 1, "executions in the second trace")


@check
def collector_after_a_killed_one():
    """It joins the trace that was left, and keeps it alive beyond the limit of the first one's heartbeat."""
    with cluster("ends") as server:
        s = server.session()
        first = Tracer(s.pid)
        s.run("SELECT 'first' AS marker")
        first.kill()
        second = Tracer(s.pid)
        for _ in range(12):
            s.run("SELECT 'second' AS marker")
            time.sleep(1)
        equal(len(second.end().execs("'second' AS marker")), 12, "executions in the second trace")


@check
def two_collectors_before_the_first_statement():
    with cluster("ends") as server:
        s = server.session()
        first, second = Tracer(s.pid), Tracer(s.pid)
        s.run("SELECT 'both' AS marker")
        time.sleep(0.3)
        equal(len(second.end().execs("'both' AS marker")), 1, "executions in the second trace")
        s.run("SELECT 'one' AS marker")
        equal(len(first.end().execs("AS marker")), 2, "executions in the first trace")


@check
def output_of_a_killed_collector_is_readable():
    with cluster("ends") as server:
        s = server.session()
        t = Tracer(s.pid)
        for i in range(200):
            s.run(f"SELECT {i} AS marker")
        time.sleep(1.5)
        t.kill()
        need("End of trace" not in text(t.base + ".trc"), "a trace that was cut claims to be whole")
        status, out, err = run_collector("print", t.base + ".pgt")
        need("AS marker" in out, f"print shows nothing: {status} {err}")


@check
def attach_is_refused_twice():
    """A second collector on the same session says so, or traces too; the first is not harmed."""
    with cluster("ends") as server:
        s = server.session()
        with traced(s) as first:
            second = Tracer(s.pid, attach=False)
            s.run("SELECT 'both' AS marker")
            time.sleep(0.7)
            if second.process.poll() is None:
                second.process.send_signal(signal.SIGINT)
            status = second.wait()
            need(status in (0, 1), f"the second collector ended with {status}")
            need(status == 0 or len(second.stderr().strip().splitlines()) == 1, f"it said: {second.stderr()}")
            equal(definitions(second.pid), [], "definitions of the second collector")
            s.run("SELECT 'still traced' AS marker")
        equal(len(first.trace.execs("still traced")), 1, "executions in the first trace")


@check
def server_stops_while_traced():
    with cluster("ends") as server:
        s = server.session()
        t = Tracer(s.pid)
        s.run("SELECT 'bye' AS marker")
        server.command("stop")
        trace = t.result()
        equal(len(trace.execs("'bye' AS marker")), 1, "executions in the trace")


main(__file__)
