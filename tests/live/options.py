# SPDX-License-Identifier: PostgreSQL
"""Where the trace goes, and what is said meanwhile."""

import glob
import os
import pty
import shutil
import signal
import subprocess
import time

from harness import (COLLECTOR, WORK, Trace, Tracer, check, cluster, definitions, equal, main, need, orphans,
                     run_collector, text, traced, wait_for)


def folder():
    path = os.path.join(WORK, "elsewhere")
    shutil.rmtree(path, ignore_errors=True)
    os.mkdir(path)
    return path


class Attached:
    """A collector whose standard output is of interest."""

    def __init__(self, *args, **options):
        self.stderr_name = os.path.join(WORK, "options.stderr")
        with open(self.stderr_name, "wb") as err:
            self.process = subprocess.Popen([COLLECTOR, *map(str, args)], stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=err, text=True, **options)
        self.pid = self.process.pid
        wait_for(lambda: "tracing" in text(self.stderr_name), "'tracing' from the collector")

    def stop(self):
        """Ends it; what it wrote to standard output."""
        self.process.send_signal(signal.SIGINT)
        out, _ = self.process.communicate(timeout=20)
        equal(self.process.returncode, 0, f"status ({text(self.stderr_name)})")
        return out


@check
def readable_trace_on_standard_output():
    with cluster("options") as server:
        s = server.session()
        here = folder()
        tracer = Attached("--pid", s.pid, "-o", "-", cwd=here)
        s.run("SELECT 'streamed' AS marker")
        out = tracer.stop()
        need("'streamed' AS marker" in out and "End of trace" in out, f"standard output has {out[-300:]}")
        equal(os.listdir(here), [], "files")


@check
def reader_that_leaves():
    """As with `| head': the collector ends, quietly, and takes its probes off."""
    with cluster("options") as server:
        s = server.session()
        tracer = Attached("--pid", s.pid, "-o", "-")
        tracer.process.stdout.close()
        for i in range(100):
            s.run(f"SELECT {i} AS marker")
            if tracer.process.poll() is not None:
                break
            time.sleep(0.05)
        tracer.process.wait(10)
        equal(definitions(tracer.pid), [], "definitions left")
        equal(s.run("SELECT 'fine'"), [("fine",)], "the session")


@check
def quiet():
    with cluster("options") as server:
        s = server.session()
        status, out, err = run_collector("--pid", s.pid, "-q", "-d", "0.2", "-o", os.path.join(WORK, "quiet"))
        equal((status, out, err), (0, "", ""), "status and words")


@check
def default_names():
    with cluster("options") as server:
        for extension, pattern in ((True, "pg_trace_{pid}_*"), (False, "pgtrace_{pid}_*")):
            s = server.session(extension=extension)
            here = folder()
            tracer = Attached("--pid", s.pid, cwd=here)
            s.run("SELECT 'named' AS marker")
            tracer.stop()
            names = [os.path.basename(n) for n in glob.glob(os.path.join(here, pattern.format(pid=s.pid)))]
            equal(sorted(n.rpartition(".")[2] for n in names), ["pgt", "trc"], f"files {os.listdir(here)}")


@check
def record_file_is_kept_where_asked():
    with cluster("options") as server:
        s = server.session()
        with traced(s, "--keep-record") as t:
            s.run("SELECT 'kept' AS marker")
        (rec,) = glob.glob(server.traces + "/*.rec")
        equal(len(Trace(rec).execs("'kept' AS marker")), 1, "executions in the record file")
        equal(len(t.trace.execs("'kept' AS marker")), 1, "executions in the trace")


@check
def status_line_on_a_terminal():
    with cluster("options") as server:
        s = server.session()
        master, slave = pty.openpty()
        process = subprocess.Popen([COLLECTOR, "--pid", str(s.pid), "-o", os.path.join(WORK, "onterminal")],
                                   stdin=subprocess.DEVNULL, stdout=slave, stderr=slave)
        os.close(slave)
        said = b""
        while b"tracing" not in said:
            said += os.read(master, 65536)
        for i in range(12):
            s.run(f"SELECT pg_sleep(0.1), {i}")
        process.send_signal(signal.SIGINT)
        equal(process.wait(20), 0, "status")
        try:
            while more := os.read(master, 65536):
                said += more
        except OSError:                 # the other end is closed
            pass
        os.close(master)
        need(b"\r" in said and b"statements" in said and b"waits" in said and b"lost" in said, f"it said {said!r}")


@check
def levels():
    with cluster("options") as server:
        s = server.session()

        def run(level):
            with traced(s, "--level", str(level)) as t:
                for i in (1, 2):
                    s.parse("", "SELECT $1::int AS levelled")
                    s.bind("", "", [i])
                    s.execute()
                    s.sync().check()
            return t.trace
        trace = run(1)
        equal((trace.of("binds"), len(trace.execs("AS levelled"))), ([], 2), "level 1: binds, executions")
        equal(len(run(4).of("binds")), 2, "binds at level 4")
        equal(len(run(28).of("plan")), 2, "plans at level 28, of every execution")
        equal(len(run(44).of("plan")), 0, "plans at level 44, of none")


@check
def existing_output_is_replaced():
    with cluster("options") as server:
        s = server.session()
        base = os.path.join(WORK, "again")
        for word in ("first", "second"):
            with traced(s, base=base):
                s.run(f"SELECT '{word}' AS marker")
        readable = text(base + ".trc")
        need("'second'" in readable and "'first'" not in readable, "the second trace did not replace the first")


@check
def nothing_left_after_a_refused_output():
    with cluster("options") as server:
        s = server.session()
        tracer = Tracer(s.pid, base="/nonexistent/base", attach=False)
        equal(tracer.wait(), 1, "status")
        equal((definitions(tracer.pid), orphans()), ([], []), "definitions left")
        s.run("SELECT 1")
        equal(glob.glob(server.traces + "/*.rec"), [], "record files left with the server")


main(__file__)
