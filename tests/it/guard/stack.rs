//! Texts made to use up stack or time end in a verdict.

use std::sync::Arc;

use db_chat::domain::sql::DraftSql;
use db_chat::guard::SQL_BYTES_MAX;
use db_chat::pipeline::check::SqlChecker;

use super::library;

#[tokio::test]
async fn the_deepest_texts_get_a_verdict() {
    let (_database, snapshot) = library().await;
    let snapshot = Arc::new(snapshot);
    let checker = SqlChecker::default();
    let chains = [
        ("SELECT 1", "+1", ""),
        ("SELECT ", "NOT ", "true"),
        ("SELECT 1", "::int", ""),
        ("SELECT (tags)", ".a", " FROM books"),
        ("VALUES (1)", " UNION VALUES (1)", ""),
        ("SELECT 1", " ISNULL", ""),
        ("SELECT title", " COLLATE \"C\"", " FROM books"),
        ("SELECT 1 FROM books", " NATURAL JOIN books", ""),
        ("SELECT 1 FROM books", ", books", ""),
        ("SELECT ", "(", "1"),
        ("SELECT ", "CASE WHEN ", "1"),
        ("SELECT 1 ", "/*", ""),
        ("WITH a AS (SELECT 1)", ", a AS (SELECT 1)", " SELECT 1"),
        ("SELECT now()", " AT TIME ZONE 'x'", ""),
    ];
    for (start, link, end) in chains {
        let links = (SQL_BYTES_MAX - start.len() - end.len()) / link.len();
        let text = format!("{start}{}{end}", link.repeat(links));
        let verdict = checker
            .check(DraftSql::new(text), Arc::clone(&snapshot))
            .await;
        assert!(verdict.is_err(), "{start}{link}…");
    }
}

#[tokio::test]
async fn wide_texts_of_full_length_are_accepted() {
    let (_database, snapshot) = library().await;
    let snapshot = Arc::new(snapshot);
    let checker = SqlChecker::default();
    let wide = [
        format!("SELECT id FROM books WHERE id IN (1{})", ",1".repeat(8000)),
        format!("SELECT 1{} FROM books", " + price".repeat(60)),
        format!(
            "SELECT id FROM books WHERE id = 1{}",
            " OR id = 2".repeat(1500)
        ),
        format!("SELECT '{}'", "x".repeat(16_000)),
        format!(
            "SELECT id FROM books{}",
            " UNION ALL SELECT id FROM books".repeat(60)
        ),
    ];
    for text in wide {
        let verdict = checker
            .check(DraftSql::new(text.clone()), Arc::clone(&snapshot))
            .await;
        verdict.unwrap_or_else(|rejection| panic!("{:.60}: {rejection}", text));
    }
}
