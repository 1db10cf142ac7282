# SPDX-License-Identifier: PostgreSQL
"""A module that reports waits by itself, through its own reference to the server's pointer."""

import os
import subprocess
import time

from harness import WORK, Skip, check, cluster, equal, main, need, traced

MS = 1_000_000
SOURCE = """
#include "postgres.h"
#include "fmgr.h"
#include "pgstat.h"
#if __has_include("utils/wait_event.h")
#include "utils/wait_event.h"
#endif

PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(module_waits);

/* module_waits(count int, us int) */
Datum
module_waits(PG_FUNCTION_ARGS)
{
	int			i;

	for (i = 0; i < PG_GETARG_INT32(0); i++)
	{
		pgstat_report_wait_start(PG_WAIT_EXTENSION);
		pg_usleep(PG_GETARG_INT32(1));
		pgstat_report_wait_end();
	}
	PG_RETURN_VOID();
}
"""


def module():
    """Its path without the suffix, as CREATE FUNCTION takes it."""
    path = os.path.join(WORK, "module_waits")
    with open(path + ".c", "w", encoding="ascii") as f:
        f.write(SOURCE)
    pg_config = os.environ.get("PG_CONFIG", "pg_config")
    include = subprocess.run([pg_config, "--includedir-server"], capture_output=True, text=True, check=False)
    if include.returncode:
        raise Skip(f"no {pg_config}")
    done = subprocess.run([os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", "-I", include.stdout.strip(),
                           "-o", path + ".so", path + ".c"], capture_output=True, text=True, check=False)
    need(done.returncode == 0, f"the module does not compile: {done.stderr[:300]}")
    return path


def session_with_function(server):
    s = server.session(extension=False)
    s.run(f"CREATE FUNCTION module_waits(int, int) RETURNS void AS '{module()}' LANGUAGE C")
    s.close()
    return server.session(extension=False)


def expect_waits(trace):
    equal(trace.of("loss"), [], "loss")
    waits = [w for w in trace.waits() if w["type"] == "Extension"]
    equal(len(waits), 20, "waits of the module")
    need(all(w["elapsed_ns"] >= MS for w in waits), f"too short: {[w['elapsed_ns'] for w in waits]}")
    return waits


@check
def module_that_is_loaded_is_probed():
    with cluster("modules") as server:
        s = session_with_function(server)
        s.run("SELECT module_waits(1, 1)")
        with traced(s) as t:
            s.run("SELECT module_waits(20, 1000)")
        expect_waits(t.trace)
        need("module_waits.so waits by itself" in t.trace.of("watch")[0]["text"], "the trace does not name the module")


@check
def module_loaded_while_traced_is_probed():
    with cluster("modules") as server:
        s = session_with_function(server)
        with traced(s) as t:
            s.run("SELECT module_waits(0, 0)")
            time.sleep(0.6)
            s.run("SELECT module_waits(20, 1000)")
        expect_waits(t.trace)
        notes = [n["text"] for n in t.trace.of("note") if "module_waits.so waits by itself" in n["text"]]
        equal(len(notes), 1, "notes about the module")


@check
def watchpoint_and_system_calls_need_no_probe_in_it():
    with cluster("modules") as server:
        s = session_with_function(server)
        for source in ("watchpoint", "syscall"):
            with traced(s, f"--waits={source}") as t:
                s.run("SELECT module_waits(20, 1000)")
            if source == "watchpoint":
                expect_waits(t.trace)
            else:
                (whole,) = [w for w in t.trace.waits() if w["type"] == "Extension"]
                need(whole["elapsed_ns"] >= 20 * MS, f"the waits, in one: {whole}")


main(__file__)
