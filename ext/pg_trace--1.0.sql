/* SPDX-License-Identifier: PostgreSQL */
\echo Use "CREATE EXTENSION pg_trace" to load this file. \quit

-- Begins the trace of a backend, by default this one, at an Oracle-like level:
-- 1 calls, 4 binds, 8 waits (the collector's), 12 both; plan statistics are taken
-- of the first execution of each plan, with 16 of every one, with 32 of none, with
-- 64 again after each minute of the statement's time.  Another session's trace
-- begins with its next statement.  Returns the trace file's name.
CREATE FUNCTION pg_trace_start_trace(pid integer DEFAULT NULL, level integer DEFAULT 12)
RETURNS text
AS 'MODULE_PATHNAME', 'pg_trace_start_trace'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

-- Ends it.  Returns the trace file's name, NULL if there was no trace.
CREATE FUNCTION pg_trace_stop_trace(pid integer DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'pg_trace_stop_trace'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

CREATE FUNCTION pg_trace_sessions(
    OUT pid integer,
    OUT level integer,
    OUT started timestamptz,
    OUT record_file text,
    OUT state text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pg_trace_sessions'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

CREATE VIEW pg_trace_sessions AS
    SELECT * FROM pg_trace_sessions();

-- A trace holds what others type; who may read it is the superuser's to say.
REVOKE ALL ON FUNCTION pg_trace_start_trace(integer, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_trace_stop_trace(integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_trace_sessions() FROM PUBLIC;
REVOKE ALL ON pg_trace_sessions FROM PUBLIC;
