//! What PostgreSQL expects a query to cost before it is run.
//!
//! In: the statement that would open the cursor. Out: a number. `EXPLAIN` without `ANALYZE` plans and runs nothing.

use serde_json::Value;
use tokio_postgres::Client;

use super::error::QueryError;

/// In front of a statement. Over the extended protocol, like the statement itself: the model's text is in it.
pub(super) const EXPLAIN: &str = "EXPLAIN (FORMAT JSON) ";

/// The cost of the first rows and of one more, by which PostgreSQL notices that there are more, in its own units and rounded up.
///
/// # Errors
/// What PostgreSQL says against the query.
pub(super) async fn estimate(
    client: &Client,
    declaration: &str,
    rows_max: usize,
) -> Result<u64, QueryError> {
    let text = format!("{EXPLAIN}{declaration}");
    let rows = client
        .query_typed(&text, &[])
        .await
        .map_err(QueryError::from_driver)?;
    let plan: Option<Value> = rows
        .first()
        .map(|row| row.try_get(0))
        .transpose()
        .map_err(QueryError::from_driver)?;
    plan.as_ref()
        .and_then(|plan| plan.pointer("/0/Plan"))
        .and_then(|plan| cost_of(plan, rows_max))
        .ok_or_else(|| QueryError::unavailable("EXPLAIN printed no plan that can be read"))
}

/// As PostgreSQL reckons for a LIMIT: the start, and of the rest as large a part as of the rows. Without it, every query over a large
/// table would look dear that needs no more than its first page.
fn cost_of(plan: &Value, rows_max: usize) -> Option<u64> {
    let number = |name: &str| plan.get(name).and_then(Value::as_f64);
    let (start, total) = (number("Startup Cost")?, number("Total Cost")?);
    let rows = number("Plan Rows")?.max(1.0);
    #[expect(
        clippy::cast_precision_loss,
        reason = "an estimate needs no more than 53 bits"
    )]
    let part = ((rows_max as f64 + 1.0) / rows).min(1.0);
    let cost = start + (total - start) * part;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "costs are not negative, and a cast ends at the largest number"
    )]
    let rounded = cost.ceil() as u64;
    Some(rounded)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(start: f64, total: f64, rows: f64, rows_max: usize, expected: u64) {
        let plan = json!({"Startup Cost": start, "Total Cost": total, "Plan Rows": rows});
        assert_eq!(cost_of(&plan, rows_max), Some(expected));
    }

    #[test]
    fn rows_that_are_not_fetched_cost_nothing_and_what_comes_before_the_first_does() {
        check(0.0, 1_000.0, 10_000.0, 99, 10);
        check(900.0, 1_000.0, 10_000.0, 99, 901);
        check(0.0, 10.5, 5.0, 1_000, 11);
        check(0.0, 10.0, 0.0, 1_000, 10);
        check(0.0, 1e300, 1.0, 1_000, u64::MAX);
        assert_eq!(cost_of(&json!({}), 1), None);
    }
}
