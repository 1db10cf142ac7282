# SPDX-License-Identifier: PostgreSQL
"""The wait sources agree: one scripted session, seen by two collectors at the same time, one of them
with the watchpoint, which sees every store by construction.

For system calls the kernel is asked too, by its own tracer in an instance of tracefs, when the backend
entered it: a wait during which it did must be there, one during which it did not cannot be.
"""

import bisect
import collections
import contextlib
import os
import re
import sys
import threading
import time

from harness import TRACEFS, Skip, check, cluster, equal, main, need, run_collector, text, traced, wait_for

US = 1_000
LISTED = "--list" in sys.argv       # print the comparison
sys.argv = [a for a in sys.argv if a != "--list"]


# --- the script

def cold_scan(s, _server):
    s.run("SELECT count(*) FROM big")


def sleeps(s, _server):
    for _ in range(5):
        s.run("SELECT pg_sleep(0.02)")


def lock_wait(s, server):
    other, look = server.session(extension=False), server.session(extension=False)
    for _ in range(3):
        other.run("BEGIN; LOCK TABLE locked")
        worker = threading.Thread(target=s.run, args=("SELECT count(*) FROM locked",))
        worker.start()
        wait_for(lambda: look.run(f"SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = {s.pid}")
                 == [("t",)], "the session to wait for the lock")
        other.run("COMMIT")
        worker.join()
    other.close()
    look.close()


COMMITS = "DO $$ BEGIN FOR i IN 1..%d LOOP INSERT INTO small VALUES (i); COMMIT; END LOOP; END $$"


def lwlocks(s, server):
    """Commits that queue up behind one another's WAL flush."""
    others = [server.session(extension=False) for _ in range(4)]
    workers = [threading.Thread(target=o.run, args=(COMMITS % 300,)) for o in others]
    for w in workers:
        w.start()
    s.run(COMMITS % 300)
    for w in workers:
        w.join()
    for o in others:
        o.close()


def wal_flush(s, _server):
    s.run(COMMITS % 50)
    s.run("CREATE TABLE IF NOT EXISTS bulk AS SELECT i, repeat('w', 300) AS t FROM generate_series(1, 30000) i")


def client_idle(s, _server):
    for _ in range(5):
        time.sleep(0.02)
        s.run("SELECT 1")


def copy_in(s, _server):
    s.run("COPY small FROM STDIN", copy_data=b"".join(b"%d\n" % i for i in range(20000)))


def copy_out(s, _server):
    """The client takes its time, so that the server waits for it."""
    s.send(b"Q", b"COPY big TO STDOUT\0")
    time.sleep(0.1)
    s.read().check()
    s.transcript.clear()


def temp_sort(s, _server):
    s.run("SELECT count(*) FROM (SELECT i FROM big ORDER BY t, i OFFSET 0) q")


def parallel(s, _server):
    s.run("SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; "
          "SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off")
    s.run("SELECT count(*) FROM big")
    s.run("RESET max_parallel_workers_per_gather")


SCRIPT = [cold_scan, sleeps, lock_wait, lwlocks, wal_flush, client_idle, copy_in, copy_out, temp_sort, parallel]
MUST_HAVE = {"DataFileRead", "PgSleep", "relation", "WALWrite", "WALSync", "ClientRead", "ClientWrite",
             "BufFileRead", "BufFileWrite", "ExecuteGather"}


def prepare(server):
    s = server.session(extension=False)
    s.run("CREATE TABLE big AS SELECT i, repeat('x', 500) AS t FROM generate_series(1, 20000) i")
    s.run("CREATE TABLE locked(i int); CREATE TABLE small(i int)")
    s.run("VACUUM ANALYZE big")
    s.run("CHECKPOINT")
    s.close()
    server.restart()


def run_script(s, server):
    for step in SCRIPT:
        step(s, server)


@contextlib.contextmanager
def scripted():
    with cluster("sources", "shared_buffers = 2MB", "work_mem = 64kB", "fsync = on",
                 "max_parallel_workers_per_gather = 0") as server:
        prepare(server)
        s = server.session(extension=False)
        yield s, server
        s.close()


# --- system calls as the kernel's own tracer sees them

class Calls:
    """When pid entered the kernel, in ns of CLOCK_MONOTONIC; known to the microsecond."""

    def __init__(self, pid):
        self.pid = pid
        self.dir = os.path.join(TRACEFS, "instances", f"pgt_test_{os.getpid()}")
        self.times = []

    def write(self, name, value):
        with open(os.path.join(self.dir, name), "w", encoding="ascii") as f:
            f.write(str(value))

    def __enter__(self):
        try:
            os.mkdir(self.dir)
        except OSError as e:
            raise Skip(f"no instance of tracefs: {e}") from e
        self.write("trace_clock", "mono")
        self.write("buffer_size_kb", 16384)
        self.write("set_event_pid", self.pid)
        self.write("events/raw_syscalls/sys_enter/enable", 1)
        return self

    def __exit__(self, kind, *_):
        self.write("events/raw_syscalls/sys_enter/enable", 0)
        try:
            if not kind:
                self.read()
        finally:
            os.rmdir(self.dir)

    def read(self):
        with open(os.path.join(self.dir, "trace"), encoding="ascii", errors="replace") as f:
            for line in f:
                need("LOST" not in line, f"the kernel's tracer lost events: {line}")
                found = re.match(rf".*-{self.pid}\s.*\s(\d+)\.(\d{{6}}): sys_enter:", line)
                if found:
                    self.times.append(int(found.group(1)) * 10**9 + int(found.group(2)) * US)
        self.times.sort()

    def between(self, start, end):
        """How many; the tracer cuts a time to its microsecond."""
        return bisect.bisect_left(self.times, end) - bisect.bisect_left(self.times, start - US)


# --- comparison

def whole(trace):
    """Waits whose start and end were seen, by event."""
    equal(trace.of("loss"), [], "loss")
    by_name = collections.defaultdict(list)
    for w in trace.waits():
        if not w.get("flags"):
            by_name[w["type"] + "/" + w["name"]].append((w["start_ns"], w["start_ns"] + w["elapsed_ns"]))
    return by_name


def total_us(waits):
    return sum(end - start for start, end in waits) // US


def overlapping(waits, start, end):
    """Those of waits (in order, not overlapping each other) that touch [start, end]."""
    at = bisect.bisect_left(waits, (start,))
    at -= at > 0 and waits[at - 1][1] >= start
    found = []
    while at < len(waits) and waits[at][0] <= end:
        found.append(waits[at])
        at += 1
    return found


def show(title, names, *columns):
    if not LISTED:
        return
    print(f"{title:32} " + " ".join(f"{label:>22}" for label, _ in columns))
    for name in sorted(names):
        print(f"{name:32} " + " ".join(f"{len(c[name]):9} {total_us(c[name]):9} us" for _, c in columns))


def both(s, server, source):
    with traced(s, "--waits=watchpoint", attach=True) as truth, traced(s, f"--waits={source}") as other:
        run_script(s, server)
    note = " ".join(n["text"] for n in other.trace.of("watch"))
    need(f"waits: {source} source" in note, f"the trace does not name its source: {note}")
    return whole(truth.trace), whole(other.trace)


def script_did_its_part(truth):
    seen = {name.split("/")[1] for name in truth}
    need(MUST_HAVE <= seen, f"the session had no wait for {sorted(MUST_HAVE - seen)}")
    need(any(name.startswith("LWLock/") for name in truth), "the session had no LWLock wait")


@check
def uprobe_sees_what_the_watchpoint_sees():
    with scripted() as (s, server):
        truth, seen = both(s, server, "uprobe")
    show("event", truth.keys() | seen.keys(), ("watchpoint", truth), ("uprobe", seen))
    script_did_its_part(truth)
    equal({n: len(w) for n, w in seen.items()}, {n: len(w) for n, w in truth.items()}, "waits by event")
    for name, waits in truth.items():
        # Each end is seen some instructions later, and one collector's trap delays the other.
        difference = abs(total_us(seen[name]) - total_us(waits))
        need(difference <= 60 * len(waits) + total_us(waits) // 50,
             f"{name}: {total_us(seen[name])} us in {len(waits)} waits, by the watchpoint {total_us(waits)} us")


def each_that_entered_is_there(name, truth, seen, calls):
    missing = [w for w in truth if calls.between(*w) and not overlapping(seen, *w)]
    equal(missing, [], f"{name} waits that entered the kernel and are not there")
    for wait in seen:
        real = overlapping(truth, *wait)
        need(real, f"{name}: {wait} was no wait")
        need(real[0][0] - 50 * US <= wait[0] and wait[1] <= real[-1][1] + 50 * US,
             f"{name}: {wait} is longer than what it stands for, {real}")


@check
def syscall_sees_what_enters_the_kernel():
    with scripted() as (s, server):
        with Calls(s.pid) as calls:
            truth, seen = both(s, server, "syscall")
    need(len(calls.times) > 1000, f"the kernel's tracer saw {len(calls.times)} system calls")
    show("event", truth.keys() | seen.keys(), ("watchpoint", truth), ("syscall", seen))
    script_did_its_part(truth)
    for name in truth.keys() | seen.keys():
        each_that_entered_is_there(name, truth[name], seen[name], calls)
        if name.startswith(("IO/", "LWLock/")):
            entered = [calls.between(*w) for w in truth[name]]
            equal(len(seen[name]), sum(entered), f"{name}: waits against system calls within them")
            need(total_us(seen[name]) <= total_us(truth[name]) + 25 * len(truth[name]),
                 f"{name}: {total_us(seen[name])} us, by the watchpoint {total_us(truth[name])} us")


@check
def wait_of_a_session_that_computes_is_not_held_back():
    """After its sleep the backend makes no system call for long: the wait has to leave without one."""
    with cluster("sources") as server:
        s = server.session(extension=False)
        with traced(s, "--waits=syscall") as t:
            begun = time.monotonic()
            worker = threading.Thread(target=s.run, args=(
                "DO $$ DECLARE until timestamptz := clock_timestamp() + '2.5 s'; BEGIN PERFORM pg_sleep(0.05); "
                "WHILE clock_timestamp() < until LOOP END LOOP; END $$",))
            worker.start()
            wait_for(lambda: "nam='PgSleep'" in text(t.base + ".trc"), "the wait in the trace", seconds=20)
            shown = time.monotonic() - begun
            worker.join()
            took = time.monotonic() - begun
        need(shown < took - 1, f"shown after {shown:.2f} s of {took:.2f} s")
        equal(len(t.trace.waits("PgSleep")), 1, "PgSleep waits")
        equal(t.trace.of("loss"), [], "loss")


@check
def auto_takes_what_is_exact():
    with cluster("sources") as server:
        s = server.session(extension=False)
        status, out, _ = run_collector("doctor", "--pid", s.pid)
        need(status in (0, 1), f"doctor ended with {status}")
        exact = "uprobe" if " 0 references not followed" in out else "watchpoint"
        for options in ((), ("--waits=auto",)):
            with traced(s, *options) as t:
                s.run("SELECT 1")
            notes = [n["text"] for n in t.trace.of("watch") if f"waits: {exact} source" in n["text"]]
            equal(len(notes), 1, f"notes that name the {exact} source, with {options}")
        for name in ("uprobe", "watchpoint", "syscall"):
            need(re.search(rf"^ok +--waits={name} ", out, re.M), f"doctor does not name {name}: {out}")


@check
def no_source_that_is_none():
    status, _, err = run_collector("--pid", 1, "--waits=guess")
    equal(status, 2, "exit status")
    need("'guess'" in err and "watchpoint" in err, err)


main(__file__)
