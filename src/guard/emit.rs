//! Between text and tree: libpg_query's parser and deparser, and the few looks at a tree that need no scope.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    BoolExprType, LimitOption, Node, ParseResult, RawStmt, ResTarget, SelectStmt, SetOperation,
    a_const,
};

use super::rejection::{Checked, Rejection, RejectionCode};
use super::shape::shape;

/// The tree of a text. The parser's message quotes nothing but the text.
pub(super) fn parse(text: &str) -> Checked<ParseResult> {
    pg_query::parse(text, 0)
        .map(|result| result.protobuf)
        .map_err(|error| {
            let problem = match error {
                pg_query::Error::Parse(message) => message,
                pg_query::Error::Conversion(_) => "it holds a NUL character".to_owned(),
                pg_query::Error::Decode(_)
                | pg_query::Error::InvalidJson(_)
                | pg_query::Error::InvalidPointer
                | pg_query::Error::Scan(_)
                | pg_query::Error::IsUtility(_)
                | pg_query::Error::Split(_) => "the parser cannot read it".to_owned(),
            };
            Rejection::new(
                RejectionCode::ParseError,
                format!("PostgreSQL cannot parse this: {problem}."),
            )
        })
}

/// The text of a tree, proved to be it: parsed again, it gives the same tree. A deparser that forgets to quote a name
/// would otherwise turn a name into SQL behind the guard's back.
pub(super) fn written_out(tree: &ParseResult) -> Checked<String> {
    let text = pg_query::deparse(tree, pg_query::DeparseOptions::default())
        .map_err(|_| not_written_out())?;
    let again = pg_query::parse(&text, 0).map_err(|_| not_written_out())?;
    match (shape(&tree.stmts), shape(&again.protobuf.stmts)) {
        (Some(checked), Some(written)) if checked == written => Ok(text),
        _ => Err(not_written_out()),
    }
}

fn not_written_out() -> Rejection {
    Rejection::new(
        RejectionCode::NotSupported,
        "This query cannot be written out again; write it in a plainer form.",
    )
}

/// An expression as SQL, for people. `None` if the deparser does not take it.
pub(super) fn expression_text(expression: Node) -> Option<String> {
    let target = Node {
        node: Some(NodeEnum::ResTarget(Box::new(ResTarget {
            val: Some(Box::new(expression)),
            ..ResTarget::default()
        }))),
    };
    let select = SelectStmt {
        target_list: vec![target],
        limit_option: LimitOption::Default as i32,
        op: SetOperation::SetopNone as i32,
        ..SelectStmt::default()
    };
    let tree = ParseResult {
        version: 0,
        stmts: vec![RawStmt {
            stmt: Some(Box::new(Node {
                node: Some(NodeEnum::SelectStmt(Box::new(select))),
            })),
            ..RawStmt::default()
        }],
    };
    let text = pg_query::deparse(&tree, pg_query::DeparseOptions::default()).ok()?;
    text.strip_prefix("SELECT ").map(str::to_owned)
}

/// The conditions that a chain of AND is made of.
pub(super) fn conjuncts(condition: &Node) -> Vec<&Node> {
    match condition.node.as_ref() {
        Some(NodeEnum::BoolExpr(logic))
            if BoolExprType::try_from(logic.boolop) == Ok(BoolExprType::AndExpr) =>
        {
            logic.args.iter().collect()
        }
        _ => vec![condition],
    }
}

/// The text of a string literal, cast or not.
pub(super) fn text_literal(node: &Node) -> Option<&str> {
    let mut node = node.node.as_ref()?;
    if let NodeEnum::TypeCast(cast) = node {
        node = cast.arg.as_deref()?.node.as_ref()?;
    }
    let NodeEnum::AConst(constant) = node else {
        return None;
    };
    let a_const::Val::Sval(text) = constant.val.as_ref()? else {
        return None;
    };
    Some(&text.sval)
}

/// Whether this is the NULL of `LIMIT ALL`.
pub(super) fn is_null_literal(node: &Node) -> bool {
    matches!(&node.node, Some(NodeEnum::AConst(constant)) if constant.isnull)
}

/// A name as SQL writes it.
pub(super) fn quoted(name: &str) -> String {
    let is_plain = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_plain {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}
