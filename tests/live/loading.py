# SPDX-License-Identifier: PostgreSQL
"""Each way to have the library in a session."""

import os

from harness import check, cluster, equal, main, need, traced, wait_for


def traces_well(s, marker):
    with traced(s) as t:
        s.run(f"SELECT '{marker}' AS marker")
    equal(len(t.trace.execs(f"'{marker}' AS marker")), 1, "executions")
    need(t.trace.of("wait_names"), "the statements do not come from the extension")


@check
def shared_preload_libraries():
    with cluster("loading", "shared_preload_libraries = 'pg_trace'") as server:
        s = server.session(extension=False)
        traces_well(s, "the first statement of all")
        again = server.session(extension=False)
        traces_well(again, "another session")
        server.command("crash")
        server.command("start")
        traces_well(server.session(extension=False), "after a crash")


@check
def load_command():
    with cluster("loading") as server:
        s = server.session(extension=False)
        s.run("LOAD 'pg_trace'")
        traces_well(s, "loaded by hand")


@check
def session_preload_after_a_reload():
    with cluster("loading") as server:
        before = server.session(extension=False)
        before.run("ALTER SYSTEM SET session_preload_libraries = 'pg_trace'")
        before.run("SELECT pg_reload_conf()")
        wait_for(lambda: os.path.exists(server.session(extension=False) and server.traces), "a session that has it")
        traces_well(server.session(extension=False), "no restart")
        with traced(before) as t:
            before.run("SELECT 'without it' AS marker")
        equal(len(t.trace.execs("without it")), 1, "executions in the session that began before")


@check
def slots_are_given_back():
    """More sessions, one after the other, than the control file has slots."""
    with cluster("loading", "shared_preload_libraries = 'pg_trace'", "max_connections = 10") as server:
        for _ in range(400):
            s = server.session(extension=False)
            s.run("SELECT 1")
            s.close()
        traces_well(server.session(extension=False), "the last session")
        need("pg_trace" not in server.log(), "the server's log has complaints of pg_trace")


main(__file__)
