-- Statements that the guard must refuse, one a paragraph; the heading above says with which code.

-- refused: unknown_relation

SELECT * FROM staff

SELECT * FROM no_such_table

SELECT count(*) FROM archive.loans

SELECT * FROM "Loans"

SELECT * FROM "public.books"

SELECT name FROM other_database.public.books

SELECT id FROM pg_catalog.pg_class

SELECT id FROM pg_class

SELECT table_name FROM information_schema.tables

SELECT last_value FROM ticket_seq

SELECT name FROM U&"\0073taff"

SELECT b.id FROM books b, (SELECT wage FROM staff) s

SELECT id FROM books WHERE id IN (SELECT id FROM staff)

SELECT id FROM books ORDER BY (SELECT max(wage) FROM staff)

SELECT id FROM books LIMIT (SELECT count(*) FROM staff)

SELECT count(*) FILTER (WHERE EXISTS (TABLE staff)) FROM books

SELECT id FROM books UNION SELECT id FROM staff

SELECT sum(id) FROM books TABLESAMPLE BERNOULLI (50) REPEATABLE ((SELECT max(wage) FROM staff))

-- A CTE covers its name only where PostgreSQL says so.
WITH staff AS (SELECT 1 AS wage) SELECT wage FROM public.staff

WITH staff AS (SELECT * FROM staff) SELECT * FROM staff

SELECT (WITH staff AS (SELECT 1 AS wage) SELECT wage FROM staff), max(wage) FROM staff

SELECT x.n FROM (WITH staff AS (SELECT 1 AS n) SELECT n FROM staff) x, staff

WITH a AS (SELECT * FROM staff), staff AS (SELECT 1) SELECT * FROM a

-- An alias does not make a relation readable, and does not stand in for another one.
SELECT books.id FROM staff books

SELECT public.books.id FROM public.books AS b

SELECT archive.books.id FROM public.books

-- refused: unknown_column

SELECT card_number FROM members

SELECT no_such_column FROM members

SELECT m.card_number FROM members m

SELECT id FROM members WHERE card_number LIKE 'CARD%'

SELECT id FROM members ORDER BY card_number

SELECT count(*) FROM members GROUP BY card_number

SELECT kind FROM members GROUP BY kind HAVING max(card_number) > ''

SELECT count(*) FILTER (WHERE card_number IS NULL) FROM members

SELECT id, rank() OVER (ORDER BY card_number) FROM members

SELECT id, rank() OVER w FROM members WINDOW w AS (PARTITION BY card_number)

SELECT string_agg(name, ',' ORDER BY card_number) FROM members

SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY card_number) FROM members

SELECT DISTINCT ON (card_number) id FROM members

SELECT public.members.card_number FROM public.members

SELECT (SELECT card_number) FROM members

SELECT id FROM members m WHERE EXISTS (SELECT 1 FROM books WHERE card_number = title)

SELECT l.x FROM members m, LATERAL (SELECT m.card_number AS x) l

SELECT v.x FROM members m CROSS JOIN LATERAL (VALUES (m.card_number)) v(x)

SELECT u FROM members, unnest(string_to_array(card_number, '-')) u

SELECT a.id FROM members a JOIN members b USING (card_number)

SELECT a.id FROM members a JOIN members b ON a.card_number = b.card_number

SELECT id FROM members JOIN (SELECT 'CARD-1' AS card_number) x USING (card_number)

-- Renaming a hidden column does not show it.
SELECT x FROM members AS m(a, b, c, d, e, x)

SELECT m.x FROM members AS m(a, b, c, d, e, x)

SELECT j.x FROM (members CROSS JOIN (SELECT 1 AS one) o) AS j(a, b, c, d, e, x)

-- An output column of the same name does not stand for a hidden one where PostgreSQL reads the input.
SELECT name AS card_number FROM members WHERE card_number > ''

SELECT name AS card_number FROM members GROUP BY name, card_number

SELECT name AS card_number FROM members ORDER BY card_number || ''

-- ON sees its own join only: this name is the outer hidden column, not the derived one beside it.
SELECT (SELECT 1 FROM (SELECT 1 AS card_number) a, books b JOIN loans l ON card_number IS NULL LIMIT 1) FROM members

-- A sub-select without LATERAL does not see its neighbours: this name is the outer hidden column.
SELECT (SELECT s.x FROM (SELECT 'a' AS card_number) a, (SELECT card_number AS x) s) FROM members

-- System columns.
SELECT ctid FROM books

SELECT b.xmin FROM books b

SELECT tableoid::int FROM loans

-- What is no column would be a function of the row.
SELECT m.peek FROM members m

SELECT b.peek FROM books b

SELECT books.text FROM books

SELECT b.name FROM books b

-- A function of the row, written as its field.
SELECT (b).peek FROM books b

SELECT (b).initcap FROM books b

SELECT (b).ctid FROM books b

-- refused: hidden_columns

SELECT * FROM members

TABLE members

SELECT m.* FROM members m

SELECT public.members.* FROM public.members

SELECT l.id, m.* FROM loans l JOIN members m ON m.id = l.member_id

SELECT * FROM (SELECT * FROM members) x

WITH m AS (TABLE members) SELECT name FROM m

SELECT m FROM members m

SELECT members FROM members

SELECT m::text FROM members m

SELECT to_jsonb(m) FROM members m

SELECT row_to_json(m.*) FROM members m

SELECT ROW(m.*) FROM members m

SELECT count(DISTINCT m) FROM members m

SELECT array_agg(m) FROM members m

SELECT m IS NOT NULL FROM members m

SELECT j FROM (members m CROSS JOIN books b) AS j

SELECT count(j) FROM (members m JOIN members n ON true) AS j

SELECT v.r FROM members m CROSS JOIN LATERAL (VALUES (m)) v(r)

SELECT id FROM members m ORDER BY m

SELECT EXISTS (SELECT * FROM members)

SELECT max(m::text) OVER () FROM members m

SELECT (m).name FROM members m

SELECT (m).card_number FROM members m

-- refused: function_not_allowed

SELECT unnest(enum_range(NULL::member_kind)) AS kind

SELECT enum_first(kind), enum_last(kind) FROM members LIMIT 1

SELECT peek()

SELECT public.peek()

SELECT peek(m) FROM (SELECT 1 AS id) m

SELECT * FROM peek()

SELECT initcap(genre) FROM books

SELECT "public"."initcap"(genre) FROM books

SELECT card_number(m) FROM members m

SELECT pg_sleep(10)

SELECT set_config('role', 'postgres', false)

SELECT current_setting('data_directory')

SELECT "pg_catalog"."pg_read_file"('/etc/passwd')

SELECT query_to_xml('SELECT 1', true, false, '')

SELECT * FROM ts_stat('SELECT 1')

SELECT nextval('ticket_seq')

SELECT lo_import('/etc/passwd')

SELECT version()

SELECT textin('x')

SELECT pg_typeof(genre) FROM books

SELECT CURRENT_USER

SELECT CURRENT_SCHEMA, SESSION_USER

SELECT id FROM books ORDER BY pg_backend_pid()

SELECT count(*) OVER (PARTITION BY pg_backend_pid()) FROM books

SELECT id FROM books LIMIT length(version())

SELECT tags[length(version())] FROM books

SELECT CASE WHEN true THEN version() END

SELECT jsonb_populate_record(NULL, '{}')

SELECT any_value(id) FROM books

-- It would look the text up in the catalog.
SELECT pg_typeof(title) = 'public.staff' FROM books

-- refused: operator_not_allowed

SELECT title === 'x' FROM books

SELECT title OPERATOR(public.===) 'x' FROM books

SELECT ||/ genre FROM books

SELECT id FROM books WHERE title === ANY (tags)

SELECT id FROM books ORDER BY title USING ===

SELECT ROW(1) *= ROW(1)

-- refused: type_not_allowed

SELECT 'books'::regclass

SELECT CAST('staff' AS pg_catalog.regclass)

SELECT regclass 'staff'

SELECT '{staff}'::regclass[]

SELECT 1::oid::regproc

SELECT 'x'::checked_text

SELECT 'x'::public.checked_text[]

SELECT '(1,x)'::pair

SELECT NULL::members

SELECT NULL::staff

SELECT 'x'::name

SELECT kind::integer FROM members

SELECT CAST(max(kind) AS int) FROM members

SELECT (CASE WHEN true THEN kind END)::int4 FROM members

SELECT x.k::int FROM (SELECT kind AS k FROM members) x

SELECT a FROM jsonb_to_record('{}') AS t(a regclass)

SELECT 'x'::public.text

-- refused: not_supported

SELECT (b).* FROM books b

SELECT (peek).id FROM (SELECT b AS peek FROM books b) x

SELECT (n).peek FROM generate_series(1, 3) n

SELECT (m).card_number FROM (SELECT 1 AS m) x

SELECT (jsonb_each(info)).key FROM books

SELECT $1

SELECT count(*) FROM books TABLESAMPLE peek(5)

SELECT title COLLATE public.mine FROM books

SELECT * FROM members NATURAL JOIN (SELECT 'x' AS card_number) x

-- Rows in FROM would bring column names of their own, and with them capture other names.
SELECT u FROM unnest(ARRAY(SELECT b FROM books b)) u

SELECT (SELECT u FROM unnest(ARRAY(SELECT b FROM books b)) u LIMIT 1) FROM members m(a, n, c, d, e, u)

SELECT u FROM unnest(to_tsvector('a b')) u

SELECT jsonb_path_query(info, ('$.' || title)::jsonpath) FROM books

SELECT json_array(1, 2)

SELECT format(title, 1) FROM books

-- What the grammar takes and libpg_query's deparser does not expect: it would read one kind of node as another.
SELECT * FROM NULLIF(1, 2)

SELECT trim(BOTH 'x' FROM title, title) FROM books

SELECT xmlroot('<a/>'::xml, version title) FROM books

SELECT '1'::pg_catalog.interval(3)

SELECT '1'::pg_catalog.timestamptz('x')

-- PostgreSQL 15 takes one column for another here, and ends with a segmentation fault.
WITH RECURSIVE t(id) AS (SELECT 1 UNION ALL SELECT id % 3 + 1 FROM t WINDOW w AS (PARTITION BY false ORDER BY (id::text, 4))) CYCLE id SET looped USING path SELECT id FROM t

WITH RECURSIVE t(id) AS (SELECT 1 UNION ALL SELECT id % 3 + 1 FROM t GROUP BY id) SEARCH DEPTH FIRST BY id SET place SELECT id FROM t

WITH RECURSIVE t(id) AS (SELECT 1 UNION ALL SELECT DISTINCT ON (id) id % 3 + 1 FROM t) CYCLE id SET looped USING path SELECT id FROM t

WITH RECURSIVE t(id) AS (SELECT 1 UNION ALL SELECT id + row_number() OVER (ORDER BY id)::int FROM t) CYCLE id SET looped USING path SELECT id FROM t

-- refused: not_read_only

SELECT id FROM books FOR UPDATE

SELECT id FROM (SELECT id FROM books FOR SHARE) x

SELECT id INTO copy FROM books

WITH d AS (DELETE FROM loans RETURNING id) SELECT id FROM d

SELECT (WITH u AS (UPDATE loans SET fee = 0 RETURNING id) SELECT max(id) FROM u)

DELETE FROM loans

INSERT INTO loans SELECT * FROM loans

UPDATE loans SET fee = 1

MERGE INTO loans USING books ON true WHEN MATCHED THEN DELETE

-- refused: not_a_query

EXPLAIN SELECT 1

SET ROLE postgres

COPY books TO STDOUT

DROP TABLE books

SHOW ALL

VACUUM

-- refused: not_one_statement

SELECT 1; SELECT 2

SELECT 1; DROP TABLE books

;;;

-- nothing but a comment

-- refused: parse_error

SELEC 1

SELECT FROM WHERE

SELECT * FROM books b, loans b

WITH a AS (SELECT 1), a AS (SELECT 2) SELECT 1

SELECT x FROM (SELECT 1) AS t(a, b)

SELECT 1 UNION SELECT 1, 2

SELECT U&'\d83d'

-- refused: too_expensive

SELECT repeat('x', 900000000)

SELECT repeat(repeat(repeat('x', 1000), 1000), 1000)

SELECT length(lpad('x', 260000000, 'y'))

SELECT repeat(title, 10000000) FROM books

SELECT format('%1000000000s', 'x')

SELECT format('%*s', 1000000000, 'x')

SELECT array_fill(0, ARRAY[100000000])

SELECT array_fill(0, '{1000,100000}'::int[])

SELECT 'x'::char(10000000)

SELECT replace(repeat('a', 900000), 'a', repeat('b', 1000))

SELECT count(*) FROM generate_series(1, 1000000000)

SELECT generate_series(1, 10 * 1000 * 1000)

SELECT n.k, repeat('x', n.k) FROM (SELECT 500000000 AS k) n

SELECT count(*) FROM books GROUP BY CUBE (id, title, genre, price, tags, info, added, "order")

SELECT jsonb_path_query(info, '$.** ? (@.** == 3)') FROM books

SELECT xpath('//a[count(preceding::a) > 1]', '<a/>'::xml)
