-- The settings: defaults, bounds, who may change them.
LOAD 'pg_trace';
SELECT name, boot_val, unit, context, vartype FROM pg_settings WHERE name LIKE 'pg\_trace.%' ORDER BY name;

-- Not by a plain user.
CREATE ROLE regress_pg_trace_plain;
SET ROLE regress_pg_trace_plain;
SET pg_trace.enabled = on;
SET pg_trace.level = 4;
SET pg_trace.max_file_size = 0;
SET pg_trace.bind_max_length = 10;
SET pg_trace.redact_binds = off;
SET pg_trace.node_timing = off;
SET pg_trace.output_directory = '/tmp';
SET pg_trace.printer = '/bin/sh';
RESET ROLE;
DROP ROLE regress_pg_trace_plain;

-- Paths come from the configuration only.
SET pg_trace.output_directory = '/tmp';
SET pg_trace.printer = '/bin/sh';

-- Bounds; 16 and later name the units of theirs.
\set VERBOSITY sqlstate
SET pg_trace.level = 0;
SET pg_trace.level = 128;
SET pg_trace.max_file_size = -1;
SET pg_trace.bind_max_length = -1;
\set VERBOSITY default

-- No other setting of our prefix, from 15 on.
DO $$
BEGIN
	SET pg_trace.nosuch = 1;
	IF current_setting('server_version_num')::int >= 150000 THEN
		RAISE 'pg_trace.nosuch was taken';
	END IF;
EXCEPTION WHEN invalid_name THEN
	NULL;
END $$;

-- A trace by setting begins and ends with the next statement.
SET client_min_messages = warning;
SET pg_trace.level = 4;
SET pg_trace.enabled = on;
SELECT level, state FROM pg_trace_sessions;
SET pg_trace.enabled = off;
SELECT count(*) FROM pg_trace_sessions;
BEGIN;
SET LOCAL pg_trace.enabled = on;
SELECT count(*) FROM pg_trace_sessions;
ROLLBACK;
SELECT count(*) FROM pg_trace_sessions;

-- A full record file loses records, not statements.
RESET client_min_messages;
\set VERBOSITY terse
SET pg_trace.max_file_size = 1024;
CREATE TABLE regress_big AS SELECT pg_trace_start_trace() IS NOT NULL AS started;
DO $$ BEGIN FOR i IN 1..3000 LOOP EXECUTE 'SELECT ' || i || ', ''' || repeat('x', 1000) || ''''; END LOOP; END $$;
\set VERBOSITY default
SELECT started FROM regress_big;
SET client_min_messages = warning;
SELECT pg_trace_stop_trace() IS NOT NULL AS stopped;
RESET pg_trace.max_file_size;
DROP TABLE regress_big;

-- Binds cut to nothing.
SET pg_trace.bind_max_length = 0;
SELECT pg_trace_start_trace(level => 4) IS NOT NULL AS started;
PREPARE p (text, bytea, int) AS SELECT $1, $2, $3;
EXECUTE p ('text', 'bytes', 1);
SELECT pg_trace_stop_trace() IS NOT NULL AS stopped;
RESET pg_trace.bind_max_length;

DROP EXTENSION pg_trace;
