//! Every statement of the corpus gets its verdict, and PostgreSQL agrees about what the accepted ones read.

use super::{accepted, check, dependencies, library, may_depend_on, refused};
use crate::support::postgres::TestDatabase;
use crate::support::postgres::as_psql_prints;
use db_chat::guard::policy::Policy;

#[tokio::test]
async fn accepted_statements_give_the_same_rows_when_written_out() {
    let (database, snapshot) = library().await;
    let client = database.admin().await;
    for sql in accepted() {
        let checked =
            check(&sql, &snapshot).unwrap_or_else(|rejection| panic!("{sql}: {rejection}"));
        // One transaction, so that now() is the same for both.
        let begin = "BEGIN; SET LOCAL search_path = public";
        client.batch_execute(begin).await.expect("a transaction");
        let mut original = as_psql_prints(&client, &sql).await;
        let fix = "SET LOCAL search_path = pg_catalog";
        client.batch_execute(fix).await.expect("a search path");
        let mut written = as_psql_prints(&client, checked.as_str()).await;
        client.batch_execute("ROLLBACK").await.expect("rolled back");
        if !checked.facts().has_order {
            original.1.sort();
            written.1.sort();
        }
        assert_eq!(original, written, "{sql}\n{}", checked.as_str());
    }
}

#[tokio::test]
async fn what_is_written_out_is_accepted_and_stays_the_same() {
    let (_database, snapshot) = library().await;
    for sql in accepted() {
        let once = check(&sql, &snapshot).expect(&sql);
        let twice = check(once.as_str(), &snapshot).expect("what was written out");
        assert_eq!(once.as_str(), twice.as_str());
        let fingerprint = |sql: &str| pg_query::fingerprint(sql, 0, 0).expect(sql).hex;
        assert_eq!(
            fingerprint(once.as_str()),
            fingerprint(twice.as_str()),
            "{sql}"
        );
    }
}

#[tokio::test]
async fn postgres_reads_only_what_the_policy_allows_and_what_the_evidence_says() {
    let (database, snapshot) = library().await;
    let client = database.admin().await;
    let mut compared = 0;
    for sql in accepted() {
        let checked = check(&sql, &snapshot).expect(&sql);
        let Some(found) = dependencies(&client, checked.as_str()).await else {
            continue;
        };
        compared += 1;
        for dependency in &found {
            assert!(
                may_depend_on(dependency, &snapshot),
                "{sql} depends on {dependency}"
            );
            let is_column = dependency.split('.').count() == 3
                && !dependency.ends_with('*')
                && !dependency.contains(' ');
            if is_column {
                assert!(
                    checked.columns().contains(dependency),
                    "{sql}: the evidence lacks {dependency}"
                );
            }
        }
    }
    assert!(
        compared > 80,
        "only {compared} statements could be compared"
    );
}

#[tokio::test]
async fn refused_statements_are_refused_for_the_right_reason() {
    let (_database, snapshot) = library().await;
    for (code, sql) in refused() {
        match check(&sql, &snapshot) {
            Ok(checked) => panic!("accepted: {sql}\n{}", checked.as_str()),
            Err(rejection) => assert_eq!(rejection.code().as_str(), code, "{sql}: {rejection}"),
        }
    }
}

#[tokio::test]
async fn a_reason_is_the_same_whether_a_thing_is_hidden_or_does_not_exist() {
    let (_database, hiding) = library().await;
    let without = "
        DROP SCHEMA archive CASCADE; DROP TABLE public.staff, public.\"Loans\" CASCADE; DROP SEQUENCE public.ticket_seq;
        ALTER TABLE public.members DROP COLUMN card_number CASCADE";
    let fixture = format!("{}; {without}", super::FIXTURE);
    let database = TestDatabase::create(&fixture).await;
    let policy = Policy::compile("books, members, loans, loan_summary", "").expect("a policy");
    let lacking = policy.apply(database.catalog().await);
    let mut compared = 0;
    for (code, sql) in refused() {
        if !matches!(code.as_str(), "unknown_relation" | "unknown_column") {
            continue;
        }
        // Column lists as long as the table itself tell how many columns there are to whoever wrote them.
        if sql.contains("(a, b, c, d, e, x)") {
            continue;
        }
        let database_name = |reason: &str| {
            reason
                .replace(&hiding.database, "")
                .replace(&lacking.database, "")
        };
        let hidden = check(&sql, &hiding).expect_err(&sql);
        // Without the hidden column its name can be an output column's, and the statement a good one.
        let Err(missing) = check(&sql, &lacking) else {
            continue;
        };
        assert_eq!(
            database_name(hidden.reason()),
            database_name(missing.reason()),
            "{sql}"
        );
        compared += 1;
    }
    assert!(compared > 40, "only {compared} reasons were compared");
}

#[tokio::test]
async fn a_star_that_is_refused_names_the_columns_that_may_be_read() {
    let (_database, snapshot) = library().await;
    let rejection = check("SELECT * FROM members", &snapshot).expect_err("a refusal");
    assert!(
        rejection.reason().contains("id, name, email, kind, joined"),
        "{rejection}"
    );
    assert!(!rejection.reason().contains("card"), "{rejection}");
}

#[tokio::test]
async fn what_is_tried_against_the_role_alone_does_not_pass_the_guard_either() {
    let (_database, snapshot) = library().await;
    for (_, sql) in super::paragraphs(include_str!("../../guard/role.sql")) {
        if let Ok(checked) = check(&sql, &snapshot) {
            panic!("accepted: {sql}\n{}", checked.as_str());
        }
    }
}

#[tokio::test]
async fn relations_that_nothing_joins_are_remarked() {
    let (_database, snapshot) = library().await;
    for (sql, is_cartesian) in [
        ("SELECT count(*) FROM books, members", true),
        ("SELECT count(*) FROM books CROSS JOIN members", true),
        (
            "SELECT count(*) FROM books JOIN loans ON books.id = book_id, members",
            true,
        ),
        (
            "SELECT n FROM (SELECT count(*) AS n FROM books, loans) x",
            true,
        ),
        (
            "SELECT count(*) FROM books, loans WHERE books.id = book_id",
            false,
        ),
        (
            "SELECT count(*) FROM books JOIN loans ON books.id = book_id",
            false,
        ),
        (
            "SELECT count(*) FROM books NATURAL JOIN loan_summary",
            false,
        ),
        (
            "SELECT price / total FROM books, (SELECT sum(price) AS total FROM books) t",
            false,
        ),
        (
            "WITH t AS (SELECT sum(price) AS total FROM books) SELECT price / total FROM books CROSS JOIN t",
            false,
        ),
        ("SELECT tag FROM books, unnest(tags) AS tag", false),
    ] {
        let checked = check(sql, &snapshot).expect(sql);
        assert_eq!(checked.facts().has_cartesian_join, is_cartesian, "{sql}");
    }
}

#[tokio::test]
async fn conditions_are_put_into_words_on_demand() {
    let (_database, snapshot) = library().await;
    let sql = "SELECT b.title FROM books b JOIN loans l ON l.book_id = b.id
               WHERE price > 3 AND title LIKE 'B%' GROUP BY 1 HAVING count(*) > 1";
    let checked = check("SELECT title FROM books WHERE price > 3", &snapshot).expect("a query");
    assert_eq!(checked.facts().filters, Vec::<String>::new());
    assert_eq!(checked.described(&snapshot).facts().filters, ["price > 3"]);
    let described = check(sql, &snapshot).expect("a query").described(&snapshot);
    assert_eq!(described.facts().joins, ["l.book_id = b.id"]);
    assert_eq!(
        described.facts().filters,
        ["price > 3", "title LIKE 'B%'", "count(*) > 1"]
    );
}
