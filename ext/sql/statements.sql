-- Statements of every kind give the same with and without a trace.
SET client_min_messages = warning;
CREATE TABLE regress_items (id int PRIMARY KEY, name text, price numeric);
CREATE TABLE regress_log (what text);

CREATE FUNCTION regress_log_item() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO regress_log VALUES (TG_OP || ' ' || coalesce(NEW.id, OLD.id)); RETURN NULL; END $$;
CREATE TRIGGER regress_after AFTER INSERT OR UPDATE OR DELETE ON regress_items
  FOR EACH ROW EXECUTE FUNCTION regress_log_item();
CREATE FUNCTION regress_cheap(numeric) RETURNS SETOF regress_items LANGUAGE sql AS
$$ SELECT * FROM regress_items WHERE price < $1 ORDER BY id $$;
CREATE FUNCTION regress_total(upto int) RETURNS numeric LANGUAGE plpgsql AS
$$ DECLARE s numeric := 0; r record;
BEGIN
  FOR r IN SELECT price FROM regress_items WHERE id <= upto LOOP s := s + r.price; END LOOP;
  RETURN s;
END $$;

-- Everything that a caller sees of one round.
CREATE FUNCTION regress_round() RETURNS text LANGUAGE plpgsql AS
$$ DECLARE result text := ''; n bigint; t text;
BEGIN
  TRUNCATE regress_items, regress_log;
  INSERT INTO regress_items SELECT i, 'item ' || i, i * 1.5 FROM generate_series(1, 50) i;
  GET DIAGNOSTICS n = ROW_COUNT; result := result || n || ';';
  UPDATE regress_items SET name = upper(name) WHERE id % 3 = 0;
  GET DIAGNOSTICS n = ROW_COUNT; result := result || n || ';';
  DELETE FROM regress_items WHERE id > 45;
  GET DIAGNOSTICS n = ROW_COUNT; result := result || n || ';';
  WITH moved AS (UPDATE regress_items SET price = 0 WHERE id < 4 RETURNING id)
    SELECT string_agg(id::text, ',' ORDER BY id) INTO t FROM moved;
  result := result || t || ';';
  SELECT string_agg(c::text, '|') INTO t FROM regress_cheap(9) c;
  result := result || t || ';' || regress_total(20) || ';';
  SELECT md5(string_agg(what, ',' ORDER BY ctid)) INTO t FROM regress_log;
  result := result || t || ';';
  EXECUTE 'SELECT count(*) FROM regress_items WHERE id < $1' INTO n USING 10;
  result := result || n || ';';
  BEGIN
    PERFORM 1 / (SELECT 0);
  EXCEPTION WHEN division_by_zero THEN
    result := result || SQLERRM || ';';
  END;
  RETURN result;
END $$;

CREATE TEMP TABLE rounds (how text, result text);
INSERT INTO rounds VALUES ('off', regress_round());
SELECT pg_trace_start_trace(level => 12) IS NOT NULL AS started;
INSERT INTO rounds VALUES ('on', regress_round());
SELECT pg_trace_stop_trace() IS NOT NULL AS stopped;
SELECT pg_trace_start_trace(level => 12 + 16) IS NOT NULL AS started;
INSERT INTO rounds VALUES ('every plan', regress_round());
SELECT pg_trace_stop_trace() IS NOT NULL AS stopped;
SET pg_trace.node_timing = off;
SELECT pg_trace_start_trace(level => 1 + 32) IS NOT NULL AS started;
INSERT INTO rounds VALUES ('no plan', regress_round());
SELECT pg_trace_stop_trace() IS NOT NULL AS stopped;
RESET pg_trace.node_timing;
SELECT count(*), count(DISTINCT result) FROM rounds;
SELECT result FROM rounds LIMIT 1;

-- Utility commands and the rest, traced.
SELECT pg_trace_start_trace() IS NOT NULL AS started;
COPY (SELECT 1, 'two') TO STDOUT;
COPY regress_log FROM STDIN;
one
two
\.
CREATE TABLE regress_copy AS SELECT * FROM regress_items WHERE id < 3;
SELECT * FROM regress_copy ORDER BY id;
EXPLAIN (COSTS OFF) SELECT * FROM regress_copy WHERE id = 1;
CREATE FUNCTION regress_explain(query text) RETURNS int LANGUAGE plpgsql AS
$$ DECLARE line text; n int := 0;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, BUFFERS) ' || query LOOP n := n + (line ~ 'actual')::int; END LOOP;
  RETURN n;
END $$;
SELECT regress_explain('SELECT * FROM regress_copy WHERE id = 1');
PREPARE p (int) AS SELECT name FROM regress_items WHERE id = $1;
EXECUTE p (1); EXECUTE p (2); EXECUTE p (3); EXECUTE p (4); EXECUTE p (5); EXECUTE p (6); EXECUTE p (NULL);
DEALLOCATE p;
\set SHOW_ALL_RESULTS off
SELECT 1 \; SELECT 2 \; SELECT 3;
\set SHOW_ALL_RESULTS on
VACUUM ANALYZE regress_copy;
CREATE PROCEDURE regress_commit() LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO regress_log VALUES ('a'); COMMIT; INSERT INTO regress_log VALUES ('b'); ROLLBACK; END $$;
CALL regress_commit();
SELECT count(*) FROM regress_log WHERE what IN ('a', 'b');
SELECT length(repeat('x', 1000000));
SELECT a.n, b.n FROM generate_series(1, 2) a(n) LEFT JOIN LATERAL (SELECT a.n * 2 AS n WHERE a.n > 1) b ON true;
SELECT id, rank() OVER (ORDER BY price DESC) FROM regress_copy UNION ALL SELECT 0, 0 ORDER BY 1;
SELECT pg_trace_stop_trace() IS NOT NULL AS stopped;

DROP FUNCTION regress_explain(text);
DROP PROCEDURE regress_commit();
DROP FUNCTION regress_round(), regress_total(int), regress_cheap(numeric);
DROP TABLE regress_items, regress_log, regress_copy;
DROP FUNCTION regress_log_item();
