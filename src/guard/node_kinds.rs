//! Proves that no kind of node is passed over: every kind that the parser's protobuf schema has is put where an expression, a
//! FROM item, an output column and a statement can stand, and only those on the lists here may be let through.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use pg_query::NodeEnum;
use pg_query::protobuf::Node;
use prost::Message;

use super::checker::Checker;
use crate::domain::schema::{ForeignNames, Snapshot};

/// Above every tag of the schema's `Node`; its kinds are numbered without gaps from 1.
const TAGS_MAX: u8 = 255;

/// Kinds of which an empty node is an expression. The others that expressions are made of are refused when they are empty.
const EMPTY_EXPRESSIONS: [&str; 12] = [
    "AArrayExpr",
    "AConst",
    "AIndirection",
    "BoolExpr",
    "BooleanTest",
    "CaseExpr",
    "CoalesceExpr",
    "CollateClause",
    "GroupingFunc",
    "MinMaxExpr",
    "NullTest",
    "RowExpr",
];

#[test]
fn every_kind_of_node_is_refused_unless_it_is_on_a_list() {
    let kinds = kinds();
    assert!(kinds.len() > 260, "only {} kinds were found", kinds.len());
    let mut let_through = BTreeSet::new();
    for node in kinds {
        let snapshot = snapshot();
        let mut checker = Checker::new(&snapshot);
        let kind = kind_of(&node);
        if checker.expression(&mut node.clone()).is_ok() {
            let_through.insert(kind.clone());
        }
        let from = checker.read_from(&mut [node.clone()]);
        assert!(from.is_err(), "{kind} in FROM");
        let targets = checker.targets(&mut [node.clone()]);
        assert!(targets.is_err(), "{kind} as an output column");
        let query = checker.query_node(Some(&mut node.clone()));
        assert!(query.is_err(), "{kind} as a query");
    }
    let unexpected: Vec<&String> = let_through
        .iter()
        .filter(|kind| !EMPTY_EXPRESSIONS.contains(&kind.as_str()))
        .collect();
    assert!(unexpected.is_empty(), "let through: {unexpected:?}");
}

/// One empty node of every kind, made from its number in the schema, so that a kind that a newer parser adds is among them.
fn kinds() -> Vec<Node> {
    (1_u32..=u32::from(TAGS_MAX) + 100)
        .filter_map(|tag| {
            let mut bytes = Vec::new();
            prost::encoding::encode_key(
                tag,
                prost::encoding::WireType::LengthDelimited,
                &mut bytes,
            );
            bytes.push(0);
            Node::decode(bytes.as_slice())
                .ok()
                .filter(|node| node.node.is_some())
        })
        .collect()
}

fn kind_of(node: &Node) -> String {
    let text = node
        .node
        .as_ref()
        .map(|kind: &NodeEnum| format!("{kind:?}"))
        .unwrap_or_default();
    text.split('(').next().unwrap_or_default().to_owned()
}

fn snapshot() -> Snapshot {
    Snapshot {
        database: "db".to_owned(),
        server_version_num: 180_000,
        fingerprint: String::new(),
        read_at: DateTime::<Utc>::UNIX_EPOCH,
        relations: Vec::new(),
        types: Vec::new(),
        foreign_names: ForeignNames::default(),
        extensions: Vec::new(),
        hidden_relations_count: 0,
    }
}
