-- Errors, where they are caught and where not, are what they are without a trace.
SET client_min_messages = warning;
CREATE TABLE regress_e (i int PRIMARY KEY CHECK (i < 100));
CREATE FUNCTION regress_fail(how text) RETURNS text LANGUAGE plpgsql AS
$$ DECLARE one int := 1; zero int := 0;
BEGIN
  BEGIN
    INSERT INTO regress_e VALUES (5);
    IF how = 'raise' THEN RAISE EXCEPTION 'raised'; END IF;
    IF how = 'expression' THEN one := one / zero; END IF;
    IF how = 'statement' THEN PERFORM 1 / i FROM (SELECT 0 AS i OFFSET 0) x; END IF;
    IF how = 'constraint' THEN INSERT INTO regress_e VALUES (500); END IF;
    IF how = 'syntax' THEN EXECUTE 'SELEC'; END IF;
    IF how = 'again' THEN PERFORM regress_fail('uncaught'); END IF;
  EXCEPTION WHEN OTHERS THEN
    RETURN how || ': ' || SQLSTATE || ' ' || SQLERRM;
  END;
  IF how = 'uncaught' THEN RAISE EXCEPTION 'nobody catches this'; END IF;
  RETURN 'fine';
END $$;

SELECT pg_trace_start_trace() IS NOT NULL AS started;
SELECT regress_fail(how) FROM unnest(ARRAY['raise', 'expression', 'statement', 'constraint', 'syntax', 'again']) how;
SELECT regress_fail('uncaught');
SELECT count(*) FROM regress_e;
SELECT 1 / 0;
SELEC 1;
SELECT nothing FROM nowhere;
INSERT INTO regress_e VALUES (1), (1);
INSERT INTO regress_e VALUES (101);

-- Savepoints; a failed transaction.
BEGIN;
INSERT INTO regress_e VALUES (1);
SAVEPOINT a;
INSERT INTO regress_e VALUES (1);
SELECT 1;
ROLLBACK TO a;
INSERT INTO regress_e VALUES (2);
RELEASE a;
SELECT * FROM regress_e ORDER BY i;
SELECT 1 / 0;
COMMIT;
SELECT count(*) FROM regress_e;

-- Errors at the end of a transaction.
CREATE TABLE regress_d (i int UNIQUE DEFERRABLE INITIALLY DEFERRED);
BEGIN;
INSERT INTO regress_d VALUES (1), (1);
COMMIT;

-- Cancelled.
SET statement_timeout = '50ms';
SELECT pg_sleep(10);
DO $$ BEGIN PERFORM pg_sleep(10); EXCEPTION WHEN OTHERS THEN RAISE WARNING 'not reached'; END $$;
RESET statement_timeout;

-- Prepared statements that fail.
EXECUTE nosuch;
PREPARE q (int) AS SELECT 10 / $1;
EXECUTE q (0);
EXECUTE q (5);
EXECUTE q ('x');
DEALLOCATE q;
SELECT pg_trace_stop_trace() IS NOT NULL AS stopped;

-- The output function of a bind value raises: the trace's trouble, not the statement's.
CREATE TYPE regress_mute;
CREATE FUNCTION regress_mute_in(cstring) RETURNS regress_mute LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION regress_mute_out(regress_mute) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'shell_out';
CREATE TYPE regress_mute (INPUT = regress_mute_in, OUTPUT = regress_mute_out, INTERNALLENGTH = 4, PASSEDBYVALUE, ALIGNMENT = int4);
CREATE FUNCTION regress_use(m regress_mute, before int, after int) RETURNS int LANGUAGE plpgsql AS
$$ DECLARE r int; BEGIN SELECT before + after INTO r WHERE m IS NOT NULL; RETURN r; END $$;
SELECT pg_trace_start_trace(level => 4) IS NOT NULL AS started;
SELECT regress_use('1', 20, 22);
BEGIN;
INSERT INTO regress_e VALUES (3);
SELECT regress_use('1', 20, 22);
COMMIT;
SELECT count(*) FROM regress_e;
SELECT '1'::regress_mute;
SELECT pg_trace_stop_trace() IS NOT NULL AS stopped;

DROP FUNCTION regress_use(regress_mute, int, int);
DROP TYPE regress_mute CASCADE;
DROP FUNCTION regress_fail(text);
DROP TABLE regress_e, regress_d;
