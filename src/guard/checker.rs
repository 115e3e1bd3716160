//! What one check carries from node to node: the catalog, the scopes, the counts that are capped, the evidence.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::rc::Rc;

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, String as PgString};

use super::QueryFacts;
use super::comparisons::comparison;
use super::conditions::Condition;
use super::emit;
use super::rejection::{Checked, Rejection, RejectionCode};
use super::scope::{Origin, ScopeColumn, Scopes, ValueType};
use super::size::Size;
use crate::domain::schema::Snapshot;

/// Deepest tree that is read. Chains of operators nest too, one level for each; hand-written ones have dozens.
const DEPTH_MAX: usize = 256;

/// Most relations that one query may read, each copy of a CTE that is written out counted. Planning time grows with
/// it; wide reports have twenty, unions over months and regions a few hundred at most.
const RELATIONS_MAX: usize = 256;

/// A check under way.
pub(super) struct Checker<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) scopes: Scopes,
    /// Relations read so far, copies counted.
    pub(super) relations_count: usize,
    /// Windows read so far.
    pub(super) windows_count: usize,
    depth: usize,
    tables: BTreeSet<usize>,
    columns: BTreeSet<Origin>,
    /// Filled for the outermost query.
    pub(super) facts: QueryFacts,
    /// Filled as clauses are read, if they are wanted.
    pub(super) conditions: Option<Vec<Condition>>,
}

/// What an expression gives.
#[derive(Debug, Clone, Default)]
pub(super) struct Value {
    pub(super) value_type: ValueType,
    pub(super) size: Size,
    pub(super) name: OutputName,
}

/// What PostgreSQL calls an output column without an alias, and how surely (`FigureColname`): 2 a name that the
/// expression has, 1 a type or `case`, 0 none, which is `?column?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OutputName {
    pub(super) strength: u8,
    pub(super) text: Cow<'static, str>,
}

impl Default for OutputName {
    fn default() -> Self {
        Self {
            strength: 0,
            text: Cow::Borrowed("?column?"),
        }
    }
}

impl Value {
    /// A value of a builtin type that the data gives.
    pub(super) fn named(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: OutputName {
                strength: 2,
                text: name.into(),
            },
            ..Self::default()
        }
    }

    /// The same value without a name.
    pub(super) fn unnamed(self) -> Self {
        Self {
            name: OutputName::default(),
            ..self
        }
    }

    /// What can be either.
    pub(super) fn join(self, other: Self) -> Self {
        Self {
            value_type: self.value_type.join(other.value_type),
            size: self.size.max(other.size),
            name: OutputName::default(),
        }
    }

    /// The output column that this value makes.
    pub(super) fn into_column(self, name: Rc<str>) -> ScopeColumn {
        ScopeColumn {
            name,
            hidden: false,
            skipped_by_star: false,
            value: self.value_type,
            size: self.size,
            origins: Vec::new(),
        }
    }
}

impl<'a> Checker<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        Self {
            snapshot,
            scopes: Scopes::default(),
            relations_count: 0,
            windows_count: 0,
            depth: 0,
            tables: BTreeSet::new(),
            columns: BTreeSet::new(),
            facts: QueryFacts::default(),
            conditions: None,
        }
    }

    /// The major version of the server, e.g. 15.
    pub(super) fn server_version(&self) -> u32 {
        self.snapshot.server_version_num / 10_000
    }

    /// Runs `inside` one level deeper, so that no tree can use up the stack.
    pub(super) fn deeper<T>(&mut self, inside: impl FnOnce(&mut Self) -> Checked<T>) -> Checked<T> {
        if self.depth >= DEPTH_MAX {
            return Err(Rejection::new(
                RejectionCode::TooComplex,
                format!("The query nests more than {DEPTH_MAX} levels deep; write a flatter one."),
            ));
        }
        self.depth += 1;
        let result = inside(self);
        self.depth -= 1;
        result
    }

    /// Counts relations that PostgreSQL has to plan for.
    pub(super) fn count_relations(&mut self, count: usize) -> Checked<()> {
        self.relations_count = self.relations_count.saturating_add(count);
        if self.relations_count > RELATIONS_MAX {
            return Err(Rejection::new(
                RejectionCode::TooComplex,
                format!("The query reads more than {RELATIONS_MAX} relations; read fewer."),
            ));
        }
        Ok(())
    }

    /// Notes that a relation is read.
    pub(super) fn note_table(&mut self, relation: usize) {
        self.tables.insert(relation);
    }

    /// Lets a column be read that is not hidden, and notes it.
    pub(super) fn note_column(&mut self, column: &ScopeColumn) {
        self.columns.extend(column.origins.iter().copied());
    }

    /// Notes the conditions of a WHERE or HAVING clause, one for each AND.
    pub(super) fn note_filter(&mut self, condition: &Node) {
        let conjuncts = emit::conjuncts(condition);
        self.facts
            .comparisons
            .extend(conjuncts.iter().copied().filter_map(comparison));
        if let Some(conditions) = self.conditions.as_mut() {
            conditions.extend(conjuncts.into_iter().cloned().map(Condition::Filter));
        }
    }

    /// Notes the condition of a join.
    pub(super) fn note_join(&mut self, condition: impl FnOnce() -> Condition) {
        if let Some(conditions) = self.conditions.as_mut() {
            conditions.push(condition());
        }
    }

    /// Names of the relations read, and of their columns, sorted.
    pub(super) fn evidence(&self) -> (Vec<String>, Vec<String>) {
        let relations = &self.snapshot.relations;
        let mut tables: Vec<String> = self
            .tables
            .iter()
            .filter_map(|index| relations.get(*index))
            .map(|relation| format!("{}.{}", relation.schema, relation.name))
            .collect();
        let mut columns: Vec<String> = self
            .columns
            .iter()
            .filter_map(|(index, column)| {
                let relation = relations.get(*index)?;
                let column = relation.columns.get(*column)?;
                Some(format!(
                    "{}.{}.{}",
                    relation.schema, relation.name, column.name
                ))
            })
            .collect();
        tables.sort_unstable();
        columns.sort_unstable();
        (tables, columns)
    }
}

/// The text of a String node.
pub(super) fn text_of(node: &Node) -> Option<&str> {
    let NodeEnum::String(PgString { sval }) = node.node.as_ref()? else {
        return None;
    };
    Some(sval)
}

/// The texts of a list of String nodes, or nothing if there is anything else in it.
pub(super) fn texts_of(nodes: &[Node]) -> Option<Vec<&str>> {
    nodes.iter().map(text_of).collect()
}

/// A String node.
pub(super) fn text_node(text: &str) -> Node {
    Node {
        node: Some(NodeEnum::String(PgString {
            sval: text.to_owned(),
        })),
    }
}

/// The refusal of a part of SQL that no rule lets through.
pub(super) fn not_supported(what: &str) -> Rejection {
    Rejection::new(
        RejectionCode::NotSupported,
        format!("{what} cannot be used here."),
    )
}

/// Refuses a field that the parser fills only in places where the guard does not expect it.
pub(super) fn expect_empty(is_empty: bool, what: &str) -> Checked<()> {
    if is_empty {
        Ok(())
    } else {
        Err(not_supported(what))
    }
}
