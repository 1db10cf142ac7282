# SPDX-License-Identifier: PostgreSQL
"""What waits were for: the blocks that were read, the locks, and who was in the way."""

import threading

from harness import check, cluster, equal, main, need, text, traced, wait_for


def waiting(look, pid, what="the session to wait for the lock"):
    wait_for(lambda: look.run(f"SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = {pid}")
             == [("t",)], what)


def shows_texts(look):
    """Since 14 the server exports MyBEEntry."""
    return int(look.run("SHOW server_version_num")[0][0]) >= 140000


def lock_waits(trace):
    return [w for w in trace.waits() if w["type"] == "Lock"]


def blocked(server, session, sql, undo, look, *args):
    """The trace of sql in session, which waits for a lock until undo."""
    with traced(session, *args) as t:
        session.run("SELECT 1")
        worker = threading.Thread(target=session.run, args=(sql,))
        worker.start()
        waiting(look, session.pid)
        undo()
        worker.join()
    return t.trace


@check
def cold_scan_names_each_block_once():
    with cluster("objects", "shared_buffers = 2MB", "max_parallel_workers_per_gather = 0") as server:
        s = server.session()
        s.run("CREATE TABLE big AS SELECT i, repeat('x', 500) AS t FROM generate_series(1, 30000) i")
        s.run("CHECKPOINT")
        ((blocks, path),) = s.run("SELECT pg_relation_size('big') / 8192, pg_relation_filepath('big')")
        s.close()
        server.restart()
        s = server.session()
        with traced(s) as t:
            s.run("SELECT count(*) FROM big")
        trace = t.trace
        reads = trace.waits("DataFileRead")
        equal([w for w in reads if "object" not in w], [], "reads without their block")
        of_table = [w["object"] for w in reads if w["object"]["file"] == path and w["object"]["fork"] == "main"]
        equal(sorted(o["block"] for o in of_table), list(range(int(blocks))), "blocks read")
        equal({o["blocks"] for o in of_table}, {1}, "blocks of a read")
        equal({o.get("rel") for o in of_table if o["block"] > 0}, {"public.big"}, "name of the relation")
        need(f" us rel=public.big fork=main block=7 blocks=1 file={path} tim=" in text(t.base + ".trc"),
             "the readable trace does not name block 7")


@check
def writes_and_extensions_name_their_block():
    with cluster("objects", "shared_buffers = 2MB") as server:
        s = server.session()
        s.run("CREATE TABLE w(i int, t text)")
        with traced(s) as t:
            s.run("INSERT INTO w SELECT i, repeat('y', 500) FROM generate_series(1, 30000) i")
        ((blocks, path),) = s.run("SELECT pg_relation_size('w') / 8192, pg_relation_filepath('w')")
        for name, least in ("DataFileExtend", int(blocks)), ("DataFileWrite", 1):
            waits = t.trace.waits(name)
            equal([w for w in waits if "object" not in w], [], f"{name} without its block")
            mine = [w["object"] for w in waits if w["object"]["file"] == path and w["object"]["fork"] == "main"]
            need(sum(o["blocks"] for o in mine) >= least, f"{name}: {len(mine)} waits of {path}, {blocks} blocks")


@check
def index_and_toast_are_named():
    with cluster("objects", "shared_buffers = 2MB") as server:
        s = server.session()
        s.run("CREATE TABLE k(i int PRIMARY KEY, t text)")
        s.run("ALTER TABLE k ALTER t SET STORAGE EXTERNAL")
        s.run("INSERT INTO k SELECT i, repeat('z', 5000) FROM generate_series(1, 3000) i")
        s.run("CHECKPOINT")
        s.close()
        server.restart()
        s = server.session()
        with traced(s) as t:
            s.run("SET enable_seqscan = off")
            s.run("SELECT length(reverse(t)) FROM k WHERE i BETWEEN 1000 AND 1100")
        names = {w["object"].get("rel") for w in t.trace.waits("DataFileRead")}
        need({"public.k", "public.k_pkey"} <= names, f"relations read: {names}")
        need(any(n and n.startswith("pg_toast.pg_toast_") for n in names), f"no toast among {names}")


@check
def row_lock_names_transaction_mode_and_blocker():
    with cluster("objects") as server:
        s, other, look = server.session(), server.session(extension=False), server.session(extension=False)
        other.run("CREATE TABLE l(i int); INSERT INTO l VALUES (1)")
        other.run("BEGIN")
        other.run("UPDATE l SET i = 2 /* the blocker */")
        ((xid,),) = other.run("SELECT pg_current_xact_id()::text::bigint % (2::bigint ^ 32)::bigint")
        other.run("SELECT 'the last'")
        trace = blocked(server, s, "UPDATE l SET i = 3", lambda: other.run("COMMIT"), look)
        (wait,) = [w for w in lock_waits(trace) if w["name"] == "transactionid"]
        equal(wait["object"], {"mode": "ShareLock", "xid": int(xid), "blockers": str(other.pid), "blocker_count": 1,
                               "blocker_pids": [other.pid]}, "object of the wait")
        (blocker,) = trace.of("blocker")
        equal((blocker["blocker_pid"], blocker["ahead"]), (other.pid, False), "blocker")
        printed = text(trace.path.removesuffix(".pgt") + ".trc")
        need(f" us mode=ShareLock xid={xid} blockers={other.pid} tim=" in printed, "the readable trace does not say so")
        if not shows_texts(look):
            need("the statements of blockers are not known" in printed, "the head does not say so")
            return
        equal((blocker["state"], blocker["sql"]), ("idle in transaction", "SELECT 'the last'"), "its statement")
        need(0 < blocker["statement_start_us"] - blocker["xact_start_us"] < 60_000_000, f"times of {blocker}")
        need(wait["start_ns"] - 50_000_000 < blocker["time_ns"] <= wait["start_ns"], "the blocker is told as the wait begins")
        need(f"BLOCKER: pid={other.pid} holds the lock, idle in transaction xact=" in printed, "no BLOCKER line")


@check
def table_lock_names_relation_and_queue():
    with cluster("objects") as server:
        s, holder, ahead, look = (server.session(), *(server.session(extension=False) for _ in range(3)))
        holder.run("CREATE TABLE q(i int)")
        s.run("SELECT count(*) FROM q")
        ((db, oid),) = s.run("SELECT d.oid, 'q'::regclass::oid FROM pg_database d WHERE datname = current_database()")
        holder.run("BEGIN; LOCK TABLE q IN ACCESS SHARE MODE")
        queued = threading.Thread(target=ahead.run, args=("BEGIN; LOCK TABLE q; COMMIT",))
        queued.start()
        waiting(look, ahead.pid, "the one ahead to wait")
        trace = blocked(server, s, "SELECT count(*) FROM q", lambda: holder.run("COMMIT"), look)
        queued.join()
        (wait,) = lock_waits(trace)
        o = wait["object"]
        equal((wait["name"], o["mode"], o["blocker_pids"]), ("relation", "AccessShareLock", [ahead.pid]), "the wait")
        equal((o.get("rel", "public.q"), o.get("relation", int(oid)), o.get("database", int(db))),
              ("public.q", int(oid), int(db)), "the relation")
        (blocker,) = trace.of("blocker")
        equal(blocker["ahead"], True, "the blocker waits ahead")
        if shows_texts(look):
            equal(blocker["state"], "active", "blocker")
            need("LOCK TABLE q" in blocker["sql"], f"its statement: {blocker['sql']}")


@check
def other_locks_name_what_they_are_of():
    with cluster("objects") as server:
        s, other, look = server.session(), server.session(extension=False), server.session(extension=False)
        other.run("BEGIN; SELECT pg_advisory_xact_lock(7, 8), pg_current_xact_id()")
        trace = blocked(server, s, "SELECT pg_advisory_lock(7, 8)", lambda: other.run("COMMIT"), look)
        (wait,) = lock_waits(trace)
        o = wait["object"]
        equal((o["mode"], o["key1"], o["key2"], o["keys"], o["blocker_pids"]),
              ("ExclusiveLock", 7, 8, 2, [other.pid]), "advisory lock")


@check
def many_blockers_are_counted():
    with cluster("objects") as server:
        s, look = server.session(), server.session(extension=False)
        look.run("CREATE TABLE m(i int)")
        holders = [server.session(extension=False) for _ in range(6)]
        for h in holders:
            h.run("BEGIN; LOCK TABLE m IN ROW SHARE MODE")

        def release():
            for h in holders:
                h.run("COMMIT")
        trace = blocked(server, s, "BEGIN; LOCK TABLE m; COMMIT", release, look)
        (wait,) = lock_waits(trace)
        equal(wait["object"]["blocker_count"], 6, "blockers")
        equal(len(set(wait["object"]["blocker_pids"]) & {h.pid for h in holders}), 4, "the first four")
        equal(len(trace.of("blocker")), 4, "blockers told")


@check
def more_blockers_than_are_looked_at_are_a_lower_bound():
    with cluster("objects", "max_connections = 100") as server:
        s, look = server.session(), server.session(extension=False)
        look.run("CREATE TABLE m(i int)")
        holders = [server.session(extension=False) for _ in range(70)]
        for h in holders:
            h.run("BEGIN; LOCK TABLE m IN ROW SHARE MODE")

        def release():
            for h in holders:
                h.run("COMMIT")
        trace = blocked(server, s, "BEGIN; LOCK TABLE m; COMMIT", release, look)
        (wait,) = lock_waits(trace)
        o = wait["object"]
        need(60 <= o["blocker_count"] <= 64 and o.get("blockers_whole") is False, f"the wait's object: {o}")
        need(o["blockers"].endswith(".."), f"blockers: {o['blockers']}")
        equal(len(set(o["blocker_pids"]) & {h.pid for h in holders}), 4, "the first four")


@check
def objects_can_be_left_out():
    with cluster("objects", "shared_buffers = 2MB") as server:
        s = server.session()
        s.run("CREATE TABLE big AS SELECT i, repeat('x', 500) AS t FROM generate_series(1, 6000) i")
        with traced(s, "--no-objects") as t:
            s.run("SELECT count(*) FROM big")
        need(t.trace.waits("DataFileRead"), "no read was seen")
        equal([w for w in t.trace.waits() if "object" in w], [], "waits with an object")


main(__file__)
