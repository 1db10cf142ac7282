# SPDX-License-Identifier: PostgreSQL
"""Waits are all there, once each, with their right length."""

import threading
import time

from harness import check, cluster, equal, main, need, traced, wait_for

MS = 1_000_000


@check
def cold_scan_has_a_wait_for_each_block():
    with cluster("waits", "shared_buffers = 2MB", "track_io_timing = off") as server:
        s = server.session()
        s.run("CREATE TABLE big AS SELECT i, repeat('x', 500) AS t FROM generate_series(1, 60000) i")
        s.run("CHECKPOINT")
        s.close()
        server.restart()
        s = server.session()
        with traced(s) as t:
            s.run("SELECT count(*) FROM big")
        trace = t.trace
        (run,) = trace.execs("FROM big")
        blocks = run["usage"]["shared_read"]
        need(blocks > 3000, f"only {blocks} blocks were read")
        scan = trace.cursor("FROM big")
        waits = [w for w in trace.waits("DataFileRead") if w["call_cursor"] == scan]
        plan = [p for p in trace.of("plan") if p["cursor"] == scan]
        equal(len(plan), 1, "plans of the scan")
        read = plan[0]["nodes"][0]["usage"]["shared_read"]
        # The catalogue may be read in the same call, before and after the plan's own reads.
        equal(len(waits), blocks, "DataFileRead waits against blocks read by the call")
        need(0 <= blocks - read < 40, f"the plan read {read} blocks, the call {blocks}")
        equal([w for w in waits if w["elapsed_ns"] <= 0], [], "waits without length")
        equal(trace.of("loss"), [], "loss")


@check
def pg_sleep_is_one_wait_of_its_length():
    with cluster("waits") as server:
        s = server.session()
        with traced(s) as t:
            s.run("SELECT pg_sleep(0.25)")
        sleeps = t.trace.waits("PgSleep")
        equal(len(sleeps), 1, "PgSleep waits")
        need(abs(sleeps[0]["elapsed_ns"] - 250 * MS) < 5 * MS, f"it took {sleeps[0]['elapsed_ns'] / MS} ms")
        equal(sleeps[0]["type"], "Timeout", "type of the wait")


@check
def lock_held_by_another_is_one_wait_of_its_length():
    with cluster("waits") as server:
        s, other, look = server.session(), server.session(extension=False), server.session(extension=False)
        other.run("CREATE TABLE l(i int)")
        other.run("BEGIN; LOCK TABLE l")
        with traced(s) as t:
            s.run("SELECT 1")           # the backend begins its trace with the first statement that it has parsed
            worker = threading.Thread(target=s.run, args=("SELECT count(*) FROM l",))
            worker.start()
            wait_for(lambda: look.run(f"SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = {s.pid}")
                     == [("t",)], "the session to wait for the lock")
            begun = time.monotonic()
            time.sleep(0.3)
            other.run("COMMIT")
            held = time.monotonic() - begun
            worker.join()
        locks = [w for w in t.trace.waits() if w["type"] == "Lock"]
        equal([w["name"] for w in locks], ["relation"], "Lock waits")
        length = locks[0]["elapsed_ns"] / 1e9
        # It began up to a look before our clock did, and ends within the COMMIT's round trip.
        need(held - 0.010 <= length <= held + 0.060, f"held {held * 1000:.1f} ms, waited {length * 1000:.1f} ms")
        # A table is locked while its statement is analysed.
        (parse,) = t.trace.execs("FROM l", call="parse")
        need(parse["account"]["wait_ns"] >= locks[0]["elapsed_ns"], f"the wait is not in its call's account: {parse}")


@check
def account_of_each_call_adds_up():
    with cluster("waits") as server:
        s = server.session()
        with traced(s) as t:
            s.run("SELECT pg_sleep(0.02), count(*) FROM generate_series(1, 200000)")
            s.run("CREATE TABLE acc AS SELECT i FROM generate_series(1, 20000) i")
            s.run("DO $$ BEGIN PERFORM pg_sleep(0.01); PERFORM count(*) FROM acc; END $$")
        calls = [c for c in t.trace.calls() if "account" in c]
        need(len(calls) >= 8, f"{len(calls)} calls carry an account")
        for c in calls:
            a = c["account"]
            parts = [a.get(k, 0) for k in ("cpu_ns", "runqueue_ns", "wait_ns", "rest_ns")]
            equal(sum(parts) - a.get("overlap_ns", 0), a["elapsed_ns"], f"account of {c}")
            equal(a["elapsed_ns"], c["elapsed_ns"], f"elapsed time of {c}")


main(__file__)
