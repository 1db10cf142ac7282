-- The SQL functions: who may call them, what they return, what they refuse.
CREATE EXTENSION pg_trace;

-- Nobody but a superuser, unless granted.
CREATE ROLE regress_pg_trace_user;
SET ROLE regress_pg_trace_user;
SELECT pg_trace_start_trace();
SELECT pg_trace_stop_trace();
SELECT * FROM pg_trace_sessions;
SELECT * FROM pg_trace_sessions();
RESET ROLE;
GRANT EXECUTE ON FUNCTION pg_trace_start_trace(integer, integer) TO regress_pg_trace_user;
GRANT EXECUTE ON FUNCTION pg_trace_stop_trace(integer) TO regress_pg_trace_user;
SET client_min_messages = warning;
SET ROLE regress_pg_trace_user;
SELECT pg_trace_start_trace() IS NOT NULL AS started;
SELECT pg_trace_stop_trace() IS NOT NULL AS stopped;
RESET ROLE;
RESET client_min_messages;

-- No trace, no name.
SELECT pg_trace_stop_trace() IS NULL AS nothing;

-- A trace has an absolute name made of the pid and a time.
SELECT pg_trace_start_trace() ~ ('^/.*/pg_trace_' || pg_backend_pid() || '_[0-9]+\.trc$') AS named;
SELECT pid = pg_backend_pid() AS own, level, started <= now() + interval '1 minute' AS has_start,
       record_file ~ '\.rec$' AS has_file, state
  FROM pg_trace_sessions;

-- A second start joins the first.
SELECT pg_trace_start_trace(level => 4) IS NOT NULL AS named;
SELECT level FROM pg_trace_sessions;
SET client_min_messages = warning;
SELECT pg_trace_stop_trace() ~ '\.trc$' AS named;
RESET client_min_messages;
SELECT count(*) FROM pg_trace_sessions;

-- The arguments, by position and by name.
SET client_min_messages = warning;
SELECT pg_trace_start_trace(pg_backend_pid(), 4) IS NOT NULL AS started;
SELECT level FROM pg_trace_sessions;
SELECT pg_trace_stop_trace(pg_backend_pid()) IS NOT NULL AS stopped;
SELECT pg_trace_start_trace(NULL, NULL) IS NOT NULL AS started;
SELECT level FROM pg_trace_sessions;
SELECT pg_trace_stop_trace(NULL) IS NOT NULL AS stopped;
RESET client_min_messages;

-- Refused.
SELECT pg_trace_start_trace(level => 0);
SELECT pg_trace_start_trace(level => -1);
SELECT pg_trace_start_trace(level => 128);
SELECT pg_trace_start_trace(0);
SELECT pg_trace_start_trace(-1);
SELECT pg_trace_stop_trace(2147483647);

-- Several traces within one second have different files.
SET client_min_messages = warning;
CREATE TEMP TABLE names AS SELECT pg_trace_start_trace() AS name;
SELECT pg_trace_stop_trace() IS NOT NULL AS stopped;
INSERT INTO names SELECT pg_trace_start_trace();
SELECT pg_trace_stop_trace() IS NOT NULL AS stopped;
SELECT count(DISTINCT name) FROM names;

-- On and off within a statement, a function, a transaction.
SELECT pg_trace_start_trace() IS NOT NULL AND pg_trace_stop_trace() IS NOT NULL
   AND pg_trace_start_trace() IS NOT NULL AND pg_trace_stop_trace() IS NOT NULL AS twice;
BEGIN;
CREATE TEMP TABLE inside (i int) ON COMMIT DROP;
SELECT pg_trace_start_trace() IS NOT NULL AS started;
INSERT INTO inside VALUES (1);
SAVEPOINT a;
SELECT pg_trace_stop_trace() IS NOT NULL AS stopped;
INSERT INTO inside VALUES (2);
SELECT pg_trace_start_trace() IS NOT NULL AS started;
ROLLBACK TO a;
SELECT * FROM inside;
COMMIT;
DO $$
BEGIN
  PERFORM pg_trace_stop_trace();
  PERFORM pg_trace_start_trace();
  PERFORM count(*) FROM pg_class;
END $$;
SELECT count(*) FROM pg_trace_sessions;
SELECT pg_trace_stop_trace() IS NOT NULL AS stopped;
RESET client_min_messages;

DROP OWNED BY regress_pg_trace_user;
DROP ROLE regress_pg_trace_user;
