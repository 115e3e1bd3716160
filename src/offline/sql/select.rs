//! A SELECT under construction: its joins, and names for the relations in it.

use super::super::joins::{self, Path, Step};
use super::super::query::Query;
use super::super::vocabulary::{ColumnId, RelationId, Vocabulary};
use super::super::{Misunderstanding, resolve};
use crate::domain::identifier::identifier;

/// A relation in FROM, by the alias that stands for one of its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Anchor {
    /// The relation.
    pub(super) relation: RelationId,
    /// Its alias, ready for use in SQL.
    pub(super) alias: String,
}

/// Names and FROM of one SELECT. Subqueries share the names, so that none hides an outer one.
pub(super) struct Select<'v, 'a> {
    /// The catalog.
    pub(super) vocabulary: &'v Vocabulary<'a>,
    /// The question's stems.
    pub(super) hints: &'v [String],
    /// The relations that the question names.
    pub(super) mentioned: &'v [RelationId],
    /// Choices made that the person should know of, as sentences.
    pub(super) assumptions: Vec<String>,
    names: Vec<String>,
    from: String,
    joined: Vec<(String, Step, String)>,
    /// Whether a join met several rows for one of the first relation's.
    pub(super) fans_out: bool,
}

impl<'v, 'a> Select<'v, 'a> {
    /// Begins with one relation.
    pub(super) fn new(
        vocabulary: &'v Vocabulary<'a>,
        query: &'v Query,
        relation: RelationId,
    ) -> (Self, Anchor) {
        let mut select = Self {
            vocabulary,
            hints: &query.hints,
            mentioned: &query.mentioned,
            assumptions: Vec::new(),
            names: Vec::new(),
            from: String::new(),
            joined: Vec::new(),
            fans_out: false,
        };
        let (source, anchor) = select.source(relation);
        select.from = source;
        (select, anchor)
    }

    /// The FROM clause's contents.
    pub(super) fn from(&self) -> &str {
        &self.from
    }

    /// `schema.relation AS alias` with a name that is still free.
    pub(super) fn source(&mut self, relation: RelationId) -> (String, Anchor) {
        let (schema, name) = self
            .vocabulary
            .relation(relation)
            .map_or(("", ""), |r| (r.schema.as_str(), r.name.as_str()));
        let mut alias = name.to_owned();
        let mut number = 1;
        while self.names.contains(&alias) {
            number += 1;
            alias = format!("{name}_{number}");
        }
        self.names.push(alias.clone());
        let quoted = identifier(&alias);
        let source = if alias == name {
            format!("{}.{}", identifier(schema), identifier(name))
        } else {
            format!("{}.{} AS {quoted}", identifier(schema), identifier(name))
        };
        let anchor = Anchor {
            relation,
            alias: quoted,
        };
        (source, anchor)
    }

    /// Joins whatever leads from an anchor to a relation. `keeps` keeps rows that meet none.
    pub(super) fn reach(
        &mut self,
        from: &Anchor,
        to: RelationId,
        keeps: bool,
    ) -> Result<Anchor, Misunderstanding> {
        let path = self.path(from.relation, to)?;
        Ok(self.follow(from, &path, keeps))
    }

    /// The path between two relations.
    pub(super) fn path(&self, from: RelationId, to: RelationId) -> Result<Path, Misunderstanding> {
        joins::path(self.vocabulary, from, to, self.hints).ok_or_else(|| {
            let name = self.vocabulary.relation(to).map_or("", |r| r.name.as_str());
            resolve::no_way(name)
        })
    }

    /// Joins the steps of a path, each once.
    pub(super) fn follow(&mut self, from: &Anchor, path: &[Step], keeps: bool) -> Anchor {
        let mut here = from.clone();
        let mut outer = false;
        for step in path {
            let known = self
                .joined
                .iter()
                .find(|(alias, other, _)| {
                    *alias == here.alias && other.pairs == step.pairs && other.to == step.to
                })
                .map(|(.., alias)| alias.clone());
            if let Some(alias) = known {
                here = Anchor {
                    relation: step.to,
                    alias,
                };
                continue;
            }
            outer |= keeps && step.optional;
            self.fans_out |= step.to_many;
            let (source, next) = self.source(step.to);
            let kind = if outer { "LEFT JOIN" } else { "JOIN" };
            let on = join_condition(&here.alias, &next.alias, step);
            self.from.push_str(&format!("\n{kind} {source} ON {on}"));
            self.joined
                .push((here.alias.clone(), step.clone(), next.alias.clone()));
            here = next;
        }
        here
    }

    /// Notes a choice, once.
    pub(super) fn assume(&mut self, sentence: String) {
        if !self.assumptions.contains(&sentence) {
            self.assumptions.push(sentence);
        }
    }

    /// `alias.column`.
    pub(super) fn column(&self, anchor: &Anchor, id: ColumnId) -> String {
        let name = self.vocabulary.column(id).map_or("", |c| c.name.as_str());
        format!("{}.{}", anchor.alias, identifier(name))
    }

    /// Sets the FROM of a subquery aside: begins one at the end of a step and returns what it was.
    pub(super) fn begin_subquery(&mut self, relation: RelationId) -> (Outer, Anchor) {
        let (source, anchor) = self.source(relation);
        let outer = Outer {
            from: std::mem::replace(&mut self.from, source),
            joined: std::mem::take(&mut self.joined),
            fans_out: std::mem::take(&mut self.fans_out),
        };
        (outer, anchor)
    }

    /// Ends a subquery: gives back its FROM and takes up the outer one.
    pub(super) fn end_subquery(&mut self, outer: Outer) -> String {
        self.joined = outer.joined;
        self.fans_out = outer.fans_out;
        std::mem::replace(&mut self.from, outer.from)
    }
}

/// The state of a query while a subquery is written.
pub(super) struct Outer {
    from: String,
    joined: Vec<(String, Step, String)>,
    fans_out: bool,
}

/// `a.x = b.y AND …`.
pub(super) fn join_condition(from: &str, to: &str, step: &Step) -> String {
    step.pairs
        .iter()
        .map(|(left, right)| format!("{to}.{} = {from}.{}", identifier(right), identifier(left)))
        .collect::<Vec<_>>()
        .join(" AND ")
}
