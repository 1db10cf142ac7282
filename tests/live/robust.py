# SPDX-License-Identifier: PostgreSQL
"""What goes wrong inside the extension's own work stays there."""

import fcntl
import os
import time

from harness import Trace, check, cluster, equal, main, need, text, wait_for

# A type whose output function waits for an advisory lock: it can be cancelled, and take time, at will.
WAITING_TYPE = """
CREATE TYPE waiting;
CREATE FUNCTION waiting_in(cstring) RETURNS waiting LANGUAGE internal IMMUTABLE STRICT AS 'int8in';
CREATE FUNCTION waiting_out(waiting) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'pg_advisory_lock_int8';
CREATE TYPE waiting (INPUT = waiting_in, OUTPUT = waiting_out, INTERNALLENGTH = 8, PASSEDBYVALUE, ALIGNMENT = double);
CREATE TABLE kept (i int);
CREATE FUNCTION use_waiting() RETURNS text LANGUAGE plpgsql AS $$
DECLARE w waiting := '5'; n int;
BEGIN
  BEGIN
    INSERT INTO kept VALUES (1);
    SELECT 1 INTO n WHERE w IS NOT NULL;
  EXCEPTION WHEN query_canceled THEN
    RETURN 'cancelled';
  END;
  RETURN 'done';
END $$;
CREATE FUNCTION use_record() RETURNS int LANGUAGE plpgsql AS $$
DECLARE r record; n int;
BEGIN
  SELECT '5'::waiting AS w, 1 AS one INTO r;
  INSERT INTO kept VALUES (2);
  SELECT 42 INTO n WHERE r IS NOT NULL;
  RETURN n;
END $$
"""


def with_waiting_type(server):
    """A session that is traced, and one that holds the lock."""
    s, holder = server.session(), server.session(extension=False)
    s.run("CREATE EXTENSION pg_trace")
    for statement in WAITING_TYPE.split(";\nCREATE"):
        s.run(statement if statement.lstrip().startswith("CREATE") else "CREATE" + statement)
    holder.run("SELECT pg_advisory_lock(5)")
    s.run("SELECT pg_trace_start_trace(level => 4)")
    return s, holder


def rec_of(name):
    return name.removesuffix(".trc") + ".rec"


@check
def cancel_inside_an_output_function():
    with cluster("robust") as server:
        s, _ = with_waiting_type(server)
        s.run("SET statement_timeout = '200ms'")
        equal(s.run("SELECT use_waiting()"), [("cancelled",)], "the exception block")
        s.run("SET statement_timeout = 0")
        equal(s.run("SELECT count(*) FROM kept"), [("0",)], "rows of the block that was rolled back")
        s.run("SELECT 'traced again' AS marker")
        name = s.run("SELECT pg_trace_stop_trace()")[0][0]
        equal(len(Trace(rec_of(name)).execs("traced again")), 1, "executions after the cancel")
        need("WARNING" not in server.log(), f"the server warns: {server.log()[-800:]}")


@check
def failure_inside_a_record():
    with cluster("robust") as server:
        s, holder = with_waiting_type(server)
        s.run("SET lock_timeout = '100ms'")
        equal(s.run("SELECT use_record()"), [("42",)], "the statement whose bind could not be written")
        equal(s.run("SELECT count(*) FROM kept"), [("1",)], "rows")
        s.run("SET lock_timeout = 0")
        holder.run("SELECT pg_advisory_unlock(5)")
        equal(s.run("SELECT pg_try_advisory_lock(5)"), [("t",)], "locks work")
        name = s.run("SELECT pg_trace_stop_trace()")[0][0]
        need(Trace(rec_of(name)).totals["failed_values"] > 0, "no value is counted as failed")
        need("WARNING" not in server.log(), f"the server warns: {server.log()[-800:]}")


@check
def request_after_a_change_of_the_setting():
    """Neither that nor a request before the change was followed is lost."""
    with cluster("robust") as server:
        s, boss = server.session(), server.session()
        boss.run("CREATE EXTENSION pg_trace")
        s.run("SELECT 1")
        s.run("SET pg_trace.enabled = off")
        name = boss.run(f"SELECT pg_trace_start_trace(pid => {s.pid})")[0][0]
        s.run("SELECT 'asked for' AS marker")
        boss.run(f"SELECT pg_trace_stop_trace(pid => {s.pid})")
        s.run("SELECT 1")
        equal(len(Trace(rec_of(name)).execs("asked for")), 1, "executions")
        s.query("BEGIN; SET pg_trace.enabled = on; SELECT 1 / 0")
        s.run("ROLLBACK")
        equal(s.run("SELECT count(*) FROM pg_trace_sessions"), [("0",)], "traces, the setting rolled back")


@check
def start_while_the_last_trace_is_being_stopped():
    with cluster("robust") as server:
        s, boss = server.session(), server.session()
        boss.run("CREATE EXTENSION pg_trace")
        boss.run(f"SELECT pg_trace_start_trace(pid => {s.pid})")
        s.run("SELECT 1")
        boss.run(f"SELECT pg_trace_stop_trace(pid => {s.pid})")
        error = boss.query(f"SELECT pg_trace_start_trace(pid => {s.pid})").error
        need(error is not None and error.sqlstate == "55006", f"a start that nobody would carry out gave {error}")
        s.run("SELECT 1")
        boss.run(f"SELECT pg_trace_start_trace(pid => {s.pid})")
        s.run("SELECT 1")
        equal(boss.run("SELECT state FROM pg_trace_sessions"), [("tracing",)], "the second try")


def slow_printer(server):
    """A printer that takes long: its pid is in the file whose name is returned."""
    name = os.path.join(server.dir, "printer")
    with open(name, "w", encoding="utf-8") as f:
        f.write(f"#!/bin/sh\necho $$ >{server.data}/printer.pid\nexec sleep 60\n")
    os.chmod(name, 0o755)
    with open(os.path.join(server.data, "postgresql.conf"), "a", encoding="utf-8") as f:
        f.write(f"pg_trace.printer = '{name}'\n")
    server.restart()
    return os.path.join(server.data, "printer.pid")


def printed_in_the_background(server, how):
    """Sets off the slow printer: its pid."""
    pid_file = slow_printer(server)
    s = server.session()
    s.run("SELECT 1")
    s.run("SET pg_trace.enabled = on")
    s.run("SELECT 1")
    s.run("SET pg_trace.enabled = off")
    s.run("SELECT 1")
    pid = int(wait_for(lambda: os.path.exists(pid_file) and text(pid_file), "the printer"))
    how(s)
    return pid


def is_gone(pid):
    return not os.path.exists(f"/proc/{pid}")


@check
def printer_does_not_outlive_its_session():
    with cluster("robust") as server:
        def leave(s):
            boss = server.session(extension=False)
            boss.run(f"SELECT pg_terminate_backend({s.pid})")
        pid = printed_in_the_background(server, leave)
        wait_for(lambda: is_gone(pid), "the end of the printer", seconds=5)


@check
def one_printer_at_a_time():
    with cluster("robust") as server:
        def again(s):
            s.run("CREATE EXTENSION pg_trace")
            s.run("SELECT pg_trace_start_trace()")
            began = time.monotonic()
            s.run("SELECT pg_trace_stop_trace()")
            need(time.monotonic() - began < 5, "it waited for the wrong printer")
            notices = [m for k, m in s.transcript if k == b"N" and b"still being printed" in m]
            equal(len(notices), 1, "notices")
            s.close()
        pid = printed_in_the_background(server, again)
        wait_for(lambda: is_gone(pid), "the end of the printer", seconds=5)


@check
def cancel_ends_the_printer():
    with cluster("robust") as server:
        pid_file = slow_printer(server)
        s = server.session()
        s.run("CREATE EXTENSION pg_trace")
        s.run("SELECT pg_trace_start_trace()")
        s.run("SET statement_timeout = '500ms'")
        error = s.query("SELECT pg_trace_stop_trace()").error
        need(error is not None and error.sqlstate == "57014", f"a cancel gave {error}")
        need(is_gone(int(text(pid_file))), "the printer is there after a cancel")


@check
def control_file_is_truncated():
    """Sessions that begin afterwards make a new one."""
    with cluster("robust", "shared_preload_libraries = 'pg_trace'") as server:
        control = os.path.join(server.traces, "pg_trace.ctl")
        os.truncate(control, 0)
        s, boss = server.session(extension=False), server.session(extension=False)
        boss.run("CREATE EXTENSION pg_trace")
        s.run("SELECT 1")
        name = boss.run(f"SELECT pg_trace_start_trace(pid => {s.pid})")[0][0]
        s.run("SELECT 'asked for' AS marker")
        boss.run(f"SELECT pg_trace_stop_trace(pid => {s.pid})")
        s.run("SELECT 1")
        equal(len(Trace(rec_of(name)).execs("asked for")), 1, "executions")


@check
def directory_is_locked_by_someone():
    with cluster("robust") as server:
        first = server.session()        # makes the directory and the file
        fd = os.open(server.traces, os.O_RDONLY)
        fcntl.flock(fd, fcntl.LOCK_EX)
        began = time.monotonic()
        server.session().run("SELECT 1")
        need(time.monotonic() - began < 0.5, "a session waited although there is a file")
        os.unlink(os.path.join(server.traces, "pg_trace.ctl"))
        server.session().run("SELECT 1")
        need(time.monotonic() - began < 5, "a session waits for the lock")
        os.close(fd)
        first.run("SELECT 1")


@check
def control_file_of_another_boot():
    with cluster("robust") as server:
        server.session().run("SELECT 1")
        control = os.path.join(server.traces, "pg_trace.ctl")
        with open(control, "rb") as f:
            before = os.fstat(f.fileno()).st_ino
            head = f.read(64)
        with open("/proc/sys/kernel/random/boot_id", "rb") as f:
            boot = f.read().strip()
        need(head[24:].startswith(boot), "the control file does not name this boot")
        server.session().run("SELECT 1")
        equal(os.stat(control).st_ino, before, "inode of the file, same boot")
        with open(control, "r+b") as f:
            f.seek(24)
            f.write(b"0" * 36)
        server.session().run("SELECT 1")
        need(os.stat(control).st_ino != before, "a file of another boot is used")


@check
def errors_that_are_none():
    """A notice is told by its level, not by its code; errors that the log hides are told of."""
    with cluster("robust") as server:
        s = server.session()
        s.run("CREATE EXTENSION pg_trace")
        s.run("CREATE TABLE it_exists (i int)")
        for level, notes in (("warning", 0), ("fatal", 1), ("log", 1)):
            s.run(f"SET log_min_messages = {level}")
            name = s.run("SELECT pg_trace_start_trace()")[0][0]
            s.run("CREATE TABLE IF NOT EXISTS it_exists (i int)")
            s.run("DO $$ BEGIN RAISE NOTICE 'none' USING ERRCODE = '53200'; RAISE NOTICE 'nothing'; END $$")
            s.query("SELECT 1 / 0")
            s.query("DO $$ BEGIN RAISE 'one' USING ERRCODE = '53200'; END $$")
            s.query("SELEC")
            s.run("SELECT pg_trace_stop_trace()")
            trace = Trace(rec_of(name))
            states = [e["sqlstate"] for e in trace.of("error")]
            equal(states, ["22012", "53200"] + ["42601"] * (not notes), f"errors, log_min_messages = {level}")
            equal(len([n for n in trace.of("note") if "log_min_messages" in n["text"]]), notes, "notes")


main(__file__)
