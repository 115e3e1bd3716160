//! The lists of builtins against the catalog of the server that the tests run on.

use crate::support::postgres::TestDatabase;

const FUNCTIONS: &str = include_str!("../../../src/guard/builtins/functions.txt");
const OPERATORS: &str = include_str!("../../../src/guard/builtins/operators.txt");
const TYPES: &str = include_str!("../../../src/guard/builtins/types.txt");

/// Functions whose result is not the same each time, and which do nothing else.
const VOLATILE: &[&str] = &[
    "array_sample",
    "array_shuffle",
    "clock_timestamp",
    "gen_random_uuid",
    "random",
    "random_normal",
    "timeofday",
    "uuidv4",
    "uuidv7",
];

/// Lines that are neither blank nor comments.
fn entries(file: &str) -> impl Iterator<Item = &str> {
    file.lines()
        .filter(|line| !line.is_empty() && *line != "#" && !line.starts_with("# "))
}

#[tokio::test]
async fn every_function_on_the_list_is_a_builtin_that_only_computes() {
    let database = TestDatabase::create("SELECT 1").await;
    let client = database.admin().await;
    let version: i32 = client
        .query_one(
            "SELECT current_setting('server_version_num')::int / 10000",
            &[],
        )
        .await
        .expect("a version")
        .get(0);
    for line in entries(FUNCTIONS) {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default();
        let since = words
            .find_map(|word| word.strip_prefix("since="))
            .unwrap_or("15");
        if version < since.parse().expect("a version") {
            continue;
        }
        let rows = client
            .query(
                "SELECT provolatile::text, prosecdef, EXISTS (
                     SELECT FROM unnest(proargtypes || prorettype) AS type
                     WHERE type = ANY ('{internal, trigger, event_trigger, language_handler, fdw_handler, index_am_handler,
                         tsm_handler, table_am_handler}'::regtype[])) AS is_plumbing
                 FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = $1",
                &[&name],
            )
            .await
            .expect("overloads");
        assert!(!rows.is_empty(), "{name} is no builtin function");
        for row in rows {
            let volatility: String = row.get(0);
            assert!(
                volatility != "v" || VOLATILE.contains(&name),
                "{name} is volatile"
            );
            assert!(
                !row.get::<_, bool>(1),
                "{name} runs with its owner's rights"
            );
            assert!(
                !row.get::<_, bool>(2),
                "{name} has an overload for PostgreSQL's own use"
            );
        }
    }
}

#[tokio::test]
async fn every_operator_and_type_on_the_lists_is_a_builtin() {
    let database = TestDatabase::create("SELECT 1").await;
    let client = database.admin().await;
    for symbol in entries(OPERATORS).flat_map(str::split_whitespace) {
        let row = client
            .query_one(
                "SELECT count(*) FROM pg_operator WHERE oprname = $1",
                &[&symbol],
            )
            .await
            .expect("a count");
        assert!(row.get::<_, i64>(0) > 0, "{symbol} is no operator");
    }
    for name in entries(TYPES).flat_map(str::split_whitespace) {
        let row = client
            .query_one(
                "SELECT count(*) FROM pg_type WHERE typname = $1 AND typtype IN ('b', 'r', 'm')
                 AND typnamespace = 'pg_catalog'::regnamespace AND typname NOT LIKE 'reg%'",
                &[&name],
            )
            .await
            .expect("a count");
        assert_eq!(row.get::<_, i64>(0), 1, "{name} is no plain type");
    }
}

#[tokio::test]
async fn the_lists_say_what_a_function_returns() {
    let database = TestDatabase::create("SELECT 1").await;
    let client = database.admin().await;
    for line in entries(FUNCTIONS).filter(|line| !line.contains("since=")) {
        let name = line.split_whitespace().next().unwrap_or_default();
        let row = client
            .query_one(
                "SELECT bool_or(proretset), bool_or(typtype = 'p'), bool_or(typname IN ('record', 'tsvector'))
                 FROM pg_proc p JOIN pg_type t ON t.oid = prorettype
                 WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = $1",
                &[&name],
            )
            .await
            .expect("flags");
        let says = |flag: &str| line.split_whitespace().any(|word| word == flag);
        assert_eq!(row.get::<_, bool>(0), says("set"), "{name}: set");
        assert_eq!(row.get::<_, bool>(1), says("poly"), "{name}: poly");
        // What unnest gives depends on its argument, and the guard follows that.
        if name != "unnest" {
            assert_eq!(row.get::<_, bool>(2), says("row"), "{name}: row");
        }
    }
}
