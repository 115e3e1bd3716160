//! Proves that a text is one query which reads only what the policy allows. Pure: no IO, no clock.
//!
//! In: [`DraftSql`] and a [`Snapshot`].
//! Out: [`CheckedSql`], whose only maker is [`check`], or a [`Rejection`].

mod builtins;
mod calls;
mod casts;
mod checker;
mod columns;
mod comparisons;
mod conditions;
mod emit;
mod expressions;
mod from;
mod hints;
#[cfg(test)]
mod node_kinds;
mod operations;
pub mod policy;
mod prescan;
mod query;
mod rejection;
mod scope;
mod shape;
mod size;
mod tables;
mod targets;
mod types;
mod xml;

pub use comparisons::Comparison;
pub use hints::nearest as nearest_name;
pub use prescan::SQL_BYTES_MAX;
pub use rejection::{Rejection, RejectionCode};

use pg_query::NodeEnum;
use pg_query::protobuf::ParseResult;

use crate::domain::schema::Snapshot;
use crate::domain::sql::DraftSql;

/// SQL that the guard let through: the checked tree written out again with every relation
/// schema-qualified. There is no other way to make one.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedSql {
    text: String,
    tables: Vec<String>,
    columns: Vec<String>,
    facts: QueryFacts,
}

/// What the checked tree says about the query, for the evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryFacts {
    /// Conditions of WHERE and HAVING at any depth, as SQL, in the order of the text. Empty until
    /// [`CheckedSql::described`].
    pub filters: Vec<String>,
    /// Join conditions, as SQL, in the order of the text. Empty until [`CheckedSql::described`].
    pub joins: Vec<String>,
    /// Output names of the outermost query, as PostgreSQL gives them. Not unique.
    pub output_names: Vec<String>,
    /// Whether the outermost query has a LIMIT.
    pub has_limit: bool,
    /// Whether the outermost query has an ORDER BY.
    pub has_order: bool,
    /// Columns that conditions compare with texts, in the order of the text.
    pub comparisons: Vec<Comparison>,
    /// Whether the outermost query groups or aggregates.
    pub is_aggregate: bool,
    /// Whether two relations stand in one FROM clause, at any depth, that no condition joins: no ON or USING between them, and no
    /// WHERE in that query.
    pub has_cartesian_join: bool,
}

impl CheckedSql {
    /// The SQL as it is to be run.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Relations read, as `schema.name`, sorted, each once.
    #[must_use]
    pub fn tables(&self) -> &[String] {
        &self.tables
    }

    /// Columns read, as `schema.name.column`, sorted, each once.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The same with its conditions put into words, for a query that will be run; `snapshot` is the one that it was checked
    /// against. Needs the stack that [`check`] needs.
    #[must_use]
    pub fn described(mut self, snapshot: &Snapshot) -> Self {
        // The text is read once more: to copy the conditions of every query while it is checked costs a tenth of the check.
        let mut checker = checker::Checker::new(snapshot);
        checker.conditions = Some(Vec::new());
        let read = emit::parse(&self.text).and_then(|mut tree| read(&mut tree, &mut checker));
        if let (Ok(()), Some(conditions)) = (read, checker.conditions) {
            (self.facts.filters, self.facts.joins) = conditions::in_words(conditions);
        }
        self
    }

    /// What the tree says about the query.
    #[must_use]
    pub fn facts(&self) -> &QueryFacts {
        &self.facts
    }
}

#[cfg(test)]
impl CheckedSql {
    /// The guard switched off: any text at all. It is there in this crate's own test build only, for the tests that ask what
    /// the role and the transaction hold alone.
    pub(crate) fn unchecked(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            tables: Vec::new(),
            columns: Vec::new(),
            facts: QueryFacts::default(),
        }
    }
}

/// Checks one text. Deterministic, and bounded in time and memory by the limits in this layer;
/// needs up to a few MiB of stack, see `pipeline::check`.
///
/// # Errors
/// A [`Rejection`]: an outcome for the model and the person, not a fault.
pub fn check(draft: &DraftSql, snapshot: &Snapshot) -> Result<CheckedSql, Rejection> {
    parse(draft)?.resolve(snapshot)?.write_out()
}

/// A text that PostgreSQL's parser takes. Nothing is known of what it reads.
#[derive(Debug)]
pub struct ParsedSql {
    tree: ParseResult,
}

/// A tree of which every part was found to be allowed, with its names qualified.
#[derive(Debug)]
pub struct ResolvedSql {
    tree: ParseResult,
    tables: Vec<String>,
    columns: Vec<String>,
    facts: QueryFacts,
}

/// The first step of [`check`].
///
/// # Errors
/// The text is too long or nests too deep to be parsed, or does not parse.
pub fn parse(draft: &DraftSql) -> Result<ParsedSql, Rejection> {
    prescan::prescan(draft.as_str())?;
    let tree = emit::parse(draft.as_str())?;
    Ok(ParsedSql { tree })
}

impl ParsedSql {
    /// The second step of [`check`], and the one that decides.
    ///
    /// # Errors
    /// What the statement is, reads, calls or would build is not allowed.
    pub fn resolve(mut self, snapshot: &Snapshot) -> Result<ResolvedSql, Rejection> {
        let mut checker = checker::Checker::new(snapshot);
        read(&mut self.tree, &mut checker)?;
        let (tables, columns) = checker.evidence();
        Ok(ResolvedSql {
            tables,
            columns,
            facts: checker.facts,
            tree: self.tree,
        })
    }
}

/// Reads the one query that a text must be.
fn read(tree: &mut ParseResult, checker: &mut checker::Checker<'_>) -> Result<(), Rejection> {
    let [statement] = tree.stmts.as_mut_slice() else {
        return Err(Rejection::new(
            RejectionCode::NotOneStatement,
            "Exactly one SELECT statement is expected.",
        ));
    };
    match statement.stmt.as_mut().and_then(|node| node.node.as_mut()) {
        Some(NodeEnum::SelectStmt(query)) => checker.outermost(query),
        Some(
            NodeEnum::InsertStmt(_)
            | NodeEnum::UpdateStmt(_)
            | NodeEnum::DeleteStmt(_)
            | NodeEnum::MergeStmt(_),
        ) => Err(Rejection::new(
            RejectionCode::NotReadOnly,
            "Only SELECT is allowed; nothing can be written.",
        )),
        _ => Err(Rejection::new(
            RejectionCode::NotAQuery,
            "Only SELECT, VALUES and TABLE are allowed.",
        )),
    }
}

impl ResolvedSql {
    /// The last step of [`check`].
    ///
    /// # Errors
    /// The tree cannot be written out so that it parses to itself again.
    pub fn write_out(self) -> Result<CheckedSql, Rejection> {
        Ok(CheckedSql {
            text: emit::written_out(&self.tree)?,
            tables: self.tables,
            columns: self.columns,
            facts: self.facts,
        })
    }
}
