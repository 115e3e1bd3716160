//! What of `pg_catalog` a query may name: functions, operators, types. The lists are the files in `builtins/`,
//! each of which says how it was drawn up.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// What the list says about a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Function {
    /// The type of the result depends on the types of the arguments.
    pub(super) polymorphic: bool,
    /// The result can be a row, or a tsvector, which `unnest` takes apart like one.
    pub(super) row: bool,
    /// Names of the columns it has in FROM, where it names them itself.
    pub(super) columns: &'static str,
    /// First major version that has it.
    pub(super) since: u32,
}

/// The function of this name, if it may be called.
pub(super) fn function(name: &str) -> Option<Function> {
    FUNCTIONS.get(name).copied()
}

/// Whether the operator of this symbol may be used.
pub(super) fn is_operator(symbol: &str) -> bool {
    OPERATORS.contains(symbol)
}

/// Whether the type of this internal name may be named.
pub(super) fn is_type(name: &str) -> bool {
    TYPES.contains(name)
}

/// The names of all functions, for hints.
pub(super) fn function_names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.keys().copied()
}

static FUNCTIONS: LazyLock<HashMap<&'static str, Function>> = LazyLock::new(|| {
    entries(include_str!("builtins/functions.txt"))
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let name = words.next()?;
            let mut function = Function {
                polymorphic: false,
                row: false,
                columns: "",
                since: 15,
            };
            for word in words {
                if word == "poly" {
                    function.polymorphic = true;
                } else if word == "row" {
                    function.row = true;
                } else if let Some(columns) = word.strip_prefix("out=") {
                    function.columns = columns;
                } else if let Some(since) = word.strip_prefix("since=") {
                    function.since = since.parse().ok()?;
                }
            }
            Some((name, function))
        })
        .collect()
});

static OPERATORS: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| words(include_str!("builtins/operators.txt")));

static TYPES: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| words(include_str!("builtins/types.txt")));

/// The lines that are neither blank nor a comment. A comment is `# ` or a lone `#`; `#` is also an operator.
fn entries(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines()
        .filter(|line| !line.is_empty() && *line != "#" && !line.starts_with("# "))
}

fn words(text: &'static str) -> HashSet<&'static str> {
    entries(text)
        .flat_map(str::split_ascii_whitespace)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_hold_what_analytics_uses_and_nothing_that_reads_by_name() {
        for name in [
            "count",
            "date_trunc",
            "jsonb_array_elements",
            "regexp_replace",
            "date",
        ] {
            assert!(function(name).is_some(), "{name}");
        }
        for name in [
            "query_to_xml",
            "pg_sleep",
            "set_config",
            "ts_stat",
            "nextval",
            "json_populate_record",
            "textin",
        ] {
            assert!(function(name).is_none(), "{name}");
        }
        assert!(is_operator("=") && is_operator("#") && is_operator("->>"));
        assert!(!is_operator("*=") && !is_operator("~~>"));
        assert!(is_type("int4") && is_type("tstzmultirange"));
        assert!(!is_type("regclass") && !is_type("name") && !is_type("record"));
    }

    #[test]
    fn a_line_tells_polymorphism_columns_and_version() {
        assert_eq!(function("max").map(|f| f.polymorphic), Some(true));
        assert_eq!(function("jsonb_each").map(|f| f.columns), Some("key,value"));
        assert_eq!(function("any_value").map(|f| f.since), Some(16));
        assert_eq!(function("lower").map(|f| f.since), Some(15));
    }
}
