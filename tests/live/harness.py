# SPDX-License-Identifier: PostgreSQL
"""What the live tests share: a private cluster, the collector as a process, the trace as data,
and the way a check says what became of it.

A test file marks its checks with @check and ends with `main(__file__)`.  Environment (tests/run sets it):
PGT_ROOT, the private copy of the server with the extension and the collector installed;
PGT_WORK, a folder for clusters and traces; LOGS and RESULTS as in tests/lib/report.sh.  PGT_CLUSTER is another script
with the commands of tests/lib/cluster.sh; PGT_SERVER_ROOT is where the server's own root lies, if it has one.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback

from wire import Session

HERE = os.path.dirname(os.path.abspath(__file__))
CLUSTER_SH = os.environ.get("PGT_CLUSTER") or os.path.join(HERE, "..", "lib", "cluster.sh")
ROOT = os.environ["PGT_ROOT"]
WORK = os.environ["PGT_WORK"]
SERVER_ROOT = os.environ.get("PGT_SERVER_ROOT", "")
COLLECTOR = os.path.join(ROOT, "usr/local/bin/pgtrace-perf")
TRACEFS = "/sys/kernel/tracing"
PORT = 55432
CHECK_SECONDS = 90


class Skip(Exception):
    pass


class Late(Exception):
    """A check took too long; no AssertionError, so that no check takes it for a result."""


def need(condition, message):
    """An assertion that does not vanish with -O and always says why."""
    if not condition:
        raise AssertionError(message)


def equal(got, want, what):
    need(got == want, f"{what}: got {got!r}, want {want!r}")


def wait_for(condition, what, seconds=20, step=0.02):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(step)
    raise AssertionError(f"waited {seconds} s in vain for {what}")


# --- cluster

class Cluster:
    """A private server; the extension is loaded by the sessions that want it (see session)."""

    def __init__(self, name, *settings):
        self.dir = os.path.join(WORK, name)
        shutil.rmtree(self.dir, ignore_errors=True)
        self.command("new", *settings)
        self.command("start")

    def command(self, verb, *args):
        with open(os.path.join(WORK, "cluster.log"), "a", encoding="utf-8") as log:
            done = subprocess.run(["bash", CLUSTER_SH, verb, self.dir, *args], stdout=log, stderr=log,
                                  stdin=subprocess.DEVNULL, check=False)
        need(done.returncode == 0, f"cluster.sh {verb} failed, see {log.name} and {self.dir}/log")

    @property
    def data(self):
        return os.path.join(self.dir, "data")

    @property
    def traces(self):
        """The default pg_trace.output_directory."""
        return os.path.join(self.data, "pg_trace")

    def session(self, extension=True, **options):
        if extension:
            options.setdefault("session_preload_libraries", "pg_trace")
        return Session(self.dir, PORT, **options)

    def restart(self):
        self.command("stop")
        self.command("start")

    def postmaster(self):
        with open(os.path.join(self.data, "postmaster.pid"), encoding="utf-8") as f:
            return int(f.readline())

    def log(self):
        with open(os.path.join(self.dir, "log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def close(self):
        if os.path.exists(os.path.join(self.data, "postmaster.pid")):
            self.command("stop")


@contextlib.contextmanager
def cluster(name, *settings):
    server = Cluster(name, *settings)
    try:
        yield server
    finally:
        server.close()


# --- collector

def run_collector(*args, **options):
    """One short run: (status, stdout, stderr)."""
    done = subprocess.run([COLLECTOR, *map(str, args)], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, errors="replace", timeout=60, check=False, **options)
    return done.returncode, done.stdout, done.stderr


class Tracer:
    """`pgtrace-perf --pid PID`, attached when the constructor returns."""

    count = 0

    def __init__(self, pid, *args, base=None, attach=True):
        Tracer.count += 1
        self.base = base or os.path.join(WORK, f"trace_{os.getpid()}_{Tracer.count}")
        self.stderr_name = os.path.join(WORK, f"trace_{os.getpid()}_{Tracer.count}.stderr")
        with open(self.stderr_name, "wb") as err:
            self.process = subprocess.Popen([COLLECTOR, "--pid", str(pid), "-o", self.base, *args],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err)
        self.pid = self.process.pid
        if attach:
            wait_for(self.attached, f"'tracing' from the collector ({self.stderr().strip()})")

    def stderr(self):
        with open(self.stderr_name, encoding="utf-8", errors="replace") as f:
            return f.read()

    def attached(self):
        status = self.process.poll()
        need(status is None, f"the collector ended with {status}: {self.stderr().strip()}")
        return "tracing" in self.stderr()

    def wait(self, seconds=20):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the collector did not end in {seconds} s") from None

    def end(self, how=signal.SIGINT):
        """Ends it, and gives the trace; fails if it did not end well."""
        self.process.send_signal(how)
        return self.result()

    def result(self):
        status = self.wait()
        need(status == 0, f"the collector ended with {status}: {self.stderr().strip()}")
        need(not definitions(self.pid), f"left in uprobe_events: {definitions(self.pid)[:2]}")
        return Trace(self.base + ".pgt")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def traced(session, *args, **options):
    """with traced(session) as t: ...; then t.trace."""
    tracer = Tracer(session.pid, *args, **options)
    try:
        yield tracer
        tracer.trace = tracer.end()
    finally:
        tracer.kill()


def definitions(pid):
    """Lines of uprobe_events that the collector pid made."""
    with open(os.path.join(TRACEFS, "uprobe_events"), encoding="utf-8") as f:
        return [line for line in f if re.search(rf"\bpgtrace_{pid}_", line)]


def orphans():
    """Groups in uprobe_events whose collector is no more."""
    with open(os.path.join(TRACEFS, "uprobe_events"), encoding="utf-8") as f:
        groups = {m.group(0, 1) for m in re.finditer(r"\bpgtrace_(\d+)_\w+", f.read())}
    return sorted(group for group, pid in groups if not os.path.exists(f"/proc/{pid}"))


# --- trace

def told(path):
    """A path that the server told, as it is named out here."""
    return SERVER_ROOT + path


class Trace:
    """A .pgt or .rec as its JSON rendering tells it; see src/out/json.c."""

    def __init__(self, path):
        self.path = path
        status, out, err = run_collector("print", "--format=json", path)
        need(status == 0, f"print {path} ended with {status}: {err.strip()}")
        self.events = [json.loads(line) for line in out.splitlines()]
        need(self.events and self.events[-1]["kind"] == "end_of_trace", f"the JSON of {path} has no end")
        self.totals = self.events[-1]
        for call in self.of("call"):
            call["elapsed_ns"] = call["end_ns"] - call["start_ns"]

    def of(self, kind):
        return [e for e in self.events if e["kind"] == kind]

    def waits(self, name=None):
        return [w for w in self.of("wait") if name in (None, w["name"])]

    def calls(self, call=None):
        return [c for c in self.of("call") if call in (None, c["call"])]

    def sql(self, cursor):
        """The text of a cursor number."""
        texts = [t["sql"] for t in self.of("text") if t["cursor"] == cursor]
        return texts[-1] if texts else None

    def cursors(self, part):
        """Cursor numbers of the statements whose text contains part."""
        return [t["cursor"] for t in self.of("text") if part in t["sql"]]

    def cursor(self, part):
        found = self.cursors(part)
        need(len(found) == 1, f"{len(found)} cursors have '{part}' in their text, want 1")
        return found[0]

    def execs(self, part, call="exec"):
        numbers = self.cursors(part)
        return [c for c in self.calls(call) if c["cursor"] in numbers]


def text(path):
    with open(path, encoding="utf-8", errors="strict") as f:
        return f.read()


# --- checks

checks = []


def check(fn):
    checks.append(fn)
    return fn


def say(line):
    print(line, flush=True)
    if os.environ.get("RESULTS"):
        with open(os.environ["RESULTS"], "a", encoding="utf-8") as f:
            f.write(line + "\n")


def one_line(error):
    return re.sub(r"\s+", " ", f"{error}" or type(error).__name__)[:400]


def run_check(topic, fn):
    name = f"live/{topic}: {fn.__name__}"

    def late(*_):
        raise Late(f"not done after {CHECK_SECONDS} s")
    signal.signal(signal.SIGALRM, late)
    signal.alarm(CHECK_SECONDS)
    try:
        fn()
        say(f"ok {name}")
        return True
    except Skip as e:
        say(f"skip {name}: {one_line(e)}")
        return True
    except Exception as e:                      # a check may fail in any way; the next one runs
        traceback.print_exc()
        say(f"FAIL {name}: {one_line(e) if isinstance(e, AssertionError) else f'{type(e).__name__}: {one_line(e)}'}")
        return False
    finally:
        signal.alarm(0)


def can_trace():
    """Why live tests cannot run here, or None."""
    if os.geteuid() != 0:
        return "not root"
    if not os.path.exists(os.path.join(TRACEFS, "uprobe_events")):
        return "tracefs is not mounted"
    return None


def main(path):
    topic = os.path.basename(path).removesuffix(".py")
    wanted = sys.argv[1:]
    why = can_trace()
    well = True
    for fn in checks:
        if wanted and fn.__name__ not in wanted:
            continue
        if why:
            say(f"skip live/{topic}: {fn.__name__}: {why}")
        else:
            well = run_check(topic, fn) and well
    sys.exit(0 if well else 1)
