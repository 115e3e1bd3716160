//! The connection under a query: stopping it, losing it, and what is left on it.

use super::*;

async fn wait_for_running(client: &tokio_postgres::Client, wanted: i64) {
    wait_for_sessions(client, "AND state = 'active'", wanted).await;
}

async fn start_slow(
    database: &TestDatabase,
    pool: &DatabasePool,
    cancel: &CancellationToken,
) -> tokio::task::JoinHandle<Result<db_chat::domain::result::ResultSet, QueryError>> {
    let sql = checked("SELECT n FROM public.slow", &database.snapshot().await);
    let (pool, cancel) = (pool.clone(), cancel.clone());
    tokio_util::task::TaskTracker::new().spawn(async move {
        read_only::run(&pool, &sql, &RowScope::Everybody, &limits(), &cancel).await
    })
}

#[tokio::test]
async fn a_cancelled_query_stops_in_postgresql_and_its_connection_is_gone() {
    let database = TestDatabase::create(MUCH).await;
    let (admin, pool, cancel) = (
        database.admin().await,
        database.pool(1),
        CancellationToken::new(),
    );
    let query = start_slow(&database, &pool, &cancel).await;
    wait_for_running(&admin, 1).await;
    cancel.cancel();
    assert!(matches!(
        query.await.expect("a task"),
        Err(QueryError::Cancelled)
    ));
    wait_for_running(&admin, 0).await;
    // The pool has room again, for a connection that never saw the cancelled query.
    let sql = checked("SELECT 1", &database.snapshot().await);
    let result = read_only::run(
        &pool,
        &sql,
        &RowScope::Everybody,
        &limits(),
        &CancellationToken::new(),
    )
    .await;
    assert_eq!(result.expect("a row").rows, [[Some("1".to_owned())]]);
}

#[tokio::test]
async fn a_query_whose_caller_goes_away_stops_in_postgresql() {
    let database = TestDatabase::create(MUCH).await;
    let (admin, pool) = (database.admin().await, database.pool(1));
    let query = start_slow(&database, &pool, &CancellationToken::new()).await;
    wait_for_running(&admin, 1).await;
    query.abort();
    wait_for_running(&admin, 0).await;
}

/// As a client before this one leaves it on a server that a pooler hands round.
#[tokio::test]
async fn a_pooler_that_mixes_up_prepared_statements_is_named_and_what_to_change() {
    let database = TestDatabase::create(
        "CREATE FUNCTION mix_up() RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'EXECUTE of_another'; RETURN 1; END $$;
         CREATE VIEW mixed_up AS SELECT public.mix_up() AS n;",
    )
    .await;
    let outcome = run(&database, "SELECT n FROM public.mixed_up", limits()).await;
    let Err(QueryError::Unavailable { source }) = outcome else {
        panic!("{outcome:?}");
    };
    for part in ["pool_mode = session", "max_prepared_statements"] {
        assert!(source.to_string().contains(part), "{source}");
    }
}

#[tokio::test]
async fn a_full_pool_is_waited_for_and_then_said_so() {
    let database = TestDatabase::create(MUCH).await;
    let limits_of_pool = db_chat::postgres::pool::PoolLimits {
        connections_max: 1,
        wait_timeout: Duration::from_millis(50),
    };
    let pool = DatabasePool::new(&database.url(), limits_of_pool).expect("a pool");
    let (admin, cancel) = (database.admin().await, CancellationToken::new());
    let query = start_slow(&database, &pool, &cancel).await;
    wait_for_running(&admin, 1).await;
    let sql = checked("SELECT 1", &database.snapshot().await);
    let outcome = read_only::run(
        &pool,
        &sql,
        &RowScope::Everybody,
        &limits(),
        &CancellationToken::new(),
    )
    .await;
    assert!(
        matches!(outcome, Err(QueryError::PoolTimeout { .. })),
        "{outcome:?}"
    );
    cancel.cancel();
    assert!(query.await.expect("a task").is_err());
}

#[tokio::test]
async fn a_connection_that_the_server_has_closed_is_replaced() {
    let database = TestDatabase::create("").await;
    let (admin, pool) = (database.admin().await, database.pool(1));
    let sql = checked("SELECT 1", &database.snapshot().await);
    for _ in 0..3 {
        read_only::run(
            &pool,
            &sql,
            &RowScope::Everybody,
            &limits(),
            &CancellationToken::new(),
        )
        .await
        .expect("a row");
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'db-chat' AND datname = current_database()";
        admin.batch_execute(kill).await.expect("killed");
        wait_for_sessions(&admin, "", 0).await;
    }
}

#[tokio::test]
async fn the_session_is_read_only_and_its_settings_are_ours() {
    let database = TestDatabase::create(
        "CREATE TABLE written (n int);
         CREATE FUNCTION writes() RETURNS int LANGUAGE sql AS 'INSERT INTO public.written VALUES (1) RETURNING n';
         CREATE VIEW sneaky AS SELECT public.writes() AS n;
         CREATE VIEW settings AS SELECT name, setting FROM pg_settings;",
    )
    .await;
    match run(&database, "SELECT n FROM public.sneaky", limits()).await {
        Err(QueryError::Refused { sqlstate, .. }) => assert_eq!(sqlstate, "25006"),
        other => panic!("{other:?}"),
    }
    let sql = "SELECT name, setting FROM public.settings WHERE name IN ('search_path', 'transaction_read_only', 'statement_timeout', 'lock_timeout', \
               'idle_in_transaction_session_timeout', 'row_security', 'application_name', 'cursor_tuple_fraction') ORDER BY name";
    let result = run(&database, sql, limits()).await.expect("settings");
    let settings: Vec<(&str, &str)> = result
        .rows
        .iter()
        .map(|row| {
            (
                row[0].as_deref().unwrap_or(""),
                row[1].as_deref().unwrap_or(""),
            )
        })
        .collect();
    assert_eq!(
        settings,
        [
            ("application_name", "db-chat"),
            ("cursor_tuple_fraction", "1"),
            ("idle_in_transaction_session_timeout", "5000"),
            ("lock_timeout", "15000"),
            ("row_security", "on"),
            ("search_path", "pg_catalog"),
            ("statement_timeout", "15000"),
            ("transaction_read_only", "on"),
        ]
    );
}

#[tokio::test]
async fn nothing_of_a_session_is_left_for_the_next_query() {
    let database = TestDatabase::create(
        "CREATE VIEW locking AS SELECT pg_advisory_lock(42)::text AS l, set_config('search_path', 'public', false) AS s;
         CREATE VIEW settings AS SELECT setting FROM pg_settings WHERE name = 'search_path';
         CREATE VIEW locks AS SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory';",
    )
    .await;
    let (snapshot, pool) = (database.snapshot().await, database.pool(1));
    let run = |sql: &str| {
        let sql = checked(sql, &snapshot);
        let pool = pool.clone();
        async move {
            read_only::run(
                &pool,
                &sql,
                &RowScope::Everybody,
                &limits(),
                &CancellationToken::new(),
            )
            .await
            .expect("rows")
            .rows
        }
    };
    run("SELECT l, s FROM public.locking").await;
    assert_eq!(
        run("SELECT n FROM public.locks").await,
        [[Some("0".to_owned())]]
    );
    assert_eq!(
        run("SELECT setting FROM public.settings").await,
        [[Some("pg_catalog".to_owned())]]
    );
    assert_eq!(pool.connections_count(), 1);
}

#[tokio::test]
async fn a_database_that_is_away_is_said_so() {
    let database = TestDatabase::create("").await;
    let sql = checked("SELECT 1", &database.snapshot().await);
    let pool = pool("postgresql://nobody@127.0.0.1:1/nothing", 1);
    let outcome = read_only::run(
        &pool,
        &sql,
        &RowScope::Everybody,
        &limits(),
        &CancellationToken::new(),
    )
    .await;
    assert!(
        matches!(outcome, Err(QueryError::Unavailable { .. })),
        "{outcome:?}"
    );
}
