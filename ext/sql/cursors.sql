-- Cursors of SQL and PL/pgSQL, opened and closed in every order, traced.
SET client_min_messages = warning;
CREATE TEMP TABLE n AS SELECT i FROM generate_series(1, 100) i;

-- Opened before the trace, used in it, closed after it.
BEGIN;
DECLARE early CURSOR FOR SELECT i FROM n ORDER BY i;
FETCH 2 FROM early;
SELECT pg_trace_start_trace(level => 12 + 16) IS NOT NULL AS started;
FETCH 2 FROM early;
DECLARE late SCROLL CURSOR FOR SELECT i FROM n ORDER BY i;
FETCH 3 FROM late;
FETCH BACKWARD 1 FROM late;
MOVE 10 IN late;
FETCH ABSOLUTE 50 FROM late;
SELECT pg_trace_stop_trace() IS NOT NULL AS stopped;
FETCH 1 FROM early;
SELECT pg_trace_start_trace() IS NOT NULL AS started;
FETCH 1 FROM late;
FETCH 1 FROM early;
CLOSE early;
COMMIT;

-- Beyond the transaction.
BEGIN;
DECLARE held CURSOR WITH HOLD FOR SELECT i FROM n WHERE i > 97 ORDER BY i;
COMMIT;
FETCH ALL FROM held;
CLOSE held;

-- Two at once, one never fetched from, an error in between.
BEGIN;
DECLARE a CURSOR FOR SELECT i FROM n ORDER BY i;
DECLARE b CURSOR FOR SELECT 1 / (50 - i) FROM n ORDER BY i;
DECLARE c CURSOR FOR SELECT 3;
SAVEPOINT s;
FETCH 1 FROM a;
FETCH 60 FROM b;
ROLLBACK TO s;
FETCH 1 FROM a;
COMMIT;

-- WHERE CURRENT OF.
BEGIN;
DECLARE cur CURSOR FOR SELECT i FROM n WHERE i = 7 FOR UPDATE;
FETCH cur;
UPDATE n SET i = 700 WHERE CURRENT OF cur;
SELECT count(*) FROM n WHERE i = 700;
ROLLBACK;

DO $$
DECLARE
  c CURSOR (lowest int) FOR SELECT i FROM n WHERE i > lowest ORDER BY i;
  r refcursor;
  v int;
  s int := 0;
BEGIN
  FOR x IN c (90) LOOP s := s + x.i; END LOOP;
  OPEN r FOR EXECUTE 'SELECT i FROM n ORDER BY i DESC';
  FETCH r INTO v;
  MOVE NEXT FROM r;
  CLOSE r;
  RAISE WARNING 'sum % last %', s, v;
END $$;
SELECT pg_trace_stop_trace() IS NOT NULL AS stopped;
