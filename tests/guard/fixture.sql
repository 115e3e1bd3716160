-- A small library for the guard's tests.
--
-- Allowed: books, members (without card_number), loans, loan_summary. Everything else is there to be reached by mistake.

CREATE SCHEMA archive;

CREATE TYPE public.genre AS ENUM ('novel', 'poetry', 'science');
CREATE TYPE public.member_kind AS ENUM ('child', 'adult');

CREATE TABLE public.books (
    id integer PRIMARY KEY,
    title text NOT NULL,
    genre public.genre NOT NULL,
    price numeric(8,2) NOT NULL,
    tags text[] NOT NULL DEFAULT '{}',
    info jsonb NOT NULL DEFAULT '{}',
    "shelfNo" text,
    "order" integer,
    added date NOT NULL
);
CREATE TABLE public.members (
    id integer PRIMARY KEY,
    name text NOT NULL,
    email text,
    kind public.member_kind NOT NULL,
    joined timestamptz NOT NULL,
    card_number text
);
CREATE TABLE public.loans (
    id integer PRIMARY KEY,
    book_id integer NOT NULL REFERENCES public.books (id),
    member_id integer NOT NULL REFERENCES public.members (id),
    lent_at timestamptz NOT NULL,
    due date,
    fee numeric(6,2) NOT NULL DEFAULT 0
);

INSERT INTO public.books
SELECT i, 'Book ' || i, (ARRAY['novel', 'poetry', 'science']::public.genre[])[1 + i % 3], 5 + i,
       CASE WHEN i % 2 = 0 THEN ARRAY['new', 'lent'] ELSE '{}' END,
       jsonb_build_object('pages', 100 + i, 'authors', jsonb_build_array('A' || i, 'B')), 'S-' || i, i, date '2024-01-01' + i
FROM generate_series(1, 12) AS i;
INSERT INTO public.members
SELECT i, 'Member ' || i, CASE WHEN i % 3 > 0 THEN 'm' || i || '@example.com' END,
       (ARRAY['child', 'adult']::public.member_kind[])[1 + i % 2], timestamptz '2024-01-01 10:00+00' + i * interval '3 days', 'CARD-' || i
FROM generate_series(1, 8) AS i;
INSERT INTO public.loans
SELECT i, 1 + i % 12, 1 + i % 8, timestamptz '2024-02-01 09:00+00' + i * interval '1 day', date '2024-02-15' + i, (i % 4) * 0.5
FROM generate_series(1, 40) AS i;

CREATE VIEW public.loan_summary AS
SELECT b.title, count(*) AS times, sum(l.fee) AS fees
FROM public.loans l JOIN public.books b ON b.id = l.book_id GROUP BY b.title;

CREATE TABLE public.staff (id integer PRIMARY KEY, name text, wage numeric);
INSERT INTO public.staff VALUES (1, 'Ann', 4100), (2, 'Bob', 3900);
CREATE TABLE public."Loans" (id integer, note text);
CREATE TABLE archive.loans (id integer, reason text);
CREATE SEQUENCE public.ticket_seq;

CREATE FUNCTION public.peek() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT max(wage)::text FROM public.staff';
CREATE FUNCTION public.peek(m public.members) RETURNS text LANGUAGE sql STABLE AS 'SELECT m.card_number';
CREATE FUNCTION public.peek(b public.books) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT max(wage)::text FROM public.staff';
CREATE FUNCTION public.initcap(g public.genre) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT max(wage)::text FROM public.staff';
CREATE FUNCTION public.kind_number(k public.member_kind) RETURNS integer LANGUAGE sql STABLE AS 'SELECT count(*)::int FROM public.staff';
CREATE CAST (public.member_kind AS integer) WITH FUNCTION public.kind_number(public.member_kind);
CREATE FUNCTION public.same(a text, b text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT a = b';
CREATE OPERATOR public.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = public.same);
CREATE OPERATOR public.||/ (RIGHTARG = public.genre, FUNCTION = public.initcap);
CREATE DOMAIN public.checked_text AS text CHECK (public.peek() IS NOT NULL);
CREATE TYPE public.pair AS (a integer, b text);
