-- Statements for the role alone, one a paragraph, with the guard switched off. The heading above says what they are after. Which of
-- them the role lets through is written in docs/SECURITY.md, and nowhere else; the guard refuses every one.

-- family: denied rows

SELECT wage FROM public.staff

SELECT name FROM archive.loans

SELECT note FROM public."Loans"

SELECT card_number FROM public.members

SELECT * FROM public.members

SELECT m FROM public.members m

SELECT to_jsonb(m) FROM public.members m

SELECT id FROM public.members ORDER BY card_number

SELECT count(*) FROM public.staff

SELECT a.id FROM public.members a JOIN public.members b USING (card_number)

SELECT last_value FROM public.ticket_seq

SELECT most_common_vals FROM pg_statistic

SELECT rolpassword FROM pg_authid

SELECT lomode FROM pg_largeobject_metadata, LATERAL (SELECT data AS lomode FROM pg_largeobject) d

-- family: functions of the database

SELECT public.peek()

SELECT b.peek FROM public.books b

SELECT public.initcap(genre) FROM public.books

SELECT OPERATOR(public.||/) genre FROM public.books

SELECT max(kind::integer) FROM public.members

SELECT 'x'::public.checked_text

SELECT * FROM public.peek()

-- family: SQL inside a text

SELECT query_to_xml('SELECT wage FROM public.staff', true, false, '')

SELECT table_to_xml('public.staff', true, false, '')

SELECT schema_to_xml('public', true, false, '')

SELECT database_to_xml(true, false, '')

SELECT cursor_to_xml('db_chat_rows', 1, true, false, '')

SELECT table_to_xmlschema('public.staff', true, false, '')

SELECT word FROM ts_stat('SELECT to_tsvector(name) FROM public.staff')

SELECT ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery, ''b''::tsquery')

-- family: writing

WITH gone AS (DELETE FROM public.loans RETURNING id) SELECT id FROM gone

SELECT nextval('public.ticket_seq')

SELECT setval('public.ticket_seq', 7)

SELECT id FROM public.books FOR UPDATE

SELECT id INTO public.copy FROM public.books

SELECT lo_creat(-1)

SELECT lo_create(0)

SELECT lo_from_bytea(0, '\x00')

SELECT lo_put(1, 0, '\x00')

SELECT lo_import('/etc/hostname')

SELECT pg_logical_emit_message(false, 'a', 'b')

SELECT pg_logical_emit_message(true, 'a', 'b')

SELECT pg_create_restore_point('a')

SELECT txid_current()

SELECT pg_current_xact_id()

-- family: more than one query

SELECT 1; DELETE FROM public.loans

SELECT 1; COMMIT; DELETE FROM public.loans

SELECT 1) AS r(c0); DELETE FROM public.loans; SELECT 1 FROM (SELECT 1

-- family: statements that are no query

DELETE FROM public.loans

SET work_mem = '1GB'

SET ROLE postgres

RESET ALL

LISTEN jobs

NOTIFY jobs

PREPARE kept AS SELECT 1

DECLARE held CURSOR WITH HOLD FOR SELECT 1

CREATE TEMPORARY TABLE mine (id integer)

CREATE TABLE public.mine (id integer)

COPY public.books TO STDOUT

COPY public.books TO PROGRAM 'true'

EXPLAIN ANALYZE SELECT 1

DO 'BEGIN END'

COMMIT

ROLLBACK

SAVEPOINT a

LOCK TABLE public.books

VACUUM

-- family: settings, locks and messages

SELECT set_config('work_mem', '1GB', false)

SELECT set_config('transaction_read_only', 'off', false)

SELECT set_config('role', 'postgres', false)

SELECT set_config('search_path', 'public', false)

SELECT pg_advisory_lock(1)

SELECT pg_try_advisory_lock_shared(2)

SELECT pg_advisory_xact_lock(3)

SELECT pg_notify('jobs', 'run')

SELECT pg_export_snapshot()

SELECT setseed(0.5)

SELECT pg_sleep(0)

SELECT pg_sleep_for('1 ms')

SELECT pg_cancel_backend(pg_backend_pid())

SELECT pg_terminate_backend(1)

SELECT pg_reload_conf()

SELECT pg_advisory_unlock_all()

-- family: files and other servers

SELECT pg_read_file('PG_VERSION')

SELECT pg_read_binary_file('PG_VERSION')

SELECT pg_ls_dir('.')

SELECT pg_stat_file('PG_VERSION')

SELECT pg_relation_filepath('public.staff')

SELECT lo_export(1, '/tmp/x')

SELECT pg_current_wal_lsn()

-- family: what others do

SELECT query FROM pg_stat_activity

SELECT n_live_tup FROM pg_stat_user_tables

SELECT pid FROM pg_locks

SELECT slot_name FROM pg_replication_slots

SELECT gid FROM pg_prepared_xacts

SELECT datname, xact_commit FROM pg_stat_database

SELECT pg_relation_size('public.staff')

SELECT pg_database_size('postgres')

-- family: the server's configuration

SELECT name, setting FROM pg_settings

SELECT system_identifier FROM pg_control_system()

SELECT inet_server_addr()

SELECT pg_postmaster_start_time()

SELECT name FROM pg_available_extensions

SELECT current_setting('data_directory')

SELECT current_setting('statement_timeout')

SELECT version()

SELECT pg_is_in_recovery()

-- family: who and where one is

SELECT CURRENT_USER

SELECT SESSION_USER

SELECT current_database()

SELECT pg_backend_pid()

SELECT current_schema

-- family: system catalogs

SELECT relname, reltuples FROM pg_class

SELECT attname FROM pg_attribute

SELECT nspname FROM pg_namespace

SELECT typname FROM pg_type

SELECT enumlabel FROM pg_enum

SELECT conname FROM pg_constraint

SELECT proname, prosrc FROM pg_proc

SELECT tgname FROM pg_trigger

SELECT description FROM pg_description

SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef

SELECT rolname FROM pg_roles

SELECT datname FROM pg_database

SELECT extname FROM pg_extension

SELECT most_common_vals FROM pg_stats WHERE tablename = 'books'

SELECT schemaname, tablename FROM pg_tables

SELECT indexdef FROM pg_indexes

SELECT table_name FROM information_schema.tables

SELECT definition FROM pg_views

-- family: catalogs through functions

SELECT to_regclass('public.staff')

SELECT has_table_privilege('public.staff', 'SELECT')

SELECT pg_has_role('pg_monitor', 'MEMBER')

SELECT col_description('public.books'::regclass, 1)

SELECT format_type(25, NULL)

SELECT pg_table_is_visible('public.staff'::regclass)

SELECT pg_get_constraintdef(oid) FROM pg_constraint

SELECT pg_get_function_arguments(oid) FROM pg_proc

SELECT pg_get_viewdef('public.loan_summary'::regclass)

SELECT pg_get_functiondef(oid) FROM pg_proc WHERE prosecdef

-- family: names by conversion

SELECT 'public.staff'::regclass

SELECT 1259::oid::regclass

SELECT 'postgres'::regrole

SELECT 'archive'::regnamespace

SELECT 'public.peek()'::regprocedure

SELECT 'public.pair'::regtype

SELECT regclassin('public.staff')

SELECT enum_in('novel', 'public.genre'::regtype)

-- family: columns by row types

SELECT (NULL::public.staff).*

SELECT to_jsonb(ROW(1, 'a', 2)::public.staff)

SELECT * FROM jsonb_populate_record(NULL::public.staff, '{"id": 1}')

SELECT (NULL::public.pair).b

-- family: system columns

SELECT ctid FROM public.books

SELECT xmin FROM public.books

SELECT tableoid FROM public.books
