//! Operators, wherever the grammar lets one be named or means one by a keyword.

use pg_query::NodeEnum;
use pg_query::protobuf::{AExpr, AExprKind, Node};

use super::builtins;
use super::checker::{Checker, OutputName, Value, not_supported, text_node, texts_of};
use super::emit;
use super::expressions::name;
use super::rejection::{Checked, Rejection, RejectionCode};
use super::scope::ValueType;
use super::size;

impl Checker<'_> {
    /// Checks an operator's name and gives its symbol.
    pub(super) fn operator(&mut self, names: &mut Vec<Node>) -> Checked<String> {
        let parts = texts_of(names).unwrap_or_default();
        let (schema, symbol) = match parts.as_slice() {
            [symbol] => (None, (*symbol).to_owned()),
            [schema, symbol] => (Some(*schema), (*symbol).to_owned()),
            _ => return Err(not_supported("This kind of operator name")),
        };
        let is_foreign = self.snapshot.foreign_names.operators.contains(&symbol);
        let is_catalog = schema.is_none_or(|schema| schema == "pg_catalog");
        if is_catalog && builtins::is_operator(&symbol) && !is_foreign {
            return Ok(symbol);
        }
        let of_extension = self.snapshot.extensions.iter().find(|extension| {
            extension.operators.contains(&symbol)
                && schema.is_none_or(|schema| schema == extension.schema)
        });
        if let Some(extension) = of_extension.filter(|_| !is_foreign) {
            *names = vec![text_node(&extension.schema), text_node(&symbol)];
            return Ok(symbol);
        }
        Err(Rejection::new(
            RejectionCode::OperatorNotAllowed,
            format!("The operator {symbol} is not one that may be used; use a builtin one."),
        ))
    }

    /// Reads an operator expression: infix, prefix, LIKE, IN, BETWEEN, ANY and ALL.
    pub(super) fn operation(&mut self, operation: &mut AExpr) -> Checked<Value> {
        let AExpr {
            kind,
            name: names,
            lexpr,
            rexpr,
            rexpr_list_start: _,
            rexpr_list_end: _,
            location: _,
        } = operation;
        let kind = AExprKind::try_from(*kind).unwrap_or(AExprKind::Undefined);
        let left = match lexpr {
            Some(left) => Some(self.expression(left)?),
            None => None,
        };
        let Some(right) = rexpr else {
            return Err(not_supported("An operator without its right side"));
        };
        match kind {
            AExprKind::AexprOp => {
                let symbol = self.operator(names)?;
                if matches!(symbol.as_str(), "@?" | "@@") {
                    // What is not a literal is no JSON path, or was looked at where it was cast to one.
                    if let Some(path) = emit::text_literal(right) {
                        size::check_json_path(path)?;
                    }
                }
                let right = self.expression(right)?;
                let size =
                    size::operator_size(&symbol, left.as_ref().map(|left| left.size), right.size)?;
                let value_type = if is_comparison(&symbol) {
                    ValueType::default()
                } else {
                    left.map(|left| left.value_type)
                        .unwrap_or_default()
                        .join(right.value_type)
                };
                Ok(Value {
                    value_type,
                    size,
                    name: OutputName::default(),
                })
            }
            AExprKind::AexprIn
            | AExprKind::AexprBetween
            | AExprKind::AexprNotBetween
            | AExprKind::AexprBetweenSym
            | AExprKind::AexprNotBetweenSym => {
                // BETWEEN is written with words where an operator's name would be; it means <= and >=.
                if kind == AExprKind::AexprIn {
                    self.operator(names)?;
                } else {
                    for symbol in ["<=", ">="] {
                        self.operator(&mut vec![text_node(symbol)])?;
                    }
                }
                let Some(NodeEnum::List(list)) = right.node.as_mut() else {
                    return Err(not_supported("This kind of list"));
                };
                // One after the other: nothing of thousands of values is needed later.
                for item in &mut list.items {
                    self.expression(item)?;
                }
                Ok(Value::default())
            }
            AExprKind::AexprNullif => {
                self.operator(names)?;
                self.expression(right)?;
                Ok(Value {
                    name: name(2, "nullif"),
                    ..left.unwrap_or_default()
                })
            }
            AExprKind::AexprOpAny
            | AExprKind::AexprOpAll
            | AExprKind::AexprDistinct
            | AExprKind::AexprNotDistinct
            | AExprKind::AexprLike
            | AExprKind::AexprIlike
            | AExprKind::AexprSimilar => {
                self.operator(names)?;
                self.expression(right)?;
                Ok(Value::default())
            }
            AExprKind::Undefined => Err(not_supported("This kind of operator")),
        }
    }
}

fn is_comparison(symbol: &str) -> bool {
    matches!(
        symbol,
        "=" | "<>"
            | "<"
            | "<="
            | ">"
            | ">="
            | "~~"
            | "!~~"
            | "~~*"
            | "!~~*"
            | "~"
            | "~*"
            | "!~"
            | "!~*"
            | "@>"
            | "<@"
            | "&&"
            | "?"
            | "?|"
            | "?&"
            | "@?"
            | "@@"
    )
}
