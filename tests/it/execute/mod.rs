//! How checked SQL runs: values as psql prints them, limits, errors, and what happens when someone stops it.

mod sessions;

use std::time::Duration;

use db_chat::domain::result::{Truncation, ValueKind};
use db_chat::postgres::QueryError;
use db_chat::postgres::pool::DatabasePool;
use db_chat::postgres::read_only::{self, ExecutionLimits};
use db_chat::postgres::row_scope::RowScope;
use tokio_util::sync::CancellationToken;

use crate::support::postgres::{TestDatabase, as_psql_prints, checked, pool, wait_for_sessions};

/// Every builtin type that a table can hold, types of users, and the values at their edges.
const SAMPLES: &str = r#"
    CREATE TYPE mood AS ENUM ('In Transit', 'on hold');
    CREATE TYPE pair AS (a int, b text);
    CREATE DOMAIN euros AS numeric(12,2);
    CREATE TABLE samples (
        n int, c_int2 int2, c_int4 int4, c_int8 int8, c_numeric numeric, c_float4 float4, c_float8 float8,
        c_bool bool, c_text text, c_varchar varchar(20), c_bpchar char(8), c_char "char", c_name name, c_bytea bytea,
        c_date date, c_ts timestamp, c_tstz timestamptz, c_time time, c_timetz timetz, c_interval interval,
        c_uuid uuid, c_json json, c_jsonb jsonb, c_xml xml, c_inet inet, c_cidr cidr, c_macaddr macaddr,
        c_bit bit(4), c_varbit varbit, c_point point, c_polygon polygon, c_money money, c_oid oid,
        c_tsvector tsvector, c_int4range int4range, c_nummultirange text, c_ints int[], c_texts text[],
        c_mood mood, c_moods mood[], c_pair pair, c_euros euros, c_grid int[][]);
    INSERT INTO samples VALUES
      (1, -32768, 2147483647, 9223372036854775807, 123456789012345678901234567890.1234567890, 0.1, 0.30000000000000004,
       true, E'tab\t"quote"\nline \\ ünïcödé 🦀', 'varchar', 'pad', 'x', 'name', '\x00ff10',
       '2024-02-29', '2024-02-29 12:34:56.789', '2024-02-29 12:34:56.789+02', '23:59:59.5', '23:59:59+05:30', '1 year 2 mons 3 days 04:05:06.7',
       '3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b', '{"a" :  1, "a": 2}', '{"b": [1, null, "x"]}', '<?xml version="1.0" encoding="UTF-8"?><a>&lt;</a>', '10.0.0.1', '10.0.0.0/8', '08:00:2b:01:02:03',
       B'1010', B'101', '(1.5,-2)', '((0,0),(1,1),(1,0))', 1234.5, 4294967295,
       'a fat cat', '[1,5)', NULL, '{1,NULL,3}', '{a,"b c",NULL,"NULL","q\"r"}',
       'In Transit', '{"on hold","In Transit"}', '(1,"x y")', 10.50, '{{1,2},{3,4}}'),
      (2, 0, 0, 0, 'NaN', 'NaN', 'Infinity', false, '', '', '', '', '', '', 'infinity', '-infinity', 'infinity',
       '00:00', '00:00+00', '-1 day', NULL, 'null', 'null', NULL, '::1', NULL, NULL, B'0000', B'', NULL, NULL, -0.5, 0,
       '', 'empty', NULL, '{}', '{}', NULL, '{}', '(,)', 'NaN', '{}'),
      (3, NULL, NULL, NULL, 'Infinity', '-0', 1e300, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '0044-03-15 BC', '0044-03-15 00:00:00 BC', '0044-03-15 00:00:00+00 BC',
       '24:00:00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
"#;

fn limits() -> ExecutionLimits {
    ExecutionLimits {
        rows_max: 1_000,
        cell_bytes_max: 65_536,
        result_bytes_max: 4_194_304,
        statement_timeout: Duration::from_secs(15),
        cost_max: None,
        idle_in_transaction_timeout: Duration::from_secs(5),
    }
}

#[tokio::test]
async fn every_type_arrives_exactly_as_psql_prints_it() {
    let database = TestDatabase::create(SAMPLES).await;
    let (admin, snapshot, pool) = (
        database.admin().await,
        database.snapshot().await,
        database.pool(2),
    );
    for sql in [
        "SELECT * FROM public.samples ORDER BY n",
        "SELECT c_int4 AS same, c_text AS same, c_mood AS same FROM public.samples ORDER BY n DESC",
        "SELECT c_text FROM public.samples WHERE false",
        "SELECT FROM public.samples",
        "SELECT c_int4, c_bool FROM public.samples ORDER BY n",
        "VALUES (1, 'a'), (2, NULL)",
        "TABLE public.samples",
        "(SELECT n FROM public.samples) UNION ALL (SELECT 9) ORDER BY 1 LIMIT 3",
        "WITH few AS (SELECT n, c_text FROM public.samples) SELECT * FROM few ORDER BY n",
        "SELECT 'text', NULL, 1.50, ARRAY[1, 2], true AND false",
        "SELECT count(*), sum(c_int8), avg(n), max(c_date), array_agg(n ORDER BY n), json_agg(n ORDER BY n) FROM public.samples",
        "SELECT n, c_text FROM public.samples -- a remark",
    ] {
        let checked = checked(sql, &snapshot);
        let result = read_only::run(
            &pool,
            &checked,
            &RowScope::Everybody,
            &limits(),
            &CancellationToken::new(),
        )
        .await;
        let result = result.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let (names, rows) = as_psql_prints(&admin, sql).await;
        let columns: Vec<&str> = result.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(columns, names, "{sql}");
        assert_eq!(result.rows, rows, "{sql}");
        assert_eq!(result.truncation, None, "{sql}");
    }
}

#[tokio::test]
async fn columns_say_what_json_can_make_of_them() {
    let database = TestDatabase::create(SAMPLES).await;
    let sql = "SELECT c_int8, c_numeric, c_float4, c_bool, c_date, c_ts, c_tstz, c_timetz, c_jsonb, c_varchar, c_moods, c_euros, c_mood FROM public.samples";
    let checked = checked(sql, &database.snapshot().await);
    let pool = database.pool(1);
    let result = read_only::run(
        &pool,
        &checked,
        &RowScope::Everybody,
        &limits(),
        &CancellationToken::new(),
    )
    .await
    .expect("rows");
    let kinds: Vec<(&str, ValueKind)> = result
        .columns
        .iter()
        .map(|c| (c.type_name.as_str(), c.kind))
        .collect();
    assert_eq!(
        kinds,
        [
            ("bigint", ValueKind::Integer),
            ("numeric", ValueKind::Numeric),
            ("real", ValueKind::Float),
            ("boolean", ValueKind::Boolean),
            ("date", ValueKind::Date),
            ("timestamp without time zone", ValueKind::Timestamp),
            ("timestamp with time zone", ValueKind::TimestampTz),
            ("time with time zone", ValueKind::Time),
            ("jsonb", ValueKind::Json),
            ("character varying", ValueKind::Text),
            ("public.mood[]", ValueKind::Text),
            ("numeric", ValueKind::Numeric),
            ("public.mood", ValueKind::Text),
        ]
    );
}

/// 5,000 narrow rows, and rows with cells of 3 MB in every type that has its own way of being cut.
const MUCH: &str = "
    CREATE TABLE numbers AS SELECT i AS n, 'row ' || i AS label FROM generate_series(1, 5000) i;
    CREATE TABLE wide (n int, t text, v varchar, b bytea, j jsonb, a text[], p char(100000));
    INSERT INTO wide
      SELECT 1, big, big, big::bytea, to_jsonb(big), ARRAY[big], 'p' FROM (SELECT repeat('ä', 1500000)) s(big);
    CREATE VIEW endless AS SELECT a.n AS n FROM numbers a, numbers b, numbers c;
    CREATE VIEW slow AS SELECT count(*) AS n FROM numbers a, numbers b, numbers c WHERE a.n + b.n <> c.n;";

async fn run(
    database: &TestDatabase,
    sql: &str,
    limits: ExecutionLimits,
) -> Result<db_chat::domain::result::ResultSet, QueryError> {
    let checked = checked(sql, &database.snapshot().await);
    read_only::run(
        &database.pool(1),
        &checked,
        &RowScope::Everybody,
        &limits,
        &CancellationToken::new(),
    )
    .await
}

#[tokio::test]
async fn rows_beyond_the_limit_are_left_out_and_said_so() {
    let database = TestDatabase::create(MUCH).await;
    let sql = "SELECT n, label FROM public.numbers ORDER BY n";
    for (rows_max, kept, truncation) in [
        (1, 1, Some(Truncation::Rows)),
        (31, 31, Some(Truncation::Rows)),
        (32, 32, Some(Truncation::Rows)),
        (33, 33, Some(Truncation::Rows)),
        (4_999, 4_999, Some(Truncation::Rows)),
        (5_000, 5_000, None),
        (5_001, 5_000, None),
    ] {
        let result = run(
            &database,
            sql,
            ExecutionLimits {
                rows_max,
                ..limits()
            },
        )
        .await
        .expect("rows");
        assert_eq!(
            (result.rows.len(), result.truncation),
            (kept, truncation),
            "{rows_max}"
        );
        let last = result.rows.last().expect("a row");
        assert_eq!(last[0].as_deref(), Some(kept.to_string().as_str()));
    }
    let result = run(&database, "SELECT n FROM public.endless", limits())
        .await
        .expect("rows");
    assert_eq!(
        (result.rows.len(), result.truncation),
        (1_000, Some(Truncation::Rows))
    );
}

#[tokio::test]
async fn bytes_beyond_the_limit_are_left_out_and_said_so() {
    let database = TestDatabase::create(MUCH).await;
    let sql = "SELECT label FROM public.numbers ORDER BY n";
    let result = run(
        &database,
        sql,
        ExecutionLimits {
            result_bytes_max: 1_000,
            rows_max: 5_000,
            ..limits()
        },
    );
    let result = result.await.expect("rows");
    let bytes: usize = result
        .rows
        .iter()
        .flatten()
        .flatten()
        .map(String::len)
        .sum();
    assert_eq!(result.truncation, Some(Truncation::Bytes));
    assert!((990..=1_000).contains(&bytes), "{bytes}");
}

#[tokio::test]
async fn a_long_cell_is_cut_at_a_character_whatever_its_type() {
    let database = TestDatabase::create(MUCH).await;
    for (column, kept) in [
        ("t", 100),
        ("v", 100),
        ("b", 101),
        ("j", 101),
        ("a", 101),
        ("p", 101),
    ] {
        let sql = format!("SELECT {column} FROM public.wide");
        let result = run(
            &database,
            &sql,
            ExecutionLimits {
                cell_bytes_max: 101,
                ..limits()
            },
        );
        let result = result.await.expect("a row");
        assert_eq!(result.truncation, Some(Truncation::Cells), "{column}");
        let cell = result.rows[0][0].as_deref().expect("a cell");
        let (_, whole) = as_psql_prints(&database.admin().await, &sql).await;
        let whole = whole[0][0].as_deref().expect("a cell");
        assert!(whole.starts_with(cell), "{column}");
        assert!(
            (kept - 1..=kept).contains(&cell.len()),
            "{column}: {}",
            cell.len()
        );
    }
    let whole = ExecutionLimits {
        cell_bytes_max: 10_000_000,
        result_bytes_max: 100_000_000,
        ..limits()
    };
    let result = run(&database, "SELECT t, p, j FROM public.wide", whole)
        .await
        .expect("a row");
    assert_eq!(result.truncation, None);
    let (_, rows) =
        as_psql_prints(&database.admin().await, "SELECT t, p, j FROM public.wide").await;
    assert_eq!(result.rows, rows);
}

#[tokio::test]
async fn errors_keep_their_code_and_place_and_lose_their_detail() {
    let database = TestDatabase::create(
        "CREATE TABLE notes (id int PRIMARY KEY, body text);
         INSERT INTO notes VALUES (1, 'secret');",
    )
    .await;
    let (snapshot, pool) = (database.snapshot().await, database.pool(1));
    let admin = database.admin().await;
    let refused = |sql: &'static str| {
        let checked = checked(sql, &snapshot);
        let pool = pool.clone();
        async move {
            match read_only::run(
                &pool,
                &checked,
                &RowScope::Everybody,
                &limits(),
                &CancellationToken::new(),
            )
            .await
            {
                Err(QueryError::Refused {
                    sqlstate,
                    message,
                    position,
                    ..
                }) => (checked, sqlstate, message, position),
                other => panic!("{sql}: {other:?}"),
            }
        }
    };
    // Found when the query runs: PostgreSQL gives no place.
    let (_, sqlstate, message, _) = refused("SELECT 1 / (id - 1) FROM public.notes").await;
    assert_eq!(
        (sqlstate.as_str(), message.as_str()),
        ("22012", "division by zero")
    );
    // Found when the query is read: the table is gone since the snapshot.
    admin
        .batch_execute("ALTER TABLE notes RENAME TO letters")
        .await
        .expect("renamed");
    let (checked, sqlstate, _, position) = refused("SELECT body, id FROM public.notes").await;
    assert_eq!(sqlstate, "42P01");
    let position = usize::try_from(position.expect("a place")).expect("small") - 1;
    assert!(
        checked.as_str()[position..].starts_with("public"),
        "{position}"
    );
    // The connection that saw errors is whole again.
    assert_eq!(pool.connections_count(), 1);
    let sql = crate::support::postgres::checked("SELECT 1", &snapshot);
    assert!(
        read_only::run(
            &pool,
            &sql,
            &RowScope::Everybody,
            &limits(),
            &CancellationToken::new()
        )
        .await
        .is_ok()
    );
}

#[tokio::test]
async fn a_slow_query_ends_at_its_time_limit() {
    let database = TestDatabase::create(MUCH).await;
    let limits = ExecutionLimits {
        statement_timeout: Duration::from_millis(200),
        ..limits()
    };
    match run(&database, "SELECT n FROM public.slow", limits).await {
        Err(QueryError::StatementTimeout { after }) => assert_eq!(after, limits.statement_timeout),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_query_that_postgresql_expects_to_cost_too_much_is_not_run() {
    let database = TestDatabase::create(&format!("{MUCH} ANALYZE;")).await;
    let with_ceiling = |cost_max| ExecutionLimits {
        cost_max,
        ..limits()
    };
    // Billions of rows to count; the others need one page, though the second could go on for ever.
    let slow = "SELECT n FROM public.slow";
    let first_rows = [
        "SELECT count(*) FROM public.numbers",
        "SELECT n FROM public.endless",
    ];
    for sql in first_rows {
        let result = run(&database, sql, with_ceiling(Some(100_000))).await;
        assert!(!result.expect(sql).rows.is_empty());
    }
    match run(&database, slow, with_ceiling(Some(100_000))).await {
        Err(QueryError::TooCostly { estimate, max }) => {
            assert!(estimate > 1_000_000_000, "{estimate}");
            assert_eq!(max, 100_000);
        }
        other => panic!("{other:?}"),
    }
    match run(&database, first_rows[0], with_ceiling(Some(1))).await {
        Err(QueryError::TooCostly { estimate, .. }) => assert!(estimate < 1_000, "{estimate}"),
        other => panic!("{other:?}"),
    }
    // An error that only planning finds says where, counted in the query itself.
    let faulty = "SELECT n FROM public.numbers WHERE n = '2024-13-01'::date - '2024-01-01'::date";
    let place = |outcome| match outcome {
        Err(QueryError::Refused {
            sqlstate, position, ..
        }) => (sqlstate, position),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        place(run(&database, faulty, with_ceiling(Some(1))).await),
        place(run(&database, faulty, limits()).await)
    );
}
