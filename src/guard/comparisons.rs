//! Which columns a condition compares with which texts. In: a condition that was checked. Out: facts for the evidence;
//! nothing is refused here.

use pg_query::NodeEnum;
use pg_query::protobuf::{AExprKind, Node, SelectStmt};

use super::checker::text_of;
use super::emit;

/// A column that must equal one of some texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The column's own name, without its table.
    pub column: String,
    /// What it is compared with.
    pub texts: Vec<String>,
}

/// Functions whose calls make one row of many.
const AGGREGATES: [&str; 5] = ["avg", "count", "max", "min", "sum"];

/// Reads `column = 'text'`, either way round, `column IN ('text', ...)` and `column = ANY (ARRAY['text', ...])`.
pub(super) fn comparison(condition: &Node) -> Option<Comparison> {
    let Some(NodeEnum::AExpr(expression)) = condition.node.as_ref() else {
        return None;
    };
    if expression.name.last().and_then(text_of) != Some("=") {
        return None;
    }
    let (left, right) = (expression.lexpr.as_deref()?, expression.rexpr.as_deref()?);
    let kind = AExprKind::try_from(expression.kind).ok()?;
    let (column, texts) = if kind == AExprKind::AexprOp {
        match column_name(left) {
            Some(column) => (column, vec![emit::text_literal(right)?]),
            None => (column_name(right)?, vec![emit::text_literal(left)?]),
        }
    } else if matches!(kind, AExprKind::AexprIn | AExprKind::AexprOpAny) {
        (column_name(left)?, texts(right)?)
    } else {
        return None;
    };
    Some(Comparison {
        column: column.to_owned(),
        texts: texts.into_iter().map(str::to_owned).collect(),
    })
}

/// Whether a query makes few rows of many at its outermost level, by GROUP BY or by a call among its columns.
pub(super) fn is_aggregate(query: &SelectStmt) -> bool {
    let calls_aggregate = |target: &Node| {
        let Some(NodeEnum::ResTarget(target)) = target.node.as_ref() else {
            return false;
        };
        let value = target.val.as_deref().and_then(|value| value.node.as_ref());
        let Some(NodeEnum::FuncCall(call)) = value else {
            return false;
        };
        let name = call.funcname.last().and_then(text_of);
        call.over.is_none() && name.is_some_and(|name| AGGREGATES.contains(&name))
    };
    !query.group_clause.is_empty() || query.target_list.iter().any(calls_aggregate)
}

/// The last part of a column's name.
fn column_name(node: &Node) -> Option<&str> {
    match node.node.as_ref() {
        Some(NodeEnum::ColumnRef(column)) => text_of(column.fields.last()?),
        Some(NodeEnum::TypeCast(cast)) => column_name(cast.arg.as_deref()?),
        _ => None,
    }
}

fn texts(node: &Node) -> Option<Vec<&str>> {
    let items = match node.node.as_ref() {
        Some(NodeEnum::List(list)) => &list.items,
        Some(NodeEnum::AArrayExpr(array)) => &array.elements,
        Some(NodeEnum::TypeCast(cast)) => return texts(cast.arg.as_deref()?),
        _ => return None,
    };
    items.iter().map(emit::text_literal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(condition: &str, expected: Option<(&str, &[&str])>) {
        let tree = emit::parse(&format!("SELECT 1 FROM t WHERE {condition}")).unwrap();
        let Some(NodeEnum::SelectStmt(select)) =
            &tree.stmts[0].stmt.as_ref().unwrap().node.as_ref()
        else {
            panic!("a query");
        };
        let found = comparison(select.where_clause.as_deref().unwrap());
        let expected = expected.map(|(column, texts)| Comparison {
            column: column.to_owned(),
            texts: texts.iter().map(|text| (*text).to_owned()).collect(),
        });
        assert_eq!(found, expected, "{condition}");
    }

    #[test]
    fn texts_that_a_column_must_equal_are_found() {
        check("status = 'a'", Some(("status", &["a"])));
        check("'a' = t.status", Some(("status", &["a"])));
        check("t.\"St\"::text = 'a'::text", Some(("St", &["a"])));
        check("status IN ('a', 'b')", Some(("status", &["a", "b"])));
        check("status = ANY (ARRAY['a'])", Some(("status", &["a"])));
    }

    #[test]
    fn what_is_no_such_comparison_is_none() {
        for condition in [
            "status <> 'a'",
            "status NOT IN ('a')",
            "status = other",
            "status = 1",
            "lower(status) = 'a'",
            "status IN ('a', other)",
            "status LIKE 'a'",
            "status = 'a' OR status = 'b'",
        ] {
            check(condition, None);
        }
    }
}
