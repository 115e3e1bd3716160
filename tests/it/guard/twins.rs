//! Two databases that differ in nothing but what the policy hides give the same answers.

use std::time::Duration;

use db_chat::domain::result::ResultSet;
use db_chat::guard::CheckedSql;
use db_chat::postgres::pool::DatabasePool;
use db_chat::postgres::read_only::{self, ExecutionLimits};
use db_chat::postgres::row_scope::RowScope;
use tokio_util::sync::CancellationToken;

use super::{FIXTURE, accepted, check, dependencies, library, may_depend_on};
use crate::support::postgres::TestDatabase;

/// Changes hidden data only.
const DIFFERENCE: &str = "
UPDATE public.members SET card_number = 'other ' || id;
UPDATE public.staff SET wage = wage + 1";

#[tokio::test]
async fn answers_do_not_depend_on_what_is_hidden() {
    let (database, snapshot) = library().await;
    let twin = TestDatabase::create(&format!("{FIXTURE}; {DIFFERENCE}")).await;
    let (pool, twin_pool) = (database.pool(1), twin.pool(1));
    let mut compared = 0;
    for sql in accepted() {
        let checked = check(&sql, &snapshot).expect(&sql);
        let before = answer(&pool, &checked).await;
        let of_twin = answer(&twin_pool, &checked).await;
        // What reads the clock may answer otherwise later; what is the same on both sides of the twin's answer did not.
        if before == answer(&pool, &checked).await {
            compared += 1;
            assert_eq!(before, of_twin, "{sql}");
        }
    }
    assert!(
        compared > 80,
        "only {compared} statements could be compared"
    );
}

/// The other tests ask PostgreSQL what a query reads, and rely on its answer.
#[tokio::test]
async fn postgres_tells_of_every_hidden_thing_that_a_query_reads() {
    let (database, snapshot) = library().await;
    let client = database.admin().await;
    for sql in [
        "SELECT card_number FROM public.members",
        "SELECT name FROM public.members ORDER BY card_number",
        "SELECT to_jsonb(m) FROM public.members m",
        "SELECT count(*) FROM public.staff",
        "SELECT public.peek()",
        "SELECT title FROM public.books WHERE title OPERATOR(public.===) 'x'",
    ] {
        let found = dependencies(&client, sql).await.expect(sql);
        assert!(
            found.iter().any(|name| !may_depend_on(name, &snapshot)),
            "{sql}: {found:?}"
        );
    }
}

/// The rows, sorted where the query does not sort them, or the error.
async fn answer(pool: &DatabasePool, checked: &CheckedSql) -> Result<ResultSet, String> {
    let limits = ExecutionLimits {
        rows_max: 1000,
        cell_bytes_max: 65_536,
        result_bytes_max: 4_194_304,
        statement_timeout: Duration::from_secs(15),
        cost_max: None,
        idle_in_transaction_timeout: Duration::from_secs(5),
    };
    let mut result = read_only::run(
        pool,
        checked,
        &RowScope::Everybody,
        &limits,
        &CancellationToken::new(),
    )
    .await
    .map_err(|error| error.to_string())?;
    if !checked.facts().has_order {
        result.rows.sort_unstable();
    }
    Ok(result)
}
