//! Reads the exact values that a CHECK constraint leaves open, from its expression as `pg_get_expr` prints it.
//!
//! In: the text of one expression. Out: for each column that it binds to a list of constants, those constants
//! as they are spelled. Anything that is not surely such a list says nothing: a missing choice costs a
//! hint, a wrong one would make the model ask for rows that cannot be.

use pg_query::protobuf::{AExpr, AExprKind, BoolExprType, Node, NullTestType, a_const};
use pg_query::{NodeEnum, ParserOptions};

/// Longest expression that is looked at, in bytes. Lists of choices are far shorter; what is longer is a program.
const EXPRESSION_BYTES_MAX: usize = 65_536;

/// A column, and the only values that one CHECK constraint lets it hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// The column's name; `value` in a domain's constraint.
    pub(super) column: String,
    /// The values in the order of the constraint, each once.
    pub(super) values: Vec<String>,
}

/// The choices of one CHECK expression: `IN` lists, `= ANY (ARRAY[…])`, chains of `=` with OR, and conjunctions of
/// these. `column IS NULL OR …` counts too, since NULL passes every CHECK anyway.
pub(super) fn parse_choices(expression: &str) -> Vec<Choice> {
    if expression.len() > EXPRESSION_BYTES_MAX {
        return Vec::new();
    }
    let Ok(parsed) = pg_query::parse(&format!("SELECT {expression}"), ParserOptions::default())
    else {
        return Vec::new();
    };
    let Some(condition) = parsed.protobuf.stmts.first().and_then(|raw| {
        let NodeEnum::SelectStmt(select) = raw.stmt.as_ref()?.node.as_ref()? else {
            return None;
        };
        let NodeEnum::ResTarget(target) = select.target_list.first()?.node.as_ref()? else {
            return None;
        };
        target.val.as_deref()
    }) else {
        return Vec::new();
    };
    let mut choices = Vec::new();
    collect(condition, &mut choices);
    choices
}

/// Keeps the values that both lists have, in the order of the first; an empty list says nothing.
pub(super) fn intersect(first: Vec<String>, second: &[String]) -> Vec<String> {
    if first.is_empty() {
        return second.to_vec();
    }
    if second.is_empty() {
        return first;
    }
    first
        .into_iter()
        .filter(|value| second.contains(value))
        .collect()
}

/// Each part of a conjunction binds on its own.
fn collect(condition: &Node, choices: &mut Vec<Choice>) {
    if let Some(NodeEnum::BoolExpr(expr)) = &condition.node
        && expr.boolop() == BoolExprType::AndExpr
    {
        for arg in &expr.args {
            collect(arg, choices);
        }
        return;
    }
    let mut values = Vec::new();
    let mut column = None;
    if binds(condition, &mut column, &mut values).is_some()
        && !values.is_empty()
        && let Some(column) = column
    {
        choices.push(Choice { column, values });
    }
}

/// Adds the values that `condition` allows for one column, always the same. `None`: it is something else.
fn binds(condition: &Node, column: &mut Option<String>, values: &mut Vec<String>) -> Option<()> {
    match condition.node.as_ref()? {
        NodeEnum::BoolExpr(expr) if expr.boolop() == BoolExprType::OrExpr => expr
            .args
            .iter()
            .try_for_each(|arg| binds(arg, column, values)),
        NodeEnum::NullTest(test) if test.nulltesttype() == NullTestType::IsNull => {
            same_column(column, test.arg.as_deref()?)
        }
        NodeEnum::AExpr(expr) => {
            let found = match (expr.kind(), operator(expr)?) {
                (AExprKind::AexprOp, "=") => {
                    let (left, right) = (expr.lexpr.as_deref()?, expr.rexpr.as_deref()?);
                    if same_column(column, left).is_some() {
                        vec![constant(right)?]
                    } else {
                        same_column(column, right)?;
                        vec![constant(left)?]
                    }
                }
                // Elements of an array column.
                (AExprKind::AexprOpAny, "=") | (AExprKind::AexprOp, "<@") => {
                    same_column(column, expr.lexpr.as_deref()?)?;
                    array(expr.rexpr.as_deref()?)?
                }
                _ => return None,
            };
            for value in found {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            Some(())
        }
        _ => None,
    }
}

/// The operator's symbol, if it is one of `pg_catalog` (PostgreSQL prints others with their schema).
fn operator(expr: &AExpr) -> Option<&str> {
    match expr.name.as_slice() {
        [name] => string(name),
        _ => None,
    }
}

/// A bare column, or one cast to a text type, which changes no spelling.
fn same_column(column: &mut Option<String>, node: &Node) -> Option<()> {
    let name = match without_text_cast(node).node.as_ref()? {
        NodeEnum::ColumnRef(reference) => match reference.fields.as_slice() {
            [field] => string(field)?,
            _ => return None,
        },
        _ => return None,
    };
    match column {
        Some(known) if known == name => Some(()),
        Some(_) => None,
        None => {
            *column = Some(name.to_owned());
            Some(())
        }
    }
}

fn without_text_cast(node: &Node) -> &Node {
    let Some(NodeEnum::TypeCast(cast)) = &node.node else {
        return node;
    };
    let to_text = cast.type_name.as_ref().is_some_and(|name| {
        matches!(
            name.names.last().and_then(string),
            Some("text" | "varchar" | "bpchar")
        )
    });
    match (to_text, cast.arg.as_deref()) {
        (true, Some(arg)) => without_text_cast(arg),
        _ => node,
    }
}

/// `ARRAY[…]` or an array literal, with any casts around it.
fn array(node: &Node) -> Option<Vec<String>> {
    match node.node.as_ref()? {
        NodeEnum::TypeCast(cast) => array(cast.arg.as_deref()?),
        NodeEnum::AArrayExpr(list) => list.elements.iter().map(constant).collect(),
        NodeEnum::AConst(_) => array_literal(&constant(node)?),
        _ => None,
    }
}

/// A string or number with any casts around it.
fn constant(node: &Node) -> Option<String> {
    match node.node.as_ref()? {
        NodeEnum::TypeCast(cast) => constant(cast.arg.as_deref()?),
        NodeEnum::AConst(value) => match value.val.as_ref()? {
            a_const::Val::Sval(text) => Some(text.sval.clone()),
            a_const::Val::Ival(number) => Some(number.ival.to_string()),
            a_const::Val::Fval(number) => Some(number.fval.clone()),
            a_const::Val::Boolval(_) | a_const::Val::Bsval(_) => None,
        },
        _ => None,
    }
}

/// The elements of `{a,"b c"}`, one-dimensional and without NULL.
fn array_literal(text: &str) -> Option<Vec<String>> {
    let mut rest = text.strip_prefix('{')?.strip_suffix('}')?.chars();
    let mut elements = Vec::new();
    let mut element = String::new();
    let (mut quoted, mut was_quoted) = (false, false);
    loop {
        match rest.next() {
            Some('\\') => element.push(rest.next()?),
            Some('"') => {
                quoted = !quoted;
                was_quoted = true;
            }
            Some('{' | '}') if !quoted => return None,
            end @ (Some(',') | None) if !quoted => {
                if !was_quoted && (element.is_empty() || element.eq_ignore_ascii_case("null")) {
                    return None;
                }
                elements.push(std::mem::take(&mut element));
                was_quoted = false;
                if end.is_none() {
                    return Some(elements);
                }
            }
            Some(other) => element.push(other),
            None => return None,
        }
    }
}

fn string(node: &Node) -> Option<&str> {
    match node.node.as_ref()? {
        NodeEnum::String(text) => Some(&text.sval),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str, expected: &[(&str, &[&str])]) {
        let found = parse_choices(expression);
        let found: Vec<(&str, Vec<&str>)> = found
            .iter()
            .map(|choice| {
                let values = choice.values.iter().map(String::as_str).collect();
                (choice.column.as_str(), values)
            })
            .collect();
        let expected: Vec<(&str, Vec<&str>)> = expected
            .iter()
            .map(|(column, values)| (*column, values.to_vec()))
            .collect();
        assert_eq!(found, expected, "{expression}");
    }

    #[test]
    fn lists_of_constants_are_choices() {
        check(
            "((status)::text = ANY ((ARRAY['In Transit'::character varying, 'on hold'::character varying])::text[]))",
            &[("status", &["In Transit", "on hold"])],
        );
        check(
            "(kind = ANY (ARRAY['it''s'::text, 'a,b'::text]))",
            &[("kind", &["it's", "a,b"])],
        );
        check(
            "(rating = ANY (ARRAY[1, 2, '-3'::integer]))",
            &[("rating", &["1", "2", "-3"])],
        );
        check("(\"Kind\" = 'x'::bpchar)", &[("Kind", &["x"])]);
        check(
            "(VALUE = ANY (ARRAY['gold'::text, 'silver'::text]))",
            &[("value", &["gold", "silver"])],
        );
        check("((tags)::text[] <@ ARRAY['a'::text])", &[("tags", &["a"])]);
        check(
            "(tags <@ ARRAY['a'::text, 'b'::text])",
            &[("tags", &["a", "b"])],
        );
    }

    #[test]
    fn or_chains_and_conjunctions_are_followed() {
        check(
            "((state = 'new'::text) OR (state = 'old'::text) OR (state IS NULL) OR ('new'::text = state))",
            &[("state", &["new", "old"])],
        );
        check(
            "((a = ANY (ARRAY['x'::text, 'y'::text])) AND (b > 0) AND ((c = 1) OR (c = 2)))",
            &[("a", &["x", "y"]), ("c", &["1", "2"])],
        );
    }

    #[test]
    fn array_literals_are_read_as_postgresql_writes_them() {
        check(
            r#"(a = ANY ('{x,"y z","q\"r","null"}'::text[]))"#,
            &[("a", &["x", "y z", "q\"r", "null"])],
        );
        check("(a = ANY ('{x,NULL}'::text[]))", &[]);
        check("(a = ANY ('{{x},{y}}'::text[]))", &[]);
        check("(a = ANY ('{}'::text[]))", &[]);
    }

    #[test]
    fn anything_else_says_nothing() {
        for expression in [
            "(a > 1)",
            "(lower(a) = 'x'::text)",
            "((a = 'x'::text) OR (b = 'y'::text))",
            "((a = 'x'::text) OR (a ~ 'y'::text))",
            "(a OPERATOR(shop.=) 'x'::text)",
            "((a)::integer = 1)",
            "(a <> ALL (ARRAY['x'::text]))",
            "(NOT (a = 'x'::text))",
            "(a = b)",
            "(a = ANY (ARRAY['x'::text, NULL::text]))",
            "(a IS NULL)",
            "not sql at all (",
            "",
        ] {
            check(expression, &[]);
        }
    }

    #[test]
    fn several_lists_leave_what_all_of_them_allow() {
        let list = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            intersect(list(&["a", "b", "c"]), &list(&["c", "b"])),
            ["b", "c"]
        );
        assert_eq!(intersect(Vec::new(), &list(&["c"])), ["c"]);
        assert_eq!(intersect(list(&["c"]), &[]), ["c"]);
    }
}
