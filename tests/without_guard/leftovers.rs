//! The session that a query had, as the next one finds it. The role here may do anything, and the database offers a function that
//! runs any command: what the transaction and the reset undo must not depend on rights.

use db_chat::postgres::QueryError;
use db_chat::postgres::pool::DatabasePool;

use super::postgres::TestDatabase;
use super::{limits, run};

const DATABASE: &str = "
    CREATE TABLE counted (n int);
    CREATE FUNCTION run_command(command text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN EXECUTE command; RETURN 'done'; END $$;";

/// Everything that a session carries from one query to the next, and which session it is.
const SESSION: &str = "
    SELECT 'process', pg_backend_pid()::text
    UNION ALL SELECT 'user', session_user || ' as ' || current_user
    UNION ALL SELECT 'setting', name || ' = ' || setting FROM pg_settings WHERE source = 'session'
    UNION ALL SELECT 'channel', channel FROM pg_listening_channels() AS channel
    UNION ALL SELECT 'statement', name FROM pg_prepared_statements WHERE from_sql
    UNION ALL SELECT 'cursor', name FROM pg_cursors WHERE name <> 'db_chat_rows'
    UNION ALL SELECT 'lock', objid::text FROM pg_locks WHERE locktype = 'advisory'
    UNION ALL SELECT 'temporary', relname FROM pg_class WHERE relpersistence = 't'
    UNION ALL SELECT 'large object', oid::text FROM pg_largeobject_metadata
    UNION ALL SELECT 'row', n::text FROM public.counted
    ORDER BY 1, 2";

async fn session(pool: &DatabasePool) -> Vec<Vec<Option<String>>> {
    run(pool, SESSION, &limits()).await.expect("a look").rows
}

#[tokio::test]
async fn nothing_of_what_a_query_did_to_its_session_is_there_for_the_next() {
    let database = TestDatabase::create(DATABASE).await;
    let role = "CREATE ROLE somebody";
    database
        .admin()
        .await
        .batch_execute(role)
        .await
        .expect(role);
    let pool = database.pool(1);
    let before = session(&pool).await;
    for expression in [
        "set_config('work_mem', '99MB', false)",
        "set_config('TimeZone', 'Asia/Tokyo', false)",
        "set_config('role', 'somebody', false)",
        "set_config('session_authorization', 'somebody', false)",
        "set_config('statement_timeout', '0', false)",
        "set_config('my.own', 'x', false)",
        "pg_advisory_lock(1)",
        "pg_try_advisory_lock_shared(2)",
        "pg_advisory_xact_lock(3)",
        "lo_creat(-1)",
        "public.run_command('LISTEN jobs')",
        "public.run_command('SET work_mem = ''99MB''')",
        "public.run_command('PREPARE kept AS SELECT 1')",
        "public.run_command('PREPARE \"odd \"\" name\" AS SELECT 1')",
        "public.run_command('DECLARE held CURSOR WITH HOLD FOR SELECT 1')",
    ] {
        let sql = format!("SELECT {expression}");
        run(&pool, &sql, &limits()).await.expect(&sql);
        assert_eq!(session(&pool).await, before, "after {sql}");
    }
}

#[tokio::test]
async fn what_writes_is_refused_though_the_role_could() {
    let database = TestDatabase::create(DATABASE).await;
    let pool = database.pool(1);
    for command in [
        "INSERT INTO public.counted VALUES (1)",
        "CREATE TEMPORARY TABLE mine (n int)",
        "CREATE TABLE public.mine (n int)",
        "SET transaction_read_only = off",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; INSERT INTO public.counted VALUES (1)",
        "COMMIT",
        "NOTIFY jobs; INSERT INTO public.counted VALUES (1)",
    ] {
        let sql = format!("SELECT public.run_command('{command}')");
        match run(&pool, &sql, &limits()).await {
            Err(QueryError::Refused { sqlstate, .. }) => {
                assert!(
                    matches!(sqlstate.as_str(), "25006" | "25001" | "0A000" | "2D000"),
                    "{sql}: {sqlstate}"
                );
            }
            other => panic!("{sql}: {other:?}"),
        }
    }
    let rows = run(&pool, "SELECT n FROM public.counted", &limits()).await;
    assert_eq!(rows.expect("no rows").rows.len(), 0);
}

/// The extended protocol takes one statement, and the cursor nothing but a query: a text that is more is an error before any of it runs.
#[tokio::test]
async fn a_text_of_several_statements_or_of_none_that_reads_is_an_error() {
    let database = TestDatabase::create(DATABASE).await;
    let pool = database.pool(1);
    for sql in [
        "SELECT 1; INSERT INTO public.counted VALUES (1)",
        "SELECT 1; COMMIT; INSERT INTO public.counted VALUES (1); BEGIN",
        "SELECT 'a'::text) AS r(c0); INSERT INTO public.counted VALUES (1); SELECT 1 FROM (SELECT 'a'::text",
        "INSERT INTO public.counted VALUES (1)",
        "INSERT INTO public.counted VALUES (1) RETURNING n",
        "SET work_mem = '99MB'",
        "CALL public.nothing()",
        "DO 'BEGIN INSERT INTO public.counted VALUES (1); END'",
        "COPY public.counted FROM PROGRAM 'echo 1'",
    ] {
        let outcome = run(&pool, sql, &limits()).await;
        assert!(
            matches!(outcome, Err(QueryError::Refused { .. })),
            "{sql}: {outcome:?}"
        );
    }
    let rows = run(&pool, "SELECT n FROM public.counted", &limits()).await;
    assert_eq!(rows.expect("no rows").rows.len(), 0);
}
