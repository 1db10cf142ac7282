# SPDX-License-Identifier: PostgreSQL
"""What differs between versions of the server.  tests/versions runs it, against a server in another root.

Environment: PGT_VERSION, the major version, and what tests/live/harness.py wants.
"""

import glob
import os
import re
import sys

from harness import HERE, ROOT, Skip, Trace, check, cluster, equal, main, need, run_collector, text, told, traced, wait_for

MS = 1_000_000
VERSION = int(os.environ["PGT_VERSION"])
SERVER = os.path.join(ROOT, f"usr/lib/postgresql/{VERSION}/bin/postgres")
WAITS_TAB = os.path.join(HERE, "../../src/trace/waits.tab")
CLASSES = {0x01: "LWLock", 0x03: "Lock", 0x04: "BufferPin", 0x05: "Activity", 0x06: "Client", 0x07: "Extension",
           0x08: "IPC", 0x09: "Timeout", 0x0A: "IO", 0x0B: "InjectionPoint"}


def note(line):
    print(line, file=sys.stderr, flush=True)


# --- what the collector knows

def our_names():
    """The table's row of this version: event to (class, name)."""
    names = {}
    with open(WAITS_TAB, encoding="utf-8") as f:
        for row in re.finditer(r'^W\((0x\w+), "([^"]+)",([^)]*)\)', f.read(), re.M):
            number = row[3].split(",")[VERSION - 13].strip()
            if number != "NONE":
                wait_class = int(row[1], 16)
                names[wait_class << 24 | int(number)] = (CLASSES[wait_class], row[2])
    return names


def counts(line, *words):
    """The numbers in front of the words, in a line of `pgtrace-perf sites`."""
    found = [re.search(rf"(\d+) {word}", line) for word in words]
    need(all(found), f"no {words} in: {line}")
    return [int(f[1]) for f in found]


# Stores of a constant into wait_event_info, as counted with another tool in Debian's servers.
CONSTANT_STORES = {15: 72, 17: 72, 18: 77}


@check
def sites_are_all_followed():
    status, out, err = run_collector("sites", SERVER)
    equal(status, 0, f"exit status ({err.strip()})")
    lines = out.splitlines()
    for line in lines[-3:]:
        note(line)
    references, sources, readers, setters, gaps = counts(lines[-3], "references", "that lead", "readers", "setters", "gaps")
    equal(sources + readers + setters + gaps, references, "references that are accounted for")
    equal(gaps, 0, "gaps")
    sites, constant, register, ends = counts(lines[-2], "sites", "starts of a constant", "of a register", "ends")
    equal(constant + register + ends, sites, "sites by role")
    equal(sum(counts(lines[-1], "emulated", "stepped", "return")), sites, "sites by cost")
    equal(counts(lines[-1], "stores without a place"), [0], "stores without a place")
    # One store of a constant may be compiled twice or two into one; a version has 70 to 80.
    need(65 <= constant <= 90, f"{constant} stores of a constant")
    if VERSION in CONSTANT_STORES:
        equal(constant, CONSTANT_STORES[VERSION], "stores of a constant")


@check
def events_of_sites_are_of_this_version():
    _, out, _ = run_collector("sites", SERVER)
    events = {int(e, 16) for e in re.findall(r"^(?:[0-9a-f]+ +){2}\S+ +\w+ +(0[0-9a-f]{7}) ", out, re.M)}
    need(len(events) > 50, f"{len(events)} events")
    names = our_names()
    equal([f"{e:08x}" for e in sorted(events) if e not in names], [], "events of sites that have no name")


def of_later_minor(event, told):
    """Minor releases add at the end of a class: this server may be older than what the table knows."""
    return event > max((e for e in told if e >> 24 == event >> 24), default=event)


@check
def wait_names_are_those_of_the_server():
    """pg_trace asks the server for every name; the collector's own table is for servers without it."""
    with cluster("names") as server:
        s = server.session()
        with traced(s) as t:
            s.run("SELECT 1")
    told = {n["event"]: (n["type"], n["name"]) for r in t.trace.of("wait_names") for n in r["names"]}
    need(len(told) > 200, f"the server told {len(told)} names")
    ours = {e: name for e, name in our_names().items() if not of_later_minor(e, told)}
    differ = [f"{e:08x}: server {told.get(e)}, table {ours.get(e)}" for e in sorted(told.keys() | ours.keys())
              if told.get(e) != ours.get(e)]
    equal(differ, [], "names that differ")


@check
def wait_names_are_those_of_the_view():
    if VERSION < 17:
        raise Skip("pg_wait_events came with 17")
    with cluster("names") as server:
        view = set(server.session(extension=False).run("SELECT type, name FROM pg_wait_events"))
    ours = set(our_names().values())
    equal(sorted(view - ours), [], "names that the table lacks")
    need(len(ours - view) <= 2, f"names that only the table has: {sorted(ours - view)}")


# --- waits

def cold_table(server):
    s = server.session(extension=False)
    s.run("CREATE TABLE big AS SELECT i, repeat('x', 500) AS t FROM generate_series(1, 30000) i")
    s.run("CHECKPOINT")
    s.close()
    server.restart()


def reads(pid):
    """read calls of a process, of any kind, that the kernel counted."""
    with open(f"/proc/{pid}/io", encoding="ascii") as f:
        return int(re.search(r"syscr: (\d+)", f.read())[1])


def scan(server):
    """A cold scan without the extension: (trace, calls to read that it made, blocks of the table)."""
    cold_table(server)
    s = server.session(extension=False)
    s.run("SELECT count(*) FROM pg_class")
    with traced(s) as t:
        before = reads(s.pid)
        s.run("SELECT count(*) FROM big")
        calls = reads(s.pid) - before
        s.run("SELECT 1")
    (blocks,) = s.run("SELECT pg_relation_size('big') / 8192")[0]
    equal(t.trace.of("loss"), [], "loss")
    return t.trace, calls, int(blocks)


@check
def cold_scan_has_a_wait_for_each_read():
    """Several blocks a read where the version does so; the kernel's count is the judge."""
    settings = ["shared_buffers = 32MB"]     # with little of it 17 reads single blocks
    if VERSION >= 17:
        settings.append("io_combine_limit = 128kB")
    with cluster("combined", *settings) as server:
        trace, calls, blocks = scan(server)
    waits = trace.waits("DataFileRead")
    note(f"{blocks} blocks, {calls} reads, {len(waits)} DataFileRead")
    equal(len(waits), calls, "DataFileRead waits against read calls")
    need(calls * 4 < blocks if VERSION >= 17 else calls >= blocks, f"{calls} reads for {blocks} blocks")


@check
def cold_scan_through_io_workers():
    if VERSION < 18:
        raise Skip("asynchronous I/O came with 18")
    with cluster("workers", "shared_buffers = 32MB", "io_method = worker", "io_combine_limit = 128kB") as server:
        trace, calls, blocks = scan(server)
    own, others = trace.waits("DataFileRead"), trace.waits("AioIoCompletion")
    note(f"{blocks} blocks, {calls} own reads, {len(own)} DataFileRead, {len(others)} AioIoCompletion")
    # The kernel counts the signal that ends a wait as a read too, where it comes through a signalfd.
    need(len(own) <= calls <= len(own) + len(others), f"{len(own)} own reads and {len(others)} waits, {calls} calls")
    need(others, "the scan never waited for another process's I/O")
    equal({w["type"] for w in others}, {"IO"}, "type of AioIoCompletion")
    (run,) = trace.execs("FROM big")
    need(sum(w["elapsed_ns"] for w in own + others) <= run["elapsed_ns"], "the waits are longer than their statement")


@check
def io_worker_is_traced():
    if VERSION < 18:
        raise Skip("asynchronous I/O came with 18")
    with cluster("worker", "shared_buffers = 32MB", "io_method = worker", "io_workers = 1") as server:
        cold_table(server)
        s = server.session(extension=False)
        worker = Worker(s)
        with traced(worker) as t:
            s.run("SELECT count(*) FROM big")
    need(t.trace.waits("DataFileRead"), "the worker read nothing")
    need(t.trace.waits("IoWorkerMain"), "the worker was never idle")


class Worker:
    def __init__(self, session):
        self.pid = int(session.run("SELECT pid FROM pg_stat_activity WHERE backend_type = 'io worker'")[0][0])


# --- statements

@check
def statement_with_all_its_records():
    with cluster("all") as server:
        s = server.session()
        s.run("CREATE TABLE t AS SELECT i FROM generate_series(1, 1000) i")
        s.run("CREATE FUNCTION f(int) RETURNS int LANGUAGE plpgsql AS"
              " $$ BEGIN PERFORM pg_sleep(0.01); RETURN (SELECT max(i) FROM t WHERE i <= $1); END $$")
        with traced(s) as t:
            s.parse("p", "SELECT count(*), f($1::int) AS nested FROM t WHERE i > $1::int")
            s.sync().check()
            equal(s.prepared("p", [10]).rows, [("990", "10")], "answer")
        trace = t.trace
    (run,) = trace.execs("AS nested")
    equal(run["rows"], 1, "rows")
    binds = [b["binds"][0]["value"] for b in trace.of("binds") if b["cursor"] == run["cursor"]]
    equal(binds, ["10"], "binds")
    nodes = [n for p in trace.of("plan") if p["cursor"] == run["cursor"] for n in p["nodes"]]
    need(any(n.get("rows") == 990 for n in nodes), f"no node gave 990 rows: {nodes}")
    need([c for c in trace.execs("max(i)") if c["depth"] > run["depth"]], "the nested statement is not below it")
    equal(len(trace.waits("PgSleep")), 1, "PgSleep waits")
    for c in trace.calls():
        if "account" in c:
            a = c["account"]
            parts = sum(a.get(k, 0) for k in ("cpu_ns", "wait_ns", "runqueue_ns", "rest_ns"))
            equal(parts - a.get("overlap_ns", 0), a["elapsed_ns"], f"account of {c}")


STATEMENTS = [
    "SELECT * FROM t WHERE ctid > '(0,1)'",
    "SELECT count(*) FROM t a JOIN few USING (i)",
    "SELECT * FROM few WHERE NOT EXISTS (SELECT FROM t WHERE t.i = few.i)",
    "SELECT * FROM few WHERE EXISTS (SELECT FROM t WHERE t.i = few.i)",
    "SELECT * FROM t LEFT JOIN few USING (i) FULL JOIN t AS t2 USING (i)",
    "SELECT * FROM t WHERE g NOT IN (SELECT i FROM few) AND i < (SELECT max(i) FROM few)",
    "SELECT * FROM t a, LATERAL (SELECT * FROM keyed k WHERE k.i = a.g) b",
    "SELECT i FROM t INTERSECT SELECT i FROM few",
    "SELECT i FROM t EXCEPT ALL SELECT i FROM few",
    "SELECT i FROM t UNION SELECT i FROM few",
    "WITH RECURSIVE r(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r",
    "WITH c AS MATERIALIZED (SELECT * FROM few) SELECT * FROM c a JOIN c b USING (i)",
    "SELECT DISTINCT g, count(*) OVER (PARTITION BY g) FROM t",
    "SELECT g, count(*) FROM t GROUP BY GROUPING SETS ((g), ()) ORDER BY g LIMIT 3",
    "SELECT * FROM keyed ORDER BY i, g LIMIT 7",
    "SELECT i FROM keyed WHERE i = 7",
    "SELECT * FROM keyed WHERE g IN (1, 2)",
    "SELECT * FROM t TABLESAMPLE SYSTEM (10)",
    "SELECT * FROM t WHERE i = 3 FOR UPDATE",
    "SELECT * FROM parts WHERE i < 15",
    "VALUES (1), (2)",
    "SELECT generate_series(1, 3)",
    "INSERT INTO few SELECT i FROM t WHERE i > 990",
    "INSERT INTO keyed VALUES (1, 1) ON CONFLICT (i) DO NOTHING",
    "UPDATE t SET g = 0 FROM few WHERE t.i = few.i",
    "DELETE FROM parts WHERE i = 12",
]
MERGE = "MERGE INTO t USING few ON t.i = few.i WHEN MATCHED THEN UPDATE SET g = 1"
TABLES = """
CREATE TABLE t AS SELECT i, i % 10 AS g FROM generate_series(1, 1000) i;
CREATE TABLE few AS SELECT i FROM generate_series(1, 20) i;
CREATE TABLE keyed AS SELECT i, i % 100 AS g, repeat('x', 200) AS t FROM generate_series(1, 5000) i;
ALTER TABLE keyed ADD PRIMARY KEY (i);
CREATE INDEX keyed_g ON keyed (g);
CREATE TABLE parts (i int) PARTITION BY RANGE (i);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
INSERT INTO parts SELECT generate_series(0, 19);
"""


def node_name(node):
    """EXPLAIN numbers aliases anew; a subplan's name is on a line of its own there, in front of its node here."""
    node = re.sub(r"^ *->  |^(InitPlan|SubPlan|CTE) [^>]* -> ", "", node).replace(" public.", " ")
    return re.sub(r"( on \S+) \S+$", r"\1", node)


def explained(s, sql):
    """The nodes of a plan as this server names them."""
    lines = [row[0] for row in s.run("EXPLAIN (COSTS OFF) " + sql)]
    return [node_name(line) for line in lines if line is lines[0] or re.match(r" *->  ", line)]


def nodes_of(trace, sql):
    (cursor,) = [c for c in trace.cursors(sql) if trace.sql(c) == sql]
    (plan,) = [p for p in trace.of("plan") if p["cursor"] == cursor]
    return [node_name(n["text"]) for n in plan["nodes"]]


@check
def nodes_are_named_as_the_server_does():
    statements = STATEMENTS + ([MERGE] if VERSION >= 15 else [])
    with cluster("nodes") as server:
        s = server.session()
        s.run(TABLES)
        s.run("VACUUM ANALYZE")
        trace_of = {}
        for sql in statements:
            want = explained(s, sql)
            with traced(s) as t:
                s.run(sql)
            trace_of[sql] = (nodes_of(t.trace, sql), want)
    differ = [f"{sql}: {got} but EXPLAIN {want}" for sql, (got, want) in trace_of.items() if got != want]
    for line in differ:
        note(line)
    equal(differ, [], "plans that differ from EXPLAIN")


@check
def preloaded_by_the_server():
    """The extension is there before the session's first statement; a parallel plan is left as it is."""
    with cluster("preloaded", "shared_preload_libraries = pg_trace", "max_parallel_workers_per_gather = 2",
                 "parallel_setup_cost = 0", "parallel_tuple_cost = 0", "min_parallel_table_scan_size = 0") as server:
        s, other = server.session(extension=False), server.session(extension=False)
        other.run("CREATE TABLE big AS SELECT i FROM generate_series(1, 100000) i")
        with traced(s) as t:
            equal(s.run("SELECT count(*), sum(i) FROM big"), [("100000", "5000050000")], "answer")
    (run,) = t.trace.execs("FROM big")
    equal(run["rows"], 1, "rows")
    need("Gather" in nodes_of(t.trace, "SELECT count(*), sum(i) FROM big"), "the plan was not parallel")
    equal(t.trace.of("loss"), [], "loss")


@check
def trace_from_sql_is_printed_by_the_server():
    with cluster("printed") as server:
        s = server.session()
        s.run("CREATE EXTENSION pg_trace")
        name = s.run("SELECT pg_trace_start_trace()")[0][0]
        s.run("SELECT 'kept' AS marker")
        equal(s.run("SELECT pg_trace_stop_trace()")[0][0], name, "name of the trace")
        readable = text(wait_for(lambda: glob.glob(told(name)), "the readable trace")[0])
        need("'kept' AS marker" in readable and "End of trace" in readable, "the readable trace is not whole")
        equal(len(Trace(told(name).replace(".trc", ".rec")).execs("'kept' AS marker")), 1, "executions")


@check
def doctor_finds_everything():
    with cluster("doctor") as server:
        s = server.session()
        status, out, err = run_collector("doctor", "--pid", s.pid)
    note(out + err)
    equal(status, 0, f"exit status of doctor: {out}")


main(__file__)
