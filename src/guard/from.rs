//! FROM: relations, sub-selects, functions, joins, and what each lets names see.

use std::rc::Rc;

use pg_query::NodeEnum;
use pg_query::protobuf::{
    Alias, JoinExpr, JoinType, Node, RangeSubselect, RangeTableSample, RangeVar,
};

use super::builtins;
use super::checker::{Checker, expect_empty, not_supported, text_of, texts_of};
use super::conditions::Condition;
use super::emit;
use super::query::{column_names, faulty, renamed};
use super::rejection::{Checked, Rejection, RejectionCode};
use super::scope::{CteState, Found, Item, ScopeColumn, ValueType, find_in};
use super::size::Size;
use crate::domain::schema::{Column, NamedTypeKind, Relation, RelationKind, Snapshot};

/// What a FROM item adds to its level.
pub(super) struct FromItem {
    /// What names can find.
    pub(super) items: Vec<Item>,
    /// Its columns, as a join around it sees them.
    pub(super) columns: Rc<[ScopeColumn]>,
}

impl FromItem {
    /// One item whose columns are also what a join sees.
    pub(super) fn of(item: Item) -> Self {
        Self {
            columns: Rc::clone(&item.columns),
            items: vec![item],
        }
    }
}

impl Checker<'_> {
    /// Reads a FROM clause into the innermost level.
    pub(super) fn read_from(&mut self, nodes: &mut [Node]) -> Checked<()> {
        for node in nodes {
            let from = self.read_from_item(node)?;
            let items = &mut self.scopes.innermost().items;
            check_names(items, &from.items)?;
            items.extend(from.items.into_iter().map(|item| lateral(item, true)));
        }
        for item in &mut self.scopes.innermost().items {
            item.lateral_only = false;
            item.lateral_ok = true;
        }
        Ok(())
    }

    fn read_from_item(&mut self, node: &mut Node) -> Checked<FromItem> {
        self.deeper(|checker| match node.node.as_mut() {
            Some(NodeEnum::RangeVar(relation)) => checker.relation(relation),
            Some(NodeEnum::RangeSubselect(subselect)) => checker.subselect(subselect),
            Some(NodeEnum::RangeFunction(function)) => checker.range_function(function),
            Some(NodeEnum::RangeTableFunc(table)) => checker.xml_table(table),
            Some(NodeEnum::RangeTableSample(sample)) => checker.table_sample(sample),
            Some(NodeEnum::JoinExpr(join)) => checker.join(join),
            _ => Err(not_supported("This kind of FROM item")),
        })
    }

    fn relation(&mut self, range: &mut RangeVar) -> Checked<FromItem> {
        let RangeVar {
            catalogname,
            schemaname,
            relname,
            inh: _,
            relpersistence,
            alias,
            location: _,
        } = range;
        expect_empty(relpersistence == "p", "A temporary table")?;
        if schemaname.is_empty()
            && catalogname.is_empty()
            && let Some(place) = self.scopes.find_cte(relname)
        {
            return self.cte_reference(place, relname, alias.as_ref());
        }
        if !catalogname.is_empty() && *catalogname != self.snapshot.database {
            return Err(self.unknown_relation(relname));
        }
        let Some(index) = self.find_relation(schemaname, relname) else {
            return Err(self.unknown_relation(relname));
        };
        let Some(relation) = self.snapshot.relations.get(index) else {
            return Err(self.unknown_relation(relname));
        };
        self.count_relations(1)?;
        self.note_table(index);
        catalogname.clear();
        schemaname.clone_from(&relation.schema);
        let columns = relation_columns(self.snapshot, index, relation);
        let mut item = aliased(relname, columns, alias.as_ref())?;
        if alias.is_none() {
            item.relation = Some((
                relation.schema.as_str().into(),
                relation.name.as_str().into(),
            ));
        }
        item.system_columns = match relation.kind {
            RelationKind::View => false,
            RelationKind::Table
            | RelationKind::PartitionedTable
            | RelationKind::Partition
            | RelationKind::MaterializedView
            | RelationKind::ForeignTable => true,
        };
        Ok(FromItem::of(item))
    }

    fn cte_reference(
        &mut self,
        place: super::scope::CtePlace,
        name: &str,
        alias: Option<&Alias>,
    ) -> Checked<FromItem> {
        self.read_cte(place, true)?;
        let is_own_level = place.level == self.scopes.depth();
        let Some(cte) = self.scopes.cte(place) else {
            return Err(self.unknown_relation(name));
        };
        if !matches!(cte.state, CteState::Done | CteState::Recursive) {
            return Err(faulty(&format!(
                "The WITH query {name:?} may name itself only in the second arm of a UNION."
            )));
        }
        let mut columns = cte.columns.to_vec();
        for column in &mut columns {
            column.skipped_by_star &= !is_own_level;
        }
        let weight = if cte.inlined { cte.weight } else { 1 };
        self.count_relations(weight)?;
        Ok(FromItem::of(aliased(name, columns.into(), alias)?))
    }

    /// The relation that a name means: in `public` without a schema, or else the only one of that name.
    fn find_relation(&self, schema: &str, name: &str) -> Option<usize> {
        let relations = || self.snapshot.relations.iter().enumerate();
        let in_schema = |wanted: &str| {
            relations()
                .find(|(_, relation)| relation.name == name && relation.schema == wanted)
                .map(|(index, _)| index)
        };
        if !schema.is_empty() {
            return in_schema(schema);
        }
        in_schema("public").or_else(|| {
            let mut of_that_name = relations().filter(|(_, relation)| relation.name == name);
            match (of_that_name.next(), of_that_name.next()) {
                (Some((index, _)), None) => Some(index),
                _ => None,
            }
        })
    }

    /// The same words for a relation that is not allowed and for one that does not exist.
    fn unknown_relation(&self, name: &str) -> Rejection {
        let names = self
            .snapshot
            .relations
            .iter()
            .map(|relation| relation.name.as_str());
        let hint = super::hints::nearest(name, names)
            .map(|nearest| format!(" Did you mean {nearest:?}?"))
            .unwrap_or_default();
        Rejection::new(
            RejectionCode::UnknownRelation,
            format!("There is no table {name:?} that you may read.{hint}"),
        )
    }

    fn subselect(&mut self, subselect: &mut RangeSubselect) -> Checked<FromItem> {
        let RangeSubselect {
            lateral,
            subquery,
            alias,
        } = subselect;
        if alias.is_none() && self.server_version() < 16 {
            return Err(not_supported(
                "A subquery in FROM without an alias is new in PostgreSQL 16 and",
            ));
        }
        let columns = self.with_lateral(*lateral, |checker| {
            checker.query_node(subquery.as_deref_mut())
        })?;
        let item = match alias {
            Some(alias) => aliased("", columns, Some(alias))?,
            None => Item::new(None, columns),
        };
        Ok(FromItem::of(item))
    }

    /// Runs `inside` with the FROM items so far visible to it, or not.
    pub(super) fn with_lateral<T>(
        &mut self,
        lateral: bool,
        inside: impl FnOnce(&mut Self) -> Checked<T>,
    ) -> Checked<T> {
        let before = std::mem::replace(&mut self.scopes.innermost().lateral_active, lateral);
        let result = inside(self);
        self.scopes.innermost().lateral_active = before;
        result
    }

    fn table_sample(&mut self, sample: &mut RangeTableSample) -> Checked<FromItem> {
        let RangeTableSample {
            relation,
            method,
            args,
            repeatable,
            location: _,
        } = sample;
        let from = match relation.as_deref_mut().and_then(|node| node.node.as_mut()) {
            Some(NodeEnum::RangeVar(relation)) => self.relation(relation)?,
            _ => return Err(not_supported("TABLESAMPLE of anything but a table")),
        };
        let method = texts_of(method).unwrap_or_default();
        if !matches!(
            method.as_slice(),
            ["bernoulli" | "system"] | ["pg_catalog", "bernoulli" | "system"]
        ) {
            return Err(not_supported(
                "A TABLESAMPLE method other than BERNOULLI and SYSTEM",
            ));
        }
        for argument in args.iter_mut().chain(repeatable.as_deref_mut()) {
            self.expression(argument)?;
        }
        Ok(from)
    }

    fn join(&mut self, join: &mut JoinExpr) -> Checked<FromItem> {
        let JoinExpr {
            jointype,
            is_natural,
            larg,
            rarg,
            using_clause,
            join_using_alias,
            quals,
            alias,
            rtindex,
        } = join;
        expect_empty(*rtindex == 0, "An analyzed join")?;
        let lateral_ok = match JoinType::try_from(*jointype) {
            Ok(JoinType::JoinInner | JoinType::JoinLeft) => true,
            Ok(JoinType::JoinFull | JoinType::JoinRight) => false,
            _ => return Err(not_supported("This kind of join")),
        };
        let (Some(larg), Some(rarg)) = (larg, rarg) else {
            return Err(not_supported("A join with one side"));
        };
        let left = self.read_from_item(larg)?;
        let before = self.scopes.innermost().items.len();
        let visible = left
            .items
            .iter()
            .cloned()
            .map(|item| lateral(item, lateral_ok));
        self.scopes.innermost().items.extend(visible);
        let right = self.read_from_item(rarg);
        self.scopes.innermost().items.truncate(before);
        let right = right?;
        check_names(&left.items, &right.items)?;

        let shared = if *is_natural {
            shared_names(&left.columns, &right.columns)
        } else {
            column_names(using_clause)?
        };
        let merged = self.merged_columns(&shared, *is_natural, &left.columns, &right.columns)?;
        let rest = |columns: &[ScopeColumn]| {
            columns
                .iter()
                .filter(|column| !shared.contains(&column.name))
                .cloned()
                .collect::<Vec<_>>()
        };
        let columns: Rc<[ScopeColumn]> = merged
            .iter()
            .cloned()
            .chain(rest(&left.columns))
            .chain(rest(&right.columns))
            .collect();

        let mut items: Vec<Item> = left.items.into_iter().chain(right.items).collect();
        if let Some(using_alias) = join_using_alias {
            let mut item = aliased("", merged.into(), Some(using_alias))?;
            item.columns_visible = false;
            items.push(item);
        }
        if let Some(condition) = quals {
            // ON sees the two sides of its own join and the levels outside, not the rest of the FROM clause.
            let others = std::mem::replace(&mut self.scopes.innermost().items, items);
            let result = self.with_lateral(false, |checker| checker.expression(condition));
            items = std::mem::replace(&mut self.scopes.innermost().items, others);
            result?;
            self.note_join(|| Condition::Join((**condition).clone()));
        } else if !shared.is_empty() {
            self.note_join(|| {
                let names: Vec<String> = shared.iter().map(|name| emit::quoted(name)).collect();
                Condition::Using(format!("USING ({})", names.join(", ")))
            });
        }
        let own = match alias {
            Some(alias) => {
                items.clear();
                aliased("", Rc::clone(&columns), Some(alias))?
            }
            None => {
                for item in &mut items {
                    item.columns_visible = false;
                }
                Item::new(None, Rc::clone(&columns))
            }
        };
        let columns = Rc::clone(&own.columns);
        items.push(own);
        Ok(FromItem { items, columns })
    }

    /// The columns that USING or NATURAL compares and makes one of.
    fn merged_columns(
        &mut self,
        names: &[Rc<str>],
        is_natural: bool,
        left: &[ScopeColumn],
        right: &[ScopeColumn],
    ) -> Checked<Vec<ScopeColumn>> {
        let mut merged = Vec::with_capacity(names.len());
        for name in names {
            let (Found::One(left), Found::One(right)) = (find_in(left, name), find_in(right, name))
            else {
                return Err(self.unknown_column(name, None));
            };
            if left.hidden || right.hidden {
                return Err(if is_natural {
                    not_supported(
                        "NATURAL JOIN between these tables (write the condition with ON instead)",
                    )
                } else {
                    self.unknown_column(name, None)
                });
            }
            self.note_column(&left);
            self.note_column(&right);
            merged.push(ScopeColumn {
                value: left.value.join(right.value),
                size: left.size.max(right.size),
                origins: left.origins.into_iter().chain(right.origins).collect(),
                ..left
            });
        }
        Ok(merged)
    }
}

/// An item under its alias, or under its own name.
pub(super) fn aliased(
    name: &str,
    columns: Rc<[ScopeColumn]>,
    alias: Option<&Alias>,
) -> Checked<Item> {
    let Some(Alias {
        aliasname,
        colnames,
    }) = alias
    else {
        return Ok(Item::new(Some(name.into()), columns));
    };
    let columns = renamed(&columns, &column_names(colnames)?)?;
    Ok(Item::new(Some(aliasname.as_str().into()), columns))
}

fn relation_columns(snapshot: &Snapshot, index: usize, relation: &Relation) -> Rc<[ScopeColumn]> {
    relation
        .columns
        .iter()
        .enumerate()
        .map(|(position, column)| ScopeColumn {
            name: column.name.as_str().into(),
            hidden: column.hidden,
            skipped_by_star: false,
            value: column_type(snapshot, column),
            size: Size::default(),
            origins: vec![(index, position)],
        })
        .collect()
}

/// What the catalog says of a column's values. Anything but a listed builtin or an enum could be a row.
fn column_type(snapshot: &Snapshot, column: &Column) -> ValueType {
    let internal = column.type_internal_name.as_str();
    let element = internal.strip_prefix('_').unwrap_or(internal);
    if column.type_schema == "pg_catalog" {
        return ValueType {
            row: element == "tsvector" || !builtins::is_type(element),
            user_types: Vec::new(),
        };
    }
    let is_enum = snapshot.types.iter().any(|named| {
        named.schema == column.type_schema
            && named.name == element
            && matches!(named.kind, NamedTypeKind::Enum { .. })
    });
    ValueType {
        row: !is_enum,
        user_types: vec![format!("{}.{element}", column.type_schema).into()],
    }
}

fn lateral(item: Item, lateral_ok: bool) -> Item {
    Item {
        lateral_only: true,
        lateral_ok,
        ..item
    }
}

/// The names that NATURAL compares: hidden columns too, as PostgreSQL would.
fn shared_names(left: &[ScopeColumn], right: &[ScopeColumn]) -> Vec<Rc<str>> {
    left.iter()
        .filter(|column| right.iter().any(|other| other.name == column.name))
        .map(|column| Rc::clone(&column.name))
        .collect()
}

/// Two items of one FROM clause may not have the same name, unless they are different relations without an alias.
fn check_names(before: &[Item], after: &[Item]) -> Checked<()> {
    for item in after.iter().filter(|item| item.relation_visible) {
        let clash = before.iter().any(|other| {
            other.relation_visible
                && other.name == item.name
                && (item.relation.is_none()
                    || other.relation.is_none()
                    || item.relation == other.relation)
        });
        if clash {
            let name = item.name.as_deref().unwrap_or_default();
            return Err(faulty(&format!(
                "FROM uses the name {name:?} twice; give one of the two an alias."
            )));
        }
    }
    Ok(())
}

/// The name in a one-element list of String nodes.
pub(super) fn single_name(nodes: &[Node]) -> Option<&str> {
    match nodes {
        [node] => text_of(node),
        _ => None,
    }
}
