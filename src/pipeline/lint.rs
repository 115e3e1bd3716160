//! Warnings about a query that is allowed but doubtful. Nothing is refused here.

use crate::domain::result::{ResultSet, Truncation};
use crate::guard::QueryFacts;

/// What a careful reader would remark, most important first.
pub(super) fn warnings(facts: &QueryFacts, result: &ResultSet) -> Vec<String> {
    let mut warnings = Vec::new();
    if facts.has_cartesian_join {
        warnings.push(
            "The query pairs every row of one table with every row of another: no condition joins them."
                .to_owned(),
        );
    }
    if facts.has_limit && !facts.has_order {
        warnings.push(
            "The query takes some rows without saying in which order: other rows would do as well."
                .to_owned(),
        );
    }
    match result.truncation {
        Some(Truncation::Rows) => {
            warnings.push(format!(
                "Only the first {} rows are shown; there are more.",
                result.rows.len()
            ));
        }
        Some(Truncation::Bytes) => {
            warnings.push(format!(
                "The result is large: only the first {} rows are shown.",
                result.rows.len()
            ));
        }
        Some(Truncation::Cells) => warnings.push("Long values were cut.".to_owned()),
        None => {}
    }
    if result.rows.is_empty() {
        warnings.push(
            "The query found no rows. Check the filters for a spelling that is not in the data."
                .to_owned(),
        );
    }
    warnings
}
