# SPDX-License-Identifier: PostgreSQL
"""What tracing costs.

Waits: a sequential scan of a table that is in the page cache and not in shared buffers, so that
nearly every page is a short wait.  The cost of one wait is the scan's slowdown divided by the waits
that the trace counted, for each wait source: system calls; probes where the site finder puts them (with
the block of each read, and without); a watchpoint; and, to compare, the same probes on the stores themselves, and
bpftrace, if it is installed, with a watchpoint that pairs and sums in the kernel and sends nothing.  (Debian's
bpftrace refuses uprobes inside a function of a stripped binary.)

Statements: the backend's own CPU (/proc/PID/schedstat) for a prepared SELECT of one row by its
key, sent in batches so that the backend never sleeps; what a mode adds is the difference.

Modes take turns within each round, and medians are printed, so that a change of the
machine's speed meets all of them.
"""

import os
import platform
import re
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import time

from harness import Tracer, cluster, need, text

BATCH = 500
STATEMENTS = 20000
PAGES = 32000


def rounds_wanted():
    for arg in sys.argv[1:]:
        if arg.startswith("--rounds="):
            return int(arg.split("=")[1])
    return 9


def schedstat(pid):
    """CPU ns of the process so far."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
        return int(f.read().split()[0])


def peak_kb(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", text(f"/proc/{pid}/status")).group(1))


def pin(pid, cpu):
    if os.cpu_count() > 1:
        os.sched_setaffinity(pid, {cpu})


# --- one wait

class ScanMode:
    def __init__(self, name, *args):
        self.name, self.args = name, args
        self.seconds, self.waits, self.collector_ns, self.peak_kb, self.lost = [], [], [], [], 0
        self.attach_ms = []

    def run(self, session):
        tracer = None
        if self.args:
            tracer = Tracer(session.pid, *self.args[1:])
            pin(tracer.pid, 0)
        begun = time.perf_counter()
        session.run("SELECT count(*) FROM scanned")
        self.seconds.append(time.perf_counter() - begun)
        if tracer:
            self.account(tracer)

    def account(self, tracer):
        time.sleep(0.2)         # for the collector to take what is in the rings
        self.collector_ns.append(schedstat(tracer.pid))
        self.peak_kb.append(peak_kb(tracer.pid))
        trace = tracer.end()
        self.waits.append(len(trace.waits("DataFileRead")))
        self.lost += sum(e["count"] for e in trace.of("loss"))
        self.attach_ms += [float(ms) for ms in re.findall(r"attached in ([0-9.]+) ms", text(tracer.base + ".trc"))]
        os.unlink(tracer.base + ".trc")
        os.unlink(tracer.base + ".pgt")


def word_address(pid):
    """Of the wait_event_info that the process's my_wait_event_info points at."""
    exe = os.readlink(f"/proc/{pid}/exe")
    symbols = subprocess.run(["nm", "-D", "--defined-only", exe], capture_output=True, text=True, check=True).stdout
    vaddr = int(re.search(r"^([0-9a-f]+) \w my_wait_event_info$", symbols, re.M).group(1), 16)
    maps = text(f"/proc/{pid}/maps").splitlines()
    base = min(int(line.split("-")[0], 16) for line in maps if line.endswith(exe))
    with open(f"/proc/{pid}/mem", "rb") as mem:
        mem.seek(base + vaddr)
        return struct.unpack("Q", mem.read(8))[0]


class PeerMode(ScanMode):
    """The same scan under bpftrace."""

    def run(self, session):
        word = word_address(session.pid)
        program = (f'BEGIN {{ printf("ready\\n"); }} watchpoint:0x{word:x}:4:w {{ $e = *uptr((uint32 *){word}); '
                   "if (@event != 0 && $e != @event) { @waits = count(); @ns = sum(nsecs - @start); } "
                   "@event = $e; @start = nsecs; }")
        with subprocess.Popen(["bpftrace", "-p", str(session.pid), "-e", program], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True) as peer:
            while "ready" not in (line := peer.stdout.readline()):
                need(line, "bpftrace ended before it was ready")
            time.sleep(0.5)     # the watchpoint is set after BEGIN has run
            begun = time.perf_counter()
            session.run("SELECT count(*) FROM scanned")
            self.seconds.append(time.perf_counter() - begun)
            peer.send_signal(signal.SIGINT)
            self.waits.append(int(re.search(r"@waits: (\d+)", peer.communicate()[0]).group(1)))


def scan_modes(server, rounds):
    s = server.session(extension=False)
    s.run("CREATE TABLE scanned(i int, t text)")
    s.run("ALTER TABLE scanned ALTER t SET STORAGE PLAIN")      # one row a page, not compressed
    s.run(f"INSERT INTO scanned SELECT i, repeat('x', 7000) FROM generate_series(1, {PAGES}) i")
    s.run("VACUUM FREEZE scanned")
    s.run("CHECKPOINT")
    pin(s.pid, 1)
    modes = [ScanMode("no probe"), ScanMode("uprobe", True, "--waits=uprobe"),
             ScanMode("uprobe, without objects", True, "--waits=uprobe", "--no-objects"),
             ScanMode("syscall", True, "--waits=syscall", "--no-objects"),
             ScanMode("watchpoint", True, "--waits=watchpoint", "--no-objects"),
             ScanMode("uprobe, on the stores", True, "--waits=uprobe", "--no-objects", "--probe-at-stores")]
    if shutil.which("bpftrace") and shutil.which("nm"):
        modes.append(PeerMode("bpftrace, watchpoint"))
    s.run("SELECT count(*) FROM scanned")
    for _ in range(rounds):
        for mode in modes:
            mode.run(s)
    s.close()
    return modes


def collector_columns(mode):
    if not mode.collector_ns:
        return " ".join(f"{'-':>{n}}" for n in (6, 10, 13, 6))
    per_wait = statistics.median(ns / n / 1e3 for ns, n in zip(mode.collector_ns, mode.waits))
    return (f"{mode.lost:6} {statistics.median(mode.attach_ms):10.1f} {per_wait:13.2f} "
            f"{max(mode.peak_kb) / 1024:6.1f}")


def print_scan(modes):
    base = statistics.median(modes[0].seconds)
    print(f"one wait, by source ({len(modes[0].seconds)} scans each)")
    print(f"  {'source':24} {'scan ms':>9} {'waits':>8} {'us a wait':>10} {'ratio':>7} {'lost':>6} {'attach ms':>10} "
          f"{'collector us':>13} {'MB':>6}")
    print(f"  {modes[0].name:24} {base * 1e3:9.1f} " + " ".join(f"{'-':>{n}}" for n in (8, 10, 7, 6, 10, 13, 6)))
    costs = []
    for mode in modes[1:]:
        waits = statistics.median(mode.waits)
        costs.append((statistics.median(mode.seconds) - base) / waits * 1e6)
        print(f"  {mode.name:24} {statistics.median(mode.seconds) * 1e3:9.1f} {waits:8.0f} {costs[-1]:10.2f} "
              f"{costs[-1] / costs[0]:7.2f} " + collector_columns(mode))
    print("  (collector: its CPU a wait, start-up included; MB: resident at most)")


# --- one statement

class StatementMode:
    def __init__(self, name, server, level=None, extension=True, **settings):
        self.name = name
        self.session = server.session(extension=extension, **settings)
        self.level = level
        self.ns = []
        pin(self.session.pid, 1)
        self.session.parse("point", "SELECT t FROM points WHERE i = $1")
        self.session.sync().check()

    def run(self):
        s = self.session
        if self.level is not None:
            s.run(f"SELECT pg_trace_start_trace(level => {self.level})")
        self.batches(4)
        before = schedstat(s.pid)
        self.batches(STATEMENTS // BATCH)
        s.run("SELECT 1")
        self.ns.append((schedstat(s.pid) - before) / STATEMENTS)
        if self.level is not None:
            name = s.run("SELECT pg_trace_stop_trace()")[0][0].removesuffix(".trc")
            for suffix in (".rec", ".trc"):
                if os.path.exists(name + suffix):
                    os.unlink(name + suffix)

    def batches(self, count):
        for n in range(count):
            one_batch(self.session, n)


def one_batch(s, n):
    """BATCH executions, each its own transaction, on their way before the first answer is read."""
    parts = []
    for k in range(BATCH):
        value = str((n * BATCH + k) * 7 % 10000 + 1).encode()
        body = b"\0point\0" + struct.pack("!HHi", 0, 1, len(value)) + value + struct.pack("!H", 0)
        parts += [b"B", struct.pack("!i", len(body) + 4), body, b"E\0\0\0\x09\0\0\0\0\0", b"S\0\0\0\x04"]
    s.sock.sendall(b"".join(parts))
    ready = 0
    while ready < BATCH:
        kind, body = s.message()
        need(kind != b"E", f"the server said {body!r}")
        ready += kind == b"Z"
    s.transcript.clear()


def statement_modes(server, rounds):
    boss = server.session()
    boss.run("CREATE EXTENSION pg_trace")
    boss.run("CREATE TABLE points AS SELECT i, 'point ' || i AS t FROM generate_series(1, 10000) i")
    boss.run("ALTER TABLE points ADD PRIMARY KEY (i)")
    boss.run("VACUUM ANALYZE points")
    boss.close()
    off, on = {"pg_trace.node_timing": "off"}, {"pg_trace.node_timing": "on"}
    modes = [StatementMode("not loaded", server, extension=False),
             StatementMode("loaded, no trace", server),
             StatementMode("level 12, node timing off", server, 12, **off),
             StatementMode("level 12, node timing on", server, 12, **on),
             StatementMode("level 28, node timing off", server, 28, **off),
             StatementMode("level 28, node timing on", server, 28, **on)]
    for _ in range(rounds):
        for mode in modes:
            mode.run()
    for mode in modes:
        mode.session.close()
    return modes


def print_statements(modes):
    base = statistics.median(modes[0].ns)
    print(f"\none prepared point SELECT, backend CPU ({len(modes[0].ns)} x {STATEMENTS} executions each)")
    print(f"  {'mode':28} {'us':>8} {'added us':>9} {'ratio':>7}")
    for mode in modes:
        ns = statistics.median(mode.ns)
        print(f"  {mode.name:28} {ns / 1e3:8.2f} {(ns - base) / 1e3:9.2f} {ns / base:7.3f}")
    print("  (level 28 adds plan statistics of every execution)")


def print_conditions(server):
    s = server.session(extension=False)
    version = s.run("SELECT version()")[0][0].split(",")[0]
    s.close()
    cpu = re.search(r"model name\s*:\s*(.*)", text("/proc/cpuinfo"))
    virtual = " virtual machine," if "hypervisor" in text("/proc/cpuinfo") else ""
    print(f"{cpu.group(1) if cpu else platform.machine()},{virtual} {os.cpu_count()} CPUs, Linux {platform.release()}, "
          f"{version}\n")


def bench():
    rounds = rounds_wanted()
    with cluster("bench", "shared_buffers = 2MB", "max_wal_size = 4GB") as server:
        print_conditions(server)
        print_scan(scan_modes(server, rounds))
    with cluster("bench", "shared_buffers = 128MB", "pg_trace.printer = '/bin/true'") as server:
        print_statements(statement_modes(server, rounds))


bench()
