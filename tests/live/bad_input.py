# SPDX-License-Identifier: PostgreSQL
"""What cannot be done is refused in one clear line, with a status, and leaves no half of a file."""

import os
import shutil
import subprocess
import sys

from harness import COLLECTOR, ROOT, WORK, Trace, check, cluster, equal, main, need, run_collector, traced

FAILURE, USAGE = 1, 2


def refused(args, status, *words, outputs=(), **options):
    """Runs the collector; gives its one line."""
    got, out, err = run_collector(*args, **options)
    lines = err.splitlines()
    equal(got, status, f"status of {args} ({err.strip()})")
    equal(len(lines), 1, f"lines on standard error of {args}: {lines}")
    need(lines[0].startswith("pgtrace-perf: "), f"the line does not say who speaks: {lines[0]}")
    for word in words:
        need(word.lower() in lines[0].lower(), f"{args}: no '{word}' in: {lines[0]}")
    for path in outputs:
        need(not os.path.exists(path), f"{args}: {path} was left")
    return lines[0]


def trace_refused(pid, status, *words, **options):
    base = os.path.join(WORK, "refused")
    return refused(["--pid", pid, "-o", base], status, *words,
                   outputs=[base + ".trc", base + ".pgt"], **options)


def unused_pid():
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


@check
def pid_that_does_not_exist():
    pid = unused_pid()
    trace_refused(pid, FAILURE, str(pid), "no process")


@check
def pid_that_is_no_postgres():
    trace_refused(os.getpid(), FAILURE, str(os.getpid()), "no PostgreSQL")


@check
def kernel_thread():
    trace_refused(2, FAILURE, "2")


@check
def pid_that_is_the_postmaster():
    with cluster("bad") as server:
        trace_refused(server.postmaster(), FAILURE, "postmaster", "backend")


@check
def words_that_are_no_pid():
    for word in ("abc", "0", "-5", "12x", "", "99999999999999999999"):
        trace_refused(word, USAGE)


@check
def usage():
    refused(["--no-such-option"], USAGE)
    refused(["nocommand"], USAGE, "nocommand")
    refused(["trace"], USAGE, "--pid")
    refused(["--pid", "1", "--duration", "soon"], USAGE, "soon")
    refused(["--pid", "1", "--level", "4096"], USAGE, "4096")
    refused(["--pid", "1", "surplus"], USAGE, "surplus")
    refused(["print"], USAGE)
    refused(["print", "x.pgt", "--format=xml"], USAGE, "xml")
    refused(["sites"], USAGE)
    refused(["doctor", "--pid", "x"], USAGE)


@check
def help_and_version():
    for args in (["--help"], ["--version"], ["trace", "--help"], ["print", "--help"], ["sites", "--help"],
                 ["doctor", "--help"]):
        status, out, err = run_collector(*args)
        equal((status, err), (0, ""), f"{args}")
        need("pgtrace-perf" in out, f"{args} printed {out!r}")


def as_nobody(*args):
    """Runs the collector as an unprivileged user."""
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", COLLECTOR,
                           *map(str, args)], cwd="/", capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


@check
def without_root():
    with cluster("bad") as server:
        s = server.session(extension=False)
        base = os.path.join(WORK, "nobody")
        status, _, err = as_nobody("--pid", s.pid, "-o", base)
        equal((status, len(err.splitlines())), (FAILURE, 1), f"status and lines: {err}")
        need("root" in err and "doctor" in err, f"what to do is not in: {err}")
        need(not os.path.exists(base + ".trc"), "an output was left")


@check
def doctor_without_root():
    status, out, _ = as_nobody("doctor")
    equal(status, FAILURE, "status")
    need("MISSING" in out and "mend it" in out, f"doctor said {out}")


@check
def doctor_with_all_that_is_needed():
    with cluster("bad") as server:
        s = server.session()
        status, out, err = run_collector("doctor", "--pid", s.pid)
        equal((status, err), (0, ""), f"doctor said {out}")
        bare = server.session(extension=False)
        status, out, err = run_collector("doctor", "--pid", bare.pid)
        equal((status, err), (0, ""), "doctor without the extension")
        need("session_preload_libraries" in out, f"how to load the extension is not in: {out}")
        status, out, err = run_collector("doctor", "--pid", unused_pid())
        equal(status, FAILURE, "doctor on a pid that is not there")


def sample_record():
    """A whole .pgt, made once."""
    path = os.path.join(WORK, "sample.pgt")
    if not os.path.exists(path):
        with cluster("bad") as server:
            s = server.session()
            with traced(s) as t:
                s.parse("", "SELECT $1::text AS sample")
                s.bind("", "", ["bound"])
                s.execute()
                s.sync()
                s.query("SELECT 1/0")
            shutil.copy(t.base + ".pgt", path)
    return path


def write(name, data):
    path = os.path.join(WORK, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


def sample_bytes():
    with open(sample_record(), "rb") as f:
        return f.read()


@check
def files_that_are_no_record_files():
    out = os.path.join(WORK, "printed.trc")
    whole = sample_bytes()
    rows = {
        "missing.pgt": None,
        "empty.pgt": b"",
        "text.pgt": b"this is a text file\n" * 1000,
        "elf.pgt": open(sys.executable, "rb").read(10000),
        "short.pgt": whole[:2000],
        "version.pgt": whole[:12] + b"\xff\0\0\0" + whole[16:],
        "order.pgt": whole[:8] + whole[8:12][::-1] + whole[12:],
    }
    for name, data in rows.items():
        path = os.path.join(WORK, name)
        if data is not None:
            write(name, data)
        refused(["print", path, "-o", out], FAILURE, name, outputs=[out])
    refused(["print", WORK, "-o", out], FAILURE, outputs=[out])
    refused(["print", sample_record(), "-o", "/nonexistent/x.trc"], FAILURE, "/nonexistent/x.trc")


@check
def truncated_record_file():
    """What is there is printed; that something is missing is said, in the trace and by the status."""
    whole = sample_bytes()
    for size in (4097, 5000, len(whole) // 2, len(whole) - 8, len(whole) - 1):
        path = write("cut.pgt", whole[:size])
        status, out, err = run_collector("print", path)
        equal(status, FAILURE, f"status at {size} of {len(whole)} bytes ({err.strip()})")
        equal(len(err.splitlines()), 1, f"lines at {size} bytes: {err}")


@check
def corrupted_record_file():
    """No byte, whatever it becomes, makes print crash or hang."""
    whole = sample_bytes()
    step = max(1, (len(whole) - 4096) // 150)
    for at in [*range(0, 400, 7), *range(4096, len(whole), step)]:
        for value in (0xff, whole[at] ^ 0x01):
            path = write("flipped.pgt", whole[:at] + bytes([value]) + whole[at + 1:])
            status, _, err = run_collector("print", "--format=json", path)
            need(status in (0, FAILURE), f"byte {at} = {value:#x}: status {status}, {err.strip()}")
            need(status == 0 or err, f"byte {at} = {value:#x}: status 1 without a word")


@check
def json_is_json_and_text_is_utf8():
    trace = Trace(sample_record())
    need(len(trace.events) > 10, f"{len(trace.events)} lines of JSON")
    status, out, _ = run_collector("print", sample_record())
    need(status == 0 and "AS sample" in out and 'value="bound"' in out, "the text lacks the statement or its bind")


@check
def binaries_that_have_no_sites():
    postgres = sites_binary()
    script = write("script.sh", b"#!/bin/sh\necho no ELF\n")
    stripped = os.path.join(WORK, "stripped")
    subprocess.run(["objcopy", "--remove-section=.dynsym", "--remove-section=.gnu.hash", "--remove-section=.gnu.version",
                    postgres, stripped], check=False, stderr=subprocess.DEVNULL)
    with open(postgres, "rb") as f:
        cut = write("cut.elf", f.read(100000))
    refused(["sites", script], FAILURE, "ELF")
    refused(["sites", "/bin/true"], FAILURE, "my_wait_event_info")
    refused(["sites", cut], FAILURE)
    refused(["sites", "/nonexistent"], FAILURE, "/nonexistent")
    refused(["sites", WORK], FAILURE)
    if os.path.exists(stripped):
        refused(["sites", stripped], FAILURE)


def sites_binary():
    for folder, _, names in os.walk(os.path.join(ROOT, "usr/lib/postgresql")):
        if "postgres" in names:
            return os.path.join(folder, "postgres")
    raise AssertionError("no server in the private copy")


@check
def sites_of_the_server():
    status, out, err = run_collector("sites", sites_binary())
    equal((status, err), (0, ""), "sites")
    need(out.count("emulated") > 100, f"{out.count('emulated')} emulated sites")


@check
def output_that_cannot_be_written():
    with cluster("bad") as server:
        s = server.session()
        refused(["--pid", s.pid, "-o", "/nonexistent/base"], FAILURE, "/nonexistent/base")
        equal(s.run("SELECT 'fine'"), [("fine",)], "the session")


main(__file__)
