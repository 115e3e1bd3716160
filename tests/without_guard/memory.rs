//! What a result without end costs db-chat itself.

use std::time::Duration;

use db_chat::domain::result::Truncation;
use db_chat::postgres::read_only::ExecutionLimits;

use super::postgres::TestDatabase;
use super::{limits, run};

/// What is kept may be 4 MiB, and allocators keep some more. A reader that collected what PostgreSQL sends in the time limit would be
/// far above it.
const GROWTH_BYTES_MAX: u64 = 64 << 20;

/// Kilobytes in memory at most since the process began, from `/proc/self/status`.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let digits = line.and_then(|line| line.split_whitespace().nth(1));
    digits
        .and_then(|digits| digits.parse::<u64>().ok())
        .expect("a number")
        << 10
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_stays_flat_while_a_billion_rows_are_asked_for() {
    let database = TestDatabase::create("").await;
    let pool = database.pool(1);
    run(&pool, "SELECT 'warm'::text", &limits())
        .await
        .expect("a row");
    let before = peak_bytes();
    let patient = ExecutionLimits {
        statement_timeout: Duration::from_secs(60),
        ..limits()
    };
    let many = ExecutionLimits {
        rows_max: 20_000,
        ..patient
    };
    let few = ExecutionLimits {
        rows_max: 8,
        ..patient
    };
    let wide = "SELECT a.n, repeat('x', 1000) FROM generate_series(1, 40000) a(n), generate_series(1, 40000) b(n)";
    let huge = "SELECT repeat('x', 50000000) FROM generate_series(1, 40000) a, generate_series(1, 40000) b";
    for (sql, limits, truncation) in [
        (wide, patient, Truncation::Rows),
        (wide, many, Truncation::Bytes),
        (
            "SELECT generate_series(1, 1000000000)",
            many,
            Truncation::Rows,
        ),
        (huge, few, Truncation::Rows),
    ] {
        let result = run(&pool, sql, &limits).await.expect("rows");
        assert_eq!(result.truncation, Some(truncation), "{sql}");
        assert!(result.rows.len() <= limits.rows_max, "{sql}");
        let cells = result.rows.iter().flatten().flatten();
        let bytes: usize = cells.map(String::len).sum();
        assert!(bytes <= limits.result_bytes_max, "{sql}: {bytes} bytes");
    }
    let growth = peak_bytes() - before;
    assert!(growth < GROWTH_BYTES_MAX, "{growth} bytes more");
}
