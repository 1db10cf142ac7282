# SPDX-License-Identifier: PostgreSQL
"""A record file that cannot grow costs records, never a statement."""

import contextlib
import glob
import os
import shutil
import signal
import subprocess
import time

from harness import Trace, Tracer, check, cluster, equal, main, need, traced, wait_for

ROWS = 3000


@contextlib.contextmanager
def small_disk(server, size):
    """A tmpfs for the server's record files."""
    where = os.path.join(server.dir, "small")
    os.mkdir(where)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", where], check=True)
    try:
        shutil.chown(where, "postgres", "postgres")
        yield where
    finally:
        server.close()
        subprocess.run(["umount", where], check=True)


def many_statements(s):
    """Distinct texts, so that each costs space; every answer is looked at."""
    for i in range(ROWS):
        equal(s.run(f"SELECT {i} + 0 AS n, '{'y' * 1000}' AS y")[0][0], str(i), "answer")


def end(tracer):
    """Ends a collector that may have refused."""
    if tracer.process.poll() is None:
        tracer.process.send_signal(signal.SIGINT)
    need(tracer.wait() in (0, 1), f"the collector ended with {tracer.process.returncode}")


def fill(path):
    """Takes all the space that there is."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while os.write(fd, b"x" * 4096):
            pass
    os.close(fd)


def set_output(server, where, free=0):
    boss = server.session(extension=False)
    with open(os.path.join(server.data, "postgresql.conf"), "a", encoding="utf-8") as f:
        f.write(f"pg_trace.output_directory = '{where}'\npg_trace.min_free_space = {free}\n")
    boss.close()
    server.restart()


@check
def disk_full_in_a_trace_from_sql():
    with cluster("disk") as server, small_disk(server, "2m") as where:
        set_output(server, where)
        s = server.session()
        s.run("CREATE EXTENSION pg_trace")
        name = s.run("SELECT pg_trace_start_trace()")[0][0]
        equal(os.path.dirname(name), where, "folder of the trace")
        many_statements(s)
        warnings = [m for k, m in s.transcript if k == b"N" and b"WARNING" in m]
        equal(len(warnings), 1, "warnings")
        s.query("SELECT pg_trace_stop_trace()").check()
        (rec,) = glob.glob(where + "/*.rec")
        trace = Trace(rec)
        need(trace.totals["dropped_records"] > 100, f"totals {trace.totals}")
        equal(s.run("SELECT 'fine'"), [("fine",)], "the session")


@check
def disk_full_while_the_collector_traces():
    with cluster("disk") as server, small_disk(server, "2m") as where:
        set_output(server, where)
        s = server.session()
        with traced(s) as t:
            many_statements(s)
        losses = t.trace.of("loss")
        need(losses and t.trace.totals["dropped_records"] > 100, "the loss is not in the trace")
        need(t.trace.waits("ClientRead"), "no waits")


@check
def space_is_left_for_the_server():
    with cluster("disk") as server, small_disk(server, "4m") as where:
        set_output(server, where, "'2MB'")
        s = server.session()
        s.run("CREATE EXTENSION pg_trace")
        name = s.run("SELECT pg_trace_start_trace()")[0][0]
        many_statements(s)
        st = os.statvfs(where)
        need(st.f_bavail * st.f_frsize >= 2 << 20, f"{st.f_bavail * st.f_frsize} bytes are left")
        s.query("SELECT pg_trace_stop_trace()").check()
        need(Trace(name.removesuffix(".trc") + ".rec").totals["dropped_records"] > 100, "nothing is told as lost")
        s.run("SET pg_trace.min_free_space = '1GB'")
        error = s.query("SELECT pg_trace_start_trace()").error
        need(error is not None and error.sqlstate == "53100", f"a trace without space gave {error}")


@check
def record_file_is_truncated():
    with cluster("disk") as server:
        s = server.session()
        s.run("CREATE EXTENSION pg_trace")
        for after in ("SELECT 'known'", f"SELECT '{'y' * 100000}'"):
            name = s.run("SELECT pg_trace_start_trace()")[0][0]
            s.run("SELECT 'known'")
            os.truncate(name.removesuffix(".trc") + ".rec", 0)
            time.sleep(1.1)
            for _ in range(3):
                s.query(after).check()
            warnings = [m for k, m in s.transcript if k == b"N" and b"WARNING" in m]
            need(warnings, "no warning")
            s.query("SELECT pg_trace_stop_trace()").check()
        equal(s.run("SELECT 'fine'"), [("fine",)], "the session")


@check
def small_limit_is_kept():
    with cluster("disk", "pg_trace.max_file_size = '64kB'") as server:
        s = server.session()
        s.run("CREATE EXTENSION pg_trace")
        name = s.run("SELECT pg_trace_start_trace()")[0][0]
        rec = name.removesuffix(".trc") + ".rec"
        many_statements(s)
        need(os.path.getsize(rec) <= 65536, f"{os.path.getsize(rec)} bytes")
        s.query("SELECT pg_trace_stop_trace()").check()
        need(Trace(rec).totals["dropped_records"] > 100, "nothing is told as lost")


@check
def disk_has_room_again():
    with cluster("disk") as server, small_disk(server, "4m") as where:
        set_output(server, where)
        filler = os.path.join(where, "filler")
        s = server.session()
        with traced(s) as t:
            s.run("SELECT 'before it is full'")
            fill(filler)
            many_statements(s)
            os.unlink(filler)
            for _ in range(20):         # it tries again about once a second
                s.run("SELECT pg_sleep(0.1)")
            s.run("SELECT 'room again' AS marker")
        equal(len(t.trace.execs("room again")), 1, "executions after there was room again")
        need(t.trace.of("loss"), "the loss is not in the trace")


@check
def directory_is_removed():
    with cluster("disk") as server:
        s = server.session()
        with traced(s) as t:
            s.run("SELECT 'before' AS marker")
            time.sleep(0.3)             # the collector has opened the record file
            shutil.rmtree(server.traces)
            equal(s.run("SELECT 'while gone' AS marker"), [("while gone",)], "answer")
        equal(len(t.trace.execs("while gone")), 1, "the file is open, nothing need be lost")
        # A new trace must either make the folder again or be refused in one line; the session goes on.
        again = server.session()
        tracer = Tracer(again.pid, attach=False)
        equal(again.run("SELECT 'new session'"), [("new session",)], "answer")
        wait_for(lambda: tracer.process.poll() is not None or "tracing" in tracer.stderr(), "the collector")
        end(tracer)
        equal(s.run("SELECT 'old session'"), [("old session",)], "answer")


@check
def directory_is_not_writable():
    with cluster("disk") as server:
        where = os.path.join(server.dir, "locked")
        os.mkdir(where, 0o755)          # root's
        set_output(server, where)
        s = server.session()
        s.run("CREATE EXTENSION pg_trace")
        error = s.query("SELECT pg_trace_start_trace()").error
        need(error is not None and error.sqlstate not in ("XX000",), f"pg_trace_start_trace() gave {error}")
        equal(s.run("SELECT 'fine'"), [("fine",)], "the session")
        tracer = Tracer(s.pid, attach=False)
        wait_for(lambda: tracer.process.poll() is not None or "tracing" in tracer.stderr(), "the collector")
        equal(s.run("SELECT 'fine while traced' AS marker"), [("fine while traced",)], "the session")
        end(tracer)


main(__file__)
