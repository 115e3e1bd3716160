-- Statements that the guard must let through, one a paragraph. A comment above says what is special, where it is not plain.

SELECT count(*) FROM books

select Title, PRICE from Public.BOOKS as b where b.price > 10 order by price desc nulls last limit 3

-- The table's own name, its schema and the database's all qualify a column.
SELECT books.title, public.books.price FROM public.books

SELECT "order", "shelfNo" FROM books WHERE "shelfNo" IS NOT NULL ORDER BY "order"

SELECT id, name, email FROM members WHERE email IS NULL

-- A star is fine where every column may be read.
SELECT * FROM loans

TABLE books

SELECT l.*, b.title FROM loans l JOIN books b ON b.id = l.book_id

SELECT * FROM (SELECT id, name FROM members) m

SELECT m.* FROM (SELECT id, name AS card_number FROM members) m

-- Whole rows likewise.
SELECT to_jsonb(b) - 'info' FROM books b WHERE b.id = 1

SELECT row_to_json(l) FROM loans l LIMIT 1

SELECT b::text FROM books b LIMIT 1

SELECT ROW(l.*) = ROW(l.*) FROM loans l LIMIT 1

-- count(t) counts rows; over a table with a hidden column the key is counted instead.
SELECT count(m), count(m.*) FROM members m

SELECT b.id, count(m) FROM books b LEFT JOIN members m ON m.id = b.id GROUP BY b.id

SELECT count(l), count(DISTINCT l) FROM loans l

-- A field of a row that a table gives is its column.
SELECT (b).title, (b).price * 2 AS double FROM books b WHERE (b).id = 1

SELECT (x).n FROM (SELECT count(*) AS n FROM loans) x

-- Joins.
SELECT b.title, m.name FROM loans l JOIN books b ON b.id = l.book_id JOIN members m ON m.id = l.member_id ORDER BY 1, 2

SELECT book_id, x.n FROM loans JOIN (SELECT book_id, count(*) AS n FROM loans GROUP BY 1) x USING (book_id)

SELECT k.book_id, fee FROM loans JOIN (SELECT id AS book_id FROM books) b USING (book_id) AS k

SELECT * FROM (SELECT id, title FROM books) b NATURAL JOIN (SELECT id, name FROM members) m

SELECT j.title, j.n FROM (books b CROSS JOIN (SELECT 1 AS n) x) AS j

SELECT m.name, t.title FROM members m CROSS JOIN LATERAL (SELECT b.title FROM loans l JOIN books b ON b.id = l.book_id WHERE l.member_id = m.id ORDER BY l.id LIMIT 1) t

SELECT a.id, b.id FROM loans a FULL JOIN loans b ON a.id = b.id + 1

-- CTEs.
WITH staff AS (SELECT id, title FROM books) SELECT title FROM staff

WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT sum(i) FROM n

WITH RECURSIVE late AS (SELECT id FROM early), early AS (SELECT id FROM books) SELECT count(*) FROM late

WITH members AS (SELECT id, name FROM members) SELECT * FROM members

WITH a AS (WITH b AS (SELECT fee FROM loans) SELECT sum(fee) AS s FROM b) SELECT s FROM a

WITH RECURSIVE t(id, up) AS (SELECT 1, 0 UNION ALL SELECT id + 1, id FROM t WHERE id < 4) SEARCH DEPTH FIRST BY id SET ord SELECT id FROM t ORDER BY ord

WITH RECURSIVE t(id) AS (SELECT 1 UNION ALL SELECT id % 3 + 1 FROM t) CYCLE id SET looped USING path SELECT id, looped FROM t

SELECT (WITH x AS (SELECT l.fee) SELECT fee FROM x) FROM loans l LIMIT 2

WITH x AS NOT MATERIALIZED (SELECT id FROM books) SELECT count(*) FROM x a JOIN x b USING (id)

-- Names that are spelled like something else.
SELECT books.fee FROM loans AS books

SELECT staff.title FROM books AS staff

SELECT price AS wage, title AS card_number FROM books ORDER BY card_number

SELECT title AS name FROM books GROUP BY title ORDER BY name

SELECT x.xmin FROM (SELECT id AS xmin FROM books) x

SELECT loans FROM (SELECT 1 AS loans) books

SELECT peek FROM generate_series(1, 3) AS peek

SELECT title FROM books WHERE abs(hashtext(title)) % 10 = 0

-- Grouping, windows, ordered-set aggregates.
SELECT genre, count(*) FILTER (WHERE price > 10), avg(price)::numeric(10,2) FROM books GROUP BY genre HAVING count(*) > 1

SELECT genre, added, count(*), grouping(genre) FROM books GROUP BY ROLLUP (genre, added)

SELECT genre, "order" FROM books GROUP BY GROUPING SETS ((genre, "order"), (genre), ())

SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY price), mode() WITHIN GROUP (ORDER BY genre) FROM books

SELECT id, sum(fee) OVER w, lag(fee, 1, 0.0) OVER (PARTITION BY book_id ORDER BY lent_at) FROM loans WINDOW w AS (ORDER BY lent_at ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)

SELECT DISTINCT ON (book_id) book_id, lent_at FROM loans ORDER BY book_id, lent_at DESC

SELECT max(genre), min(kind) FROM books, members

-- Set operations and VALUES.
SELECT id FROM books UNION SELECT id FROM loans EXCEPT SELECT 1 ORDER BY id LIMIT 4

(SELECT title FROM books ORDER BY price LIMIT 2) UNION ALL (SELECT name FROM members LIMIT 2)

SELECT v.label, count(*) FROM loans JOIN (VALUES (0, 'free'), (1, 'paid')) AS v(paid, label) ON v.paid = (fee > 0)::int GROUP BY 1

-- An assertion of the parser does not hold here; it is built without them, see .cargo/config.toml.
(SELECT 1 LIMIT 1) OFFSET 0

(SELECT title FROM books ORDER BY id OFFSET 1) LIMIT 1

VALUES (1, 'a'), (2, 'b')

-- Sub-selects.
SELECT title FROM books WHERE id IN (SELECT book_id FROM loans WHERE fee > 0)

SELECT name FROM members m WHERE NOT EXISTS (SELECT 1 FROM loans l WHERE l.member_id = m.id AND l.fee > 1)

SELECT name, (SELECT max(fee) FROM loans WHERE member_id = members.id) AS dearest FROM members

SELECT ARRAY(SELECT id FROM books ORDER BY id), (1, 2) < (SELECT 1, 3), 3 = ANY (SELECT id FROM books)

-- Expressions.
SELECT CASE genre WHEN 'novel' THEN 1 ELSE 2 END, COALESCE(NULLIF("shelfNo", ''), '-'), GREATEST(price, 10), LEAST(1, 2) FROM books

SELECT genre::text, 'novel'::genre = genre, '{novel,poetry}'::public.genre[] @> ARRAY[genre] FROM books

SELECT title LIKE 'B%', title ILIKE 'b_ok%', title SIMILAR TO 'B(oo|aa)k%', title ~* '^book', title NOT BETWEEN 'A' AND 'B' FROM books

SELECT tags[1], tags[1:2], info['authors'][0], info -> 'pages', info ->> 'pages', info #>> '{authors,0}', info @> '{"pages": 101}', info ? 'pages' FROM books

SELECT price IS DISTINCT FROM 3, (price > 3) IS NOT TRUE, NOT (price > 3 AND price < 9 OR price = 1), -price, price ^ 2, 7 % 3 FROM books

SELECT title COLLATE "C" FROM books ORDER BY title COLLATE "und-x-icu"

-- Functions, and what the grammar makes functions of.
SELECT extract(year FROM lent_at), date_trunc('month', lent_at), lent_at AT TIME ZONE 'Europe/Paris', (lent_at, due) OVERLAPS (lent_at, due) FROM loans

SELECT substring(title FROM 1 FOR 3), substring(title FROM '[0-9]+'), overlay(title PLACING 'x' FROM 1), position('k' IN title), trim(BOTH 'B' FROM title) FROM books

SELECT now() - interval '3 days', CURRENT_DATE, LOCALTIMESTAMP(0) IS NOT NULL, date '2024-01-31' + interval '1 month', date(lent_at), age(due) FROM loans

SELECT string_agg(DISTINCT title, ', ' ORDER BY title), array_agg(id ORDER BY id DESC), json_object_agg(id, title), bool_or(price > 3) FROM books

SELECT make_interval(days => 3), format('%s has %s', title, price), concat_ws('-', VARIADIC tags), repeat('*', 5), lpad(id::text, 4, '0') FROM books

SELECT jsonb_path_query_first(info, '$.authors[*] ? (@ starts with "A")'), jsonb_path_exists(info, '$.pages') FROM books

SELECT to_tsvector('english', title) @@ plainto_tsquery('english', 'book'), ts_rank(to_tsvector(title), to_tsquery('book')) FROM books

SELECT regexp_replace(title, '[0-9]', '#', 'g'), (regexp_match(title, '(\d+)'))[1]::int, random() < 2 FROM books

SELECT interval '3' day, interval '1 2:03' day to minute, '5 s'::interval(2), interval(0) '1.5 s', timestamptz(0) '2024-01-01', trim(title), trim(LEADING FROM title) FROM books

SELECT 't'::boolean, 'f'::bool, CAST('true' AS boolean), CAST('t' AS boolean) = true, gen_random_uuid() IS NOT NULL

SELECT pg_catalog.lower(title), title OPERATOR(pg_catalog.||) '!' FROM books

-- A name is a column of any level before it is a row: b is the name of a member here, and u its letters.
SELECT (SELECT u FROM unnest(ARRAY(SELECT b FROM books b)) u LIMIT 1) FROM members m(a, b, c, d, e)

-- Functions in FROM.
SELECT t.tag, count(*) FROM books b, unnest(b.tags) WITH ORDINALITY AS t(tag, place) GROUP BY 1

SELECT b.id, e.key, e.value FROM books b, jsonb_each(b.info) e

SELECT b.id, author FROM books b CROSS JOIN LATERAL jsonb_array_elements_text(b.info -> 'authors') AS author

SELECT value FROM books, jsonb_array_elements(info -> 'authors')

SELECT d::date FROM generate_series(date '2024-01-01', date '2024-01-05', interval '1 day') AS d

SELECT * FROM ROWS FROM (generate_series(1, 2), unnest(ARRAY['a', 'b'])) AS r(n, letter)

SELECT x.pages FROM books, jsonb_to_record(info) AS x(pages int)

SELECT a, b FROM unnest(ARRAY[1, 2], ARRAY['x', 'y']) AS t(a, b)

SELECT x.a FROM XMLTABLE('/r/i' PASSING ('<r><i a="1"/></r>'::xml) COLUMNS a int PATH '@a') AS x

SELECT xmlelement(name book, xmlattributes(id AS number), title) FROM books LIMIT 1

-- Quoting survives being written out.
SELECT E'tab\there', 'it''s', $x$dollar $$ inside$x$, U&'\0041', 'back\slash', '/* no comment */' AS "a ""quoted"" name"

SELECT id AS "select", title AS "Ünïcode" FROM books AS "my table" WHERE "my table".id = 1

SELECT 1; ;

((SELECT 1))
