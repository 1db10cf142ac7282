# SPDX-License-Identifier: PostgreSQL
"""Every kind of statement is in the trace as what it was."""

import subprocess
import threading

from harness import PORT, Trace, check, cluster, equal, main, need, os, told, traced

INT4, TEXT, BYTEA = 23, 25, 17


class Client:
    """tests/live/client.c on a session whose library is loaded."""

    def __init__(self, server, *scenarios):
        conninfo = (f"host={server.dir} port={PORT} user=postgres dbname=postgres "
                    "options='-c session_preload_libraries=pg_trace'")
        self.process = subprocess.Popen([os.environ["PGT_CLIENT"], conninfo, *scenarios], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = int(self.process.stdout.readline().split()[1])

    def run(self):
        """All scenarios; what it printed."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line == "done\n":
                break
            lines.append(line)
        else:
            raise AssertionError(f"the client broke off after {lines[-1:]}")
        return lines

    def close(self):
        self.process.communicate("leave\n", timeout=20)


def run_client(server, *scenarios):
    client = Client(server, *scenarios)
    with traced(client) as t:
        t.output = client.run()
    client.close()
    return t


def binds_of(trace, part):
    """The binds of each execution of the statements that contain part: lists of values."""
    numbers = trace.cursors(part)
    return [b["binds"] for b in trace.of("binds") if b["cursor"] in numbers]


@check
def generic_plan_has_its_binds_in_every_execution():
    with cluster("statements") as server:
        trace = run_client(server, "generic").trace
        runs = trace.execs("+ 1000 AS n")
        equal(len(runs), 10, "executions")
        binds = binds_of(trace, "+ 1000 AS n")
        equal([b[0].get("value") for b in binds], [str(i) for i in range(1, 11)], "first binds")
        want = [f"word {i}" for i in range(1, 11)]
        want[6], want[7] = None, ""
        equal([b[1].get("value") for b in binds], want, "second binds: NULL is not the empty string")
        need("generic" not in runs[0]["flags"] and "generic" in runs[-1]["flags"], "the last plan is not marked generic")
        equal([r["rows"] for r in runs], [1] * 10, "rows")


@check
def binary_and_wide_binds():
    with cluster("statements", "pg_trace.bind_max_length = 100") as server:
        trace = run_client(server, "binary").trace
        ((four, raw),) = binds_of(trace, "length($2)")
        equal(four["value"], "258", "int4 sent in binary")
        equal(raw["value"], "\\x610062", "bytea sent in binary")
        s = server.session()
        with traced(s) as t:
            s.parse("", "SELECT length($1) AS wide", (TEXT,))
            s.bind("", "", ["é" * 5000])
            s.execute()
            equal(s.sync().check().rows, [("5000",)], "answer")
        (((wide,),)) = binds_of(t.trace, "AS wide")
        need("cut" in wide["flags"] and wide["true_length"] == 10000, f"true length {wide.get('true_length')}")
        need(90 <= len(wide["value"].encode()) <= 100 and set(wide["value"]) == {"é"},
             f"cut to {len(wide['value'])} characters, not at a character's border")


@check
def one_megabyte_of_text_is_whole():
    with cluster("statements") as server:
        t = run_client(server, "longtext")
        sql = t.trace.sql(t.trace.cursor("AS long_one"))
        need(sql.startswith("SELECT length('zzz") and sql.endswith("AS long_one -- the end"), "text is not whole")
        need(len(sql) > 1 << 20, f"{len(sql)} characters")
        need(any("1048576" in line for line in t.output), "the server's answer is wrong")


@check
def several_statements_in_one_query():
    with cluster("statements") as server:
        trace = run_client(server, "several").trace
        for word in ("first", "second", "third"):
            number = trace.cursor(f"'{word} of three'")
            need(";" not in trace.sql(number), f"cursor {number} has more than its own statement")
            equal(len(trace.execs(f"'{word} of three'")), 1, f"executions of the {word}")


@check
def pipeline_with_an_error():
    with cluster("statements") as server:
        trace = run_client(server, "pipeline").trace
        runs = trace.execs("AS pipelined")
        errors = trace.of("error")
        equal([e["sqlstate"] for e in errors], ["22012"], "errors")
        # -2, -1 and 1 are executed, 0 fails (maybe while it is planned), its successor is not skipped: it has a sync.
        equal(len([r for r in runs if "error" not in r["flags"]]), 4, "executions")


@check
def portal_that_is_executed_in_parts():
    with cluster("statements") as server:
        s = server.session()
        with traced(s) as t:
            s.query("BEGIN")
            s.parse("", "SELECT i AS part FROM generate_series(1, 25) i")
            s.bind("p", "")
            for _ in range(3):
                s.execute("p", 10)
            answer = s.sync().check()
            s.query("COMMIT")
        equal(len(answer.rows), 25, "rows")
        fetches = t.trace.execs("AS part", call="fetch")
        equal([f["rows"] for f in fetches], [10, 10, 5], "rows of the fetches")
        equal(len(t.trace.execs("AS part")), 1, "EXEC calls")
        equal(len(t.trace.execs("AS part", call="close")), 1, "CLOSE calls")


@check
def fetch_from_a_cursor():
    with cluster("statements") as server:
        s = server.session()
        with traced(s) as t:
            s.run("BEGIN")
            s.run("DECLARE c SCROLL CURSOR FOR SELECT i AS scrolled FROM generate_series(1, 9) i")
            for sql in ("FETCH 4 FROM c", "FETCH 4 FROM c", "FETCH BACKWARD 2 FROM c", "MOVE 1 FROM c"):
                s.run(sql)
            s.run("CLOSE c")
            s.run("COMMIT")
        fetches = t.trace.execs("AS scrolled", call="fetch")
        equal([f["rows"] for f in fetches], [4, 4, 2, 1], "rows of the fetches")
        need(all(f["depth"] > 0 for f in fetches), "a fetch is nested in its FETCH command")
        equal(len(t.trace.execs("FETCH 4 FROM c")), 2, "FETCH commands")


@check
def utility_copy_ctas_execute():
    with cluster("statements") as server:
        s = server.session()
        with traced(s) as t:
            s.run("CREATE TABLE u(i int PRIMARY KEY, t text)")
            s.run("COPY u FROM STDIN", copy_data=b"1\tone\n2\ttwo\n3\tthree\n")
            s.run("COPY (SELECT i AS copied FROM u) TO STDOUT")
            s.run("CREATE TABLE ctas AS SELECT i AS taken FROM u")
            s.run("PREPARE pr(int) AS SELECT t AS by_execute FROM u WHERE i = $1")
            for i in (1, 2, 3, 1, 2, 3, 1):
                s.run(f"EXECUTE pr({i})")
            s.run("VACUUM u")
            s.run("EXPLAIN (ANALYZE) SELECT count(*) AS explained FROM u")
        trace = t.trace

        def utility(part, rows=None):
            runs = [r for r in trace.execs(part) if "utility" in r["flags"]]
            need(runs, f"no utility call for {part}")
            if rows is not None:
                equal(runs[0]["rows"], rows, f"rows of {part}")
            return runs[0]
        utility("CREATE TABLE u")
        utility("COPY u FROM", 3)
        utility("COPY (SELECT", 3)
        utility("CREATE TABLE ctas", 3)
        utility("VACUUM u")
        equal(len([r for r in trace.execs("EXECUTE pr") if "utility" in r["flags"]]), 7, "EXECUTE commands")
        inner = [r for r in trace.calls("exec") if r["depth"] > 0 and "by_execute" in (trace.sql(r["cursor"]) or "")]
        equal(len(inner), 7, "executions of the prepared statement")
        binds = [b["binds"][0]["value"] for b in trace.of("binds") if b["depth"] > 0]
        equal(binds, ["1", "2", "3", "1", "2", "3", "1"], "binds of EXECUTE")
        need(any(r["depth"] > 0 for r in trace.execs("AS explained")), "EXPLAIN ANALYZE ran nothing")


@check
def nested_sql_has_its_depth_and_rolls_up():
    with cluster("statements") as server:
        s = server.session()
        s.run("CREATE TABLE n(i int); CREATE TABLE log(i int)")
        s.run("CREATE FUNCTION inner_f(int) RETURNS int LANGUAGE plpgsql AS "
              "$$ BEGIN PERFORM pg_sleep(0.02); RETURN (SELECT $1 + 1 AS at_depth_two); END $$")
        s.run("CREATE FUNCTION outer_f(int) RETURNS int LANGUAGE plpgsql AS "
              "$$ BEGIN RETURN (SELECT inner_f($1) AS at_depth_one); END $$")
        s.run("CREATE FUNCTION trig() RETURNS trigger LANGUAGE plpgsql AS "
              "$$ BEGIN INSERT INTO log VALUES (NEW.i); RETURN NEW; END $$")
        s.run("CREATE TRIGGER n_after AFTER INSERT ON n FOR EACH ROW EXECUTE FUNCTION trig()")
        with traced(s) as t:
            s.run("SELECT outer_f(1) AS at_depth_zero")
            s.run("INSERT INTO n SELECT generate_series(1, 3)")
            s.run("DO $$ BEGIN FOR k IN 1..2 LOOP PERFORM k AS in_do; END LOOP; END $$")
        trace = t.trace
        runs = [trace.execs(f"AS at_depth_{n}")[0] for n in ("zero", "one", "two")]
        equal([r["depth"] for r in runs], [0, 1, 2], "depths")
        need(runs[0]["elapsed_ns"] >= runs[1]["elapsed_ns"] >= runs[2]["elapsed_ns"], "a call is shorter than what it called")
        sleeps = trace.waits("PgSleep")
        equal(len(sleeps), 1, "PgSleep waits")
        need(runs[0]["account"]["wait_ns"] >= sleeps[0]["elapsed_ns"], "the outermost call's waits lack the nested one's")
        inserts = trace.execs("INSERT INTO log")
        equal([(i["depth"], i["rows"]) for i in inserts], [(1, 1)] * 3, "inserts of the trigger")
        equal(sorted(r["depth"] for r in trace.execs("AS in_do")), [0, 1, 1], "depth of DO and its statements")


@check
def errors_savepoints_and_transactions():
    with cluster("statements") as server:
        s = server.session()
        s.run("CREATE TABLE e(i int PRIMARY KEY)")
        with traced(s) as t:
            s.query("SELECT 1/0 AS divided")
            s.query("SELEC nonsense")
            s.query("SELECT * FROM does_not_exist")
            s.run("DO $$ BEGIN INSERT INTO e VALUES (1), (1); EXCEPTION WHEN unique_violation THEN NULL; END $$")
            s.run("BEGIN")
            s.run("INSERT INTO e VALUES (10)")
            s.run("SAVEPOINT sp")
            s.query("INSERT INTO e VALUES (10)")
            s.run("ROLLBACK TO sp")
            s.run("COMMIT")
            s.run("BEGIN")
            s.run("INSERT INTO e VALUES (11)")
            s.run("ROLLBACK")
            equal(s.run("SELECT i AS after_all FROM e"), [("10",)], "the table")
        trace = t.trace
        equal([e["sqlstate"] for e in trace.of("error")], ["22012", "42601", "42P01", "23505", "23505"], "SQLSTATEs")
        syntax = trace.of("error")[1]
        need("SELEC nonsense" in (syntax.get("sql") or trace.sql(syntax["cursor"]) or ""), "no text for the syntax error")
        events = [x["event"] for x in trace.of("xact")]
        for event in ("commit", "rollback", "subcommit", "subrollback"):
            need(event in events or event == "subcommit", f"no {event} among {events}")
        need(any(x["event"] == "commit" and x["xid"] for x in trace.of("xact")), "no commit has its xid")
        need(all(c["depth"] == 0 for c in trace.execs("AS after_all")), "depth is wrong after errors")


@check
def cancel_and_timeout():
    with cluster("statements") as server:
        trace = run_client(server, "cancel", "timeout").trace
        equal([e["sqlstate"] for e in trace.of("error")], ["57014", "57014"], "SQLSTATEs")
        sleeps = trace.waits("PgSleep")
        equal(len(sleeps), 2, "PgSleep waits")
        need(all(50e6 < w["elapsed_ns"] < 5e9 for w in sleeps), "a cancelled wait has the wrong length")
        need(all("error" in r["flags"] for p in ("AS cancelled", "AS timed_out") for r in trace.execs(p)), "call not marked")


@check
def plan_has_actuals():
    with cluster("statements") as server:
        s = server.session()
        s.run("CREATE TABLE p AS SELECT i, i % 10 AS g FROM generate_series(1, 1000) i; ANALYZE p")
        with traced(s) as t:
            for _ in range(3):
                s.run("SELECT g, count(*) FROM p WHERE i > 100 GROUP BY g ORDER BY g")
        plans = [p for p in t.trace.of("plan") if p["cursor"] == t.trace.cursor("GROUP BY g")]
        equal(len(plans), 1, "plans: one for each new plan of a cursor")
        nodes = plans[0]["nodes"]
        scan = [n for n in nodes if "Seq Scan" in n["text"]]
        equal(len(scan), 1, "sequential scans")
        equal((scan[0]["rows"], scan[0]["loops"], scan[0]["filtered"]), (900, 1, 100), "actuals of the scan")
        equal(nodes[0]["rows"], 10, "rows of the root")
        need(scan[0]["total_ns"] > 0 and scan[0]["usage"]["shared_hit"] > 0, "no time, no buffers")


@check
def on_and_off_within_a_transaction():
    with cluster("statements") as server:
        s = server.session()
        s.run("CREATE EXTENSION pg_trace")
        s.run("BEGIN")
        s.run("SELECT 'before' AS marker")
        first = s.run("SELECT pg_trace_start_trace()")[0][0]
        s.run("SELECT 'traced' AS marker")
        s.run("DO $$ BEGIN PERFORM pg_trace_stop_trace(); PERFORM 'between' AS marker; "
              "PERFORM pg_trace_start_trace(); PERFORM 'again' AS marker; END $$")
        s.run("SELECT 'after' AS marker")
        second = s.run("SELECT pg_trace_stop_trace()")[0][0]
        s.run("COMMIT")
        seen = []
        for name in (first, second):
            trace = Trace(told(name.removesuffix(".trc") + ".rec"))
            sql = " ".join(t["sql"] for t in trace.of("text"))
            seen.append([word for word in ("'before'", "'traced'", "'between'", "'again'", "'after'") if word in sql])
        # The DO block's own text has the words too, so only what is outside of it tells.
        need("'traced'" in seen[0] and "'before'" not in seen[0] and "'after'" not in seen[0], f"first trace: {seen[0]}")
        need("'after'" in seen[1] and "'traced'" not in seen[1], f"second trace: {seen[1]}")


@check
def trace_of_another_session():
    with cluster("statements") as server:
        s, boss = server.session(), server.session()
        boss.run("CREATE EXTENSION pg_trace")
        name = boss.run(f"SELECT pg_trace_start_trace(pid => {s.pid})")[0][0]
        s.run("SELECT 'seen by the boss' AS marker")
        worker = threading.Thread(target=s.run, args=("SELECT pg_sleep(0.2)",))
        worker.start()
        boss.run(f"SELECT pg_trace_stop_trace(pid => {s.pid})")
        worker.join()
        s.run("SELECT 'not any more' AS marker")
        trace = Trace(told(name.removesuffix(".trc") + ".rec"))
        equal(len(trace.execs("seen by the boss")), 1, "executions")
        equal(trace.cursors("not any more"), [], "cursors after the stop")


main(__file__)
