//! Names as PostgreSQL's parser sees them: a stack of query levels, each with the FROM items and the CTEs that can be named
//! there. Every column carries whether it is hidden.
//!
//! The rules are those of PostgreSQL's `parse_relation.c`: a column name is looked for among all items of a level before
//! the next level out; an item that only LATERAL may see is passed over, not an end to the search; a qualified name finds
//! the nearest item of that name and looks no further.

use std::rc::Rc;

use pg_query::protobuf::Node;

use super::size::Size;

/// One column of a FROM item, a CTE or a sub-select.
#[derive(Debug, Clone)]
pub(super) struct ScopeColumn {
    /// What it is called here.
    pub(super) name: Rc<str>,
    /// The policy hides it: it can be found, so that it captures its name, but not read.
    pub(super) hidden: bool,
    /// A star inside the CTE's own WITH query does not expand to it (columns added by SEARCH and CYCLE).
    pub(super) skipped_by_star: bool,
    /// What is known of its values.
    pub(super) value: ValueType,
    /// How large its values can be.
    pub(super) size: Size,
    /// The columns of relations that it stands for, as indexes into the snapshot: none for a computed column,
    /// whose inputs were noted where they were read; two or more for a column merged by USING.
    pub(super) origins: Vec<Origin>,
}

/// A column of a relation: the relation's index in the snapshot and the column's in the relation.
pub(super) type Origin = (usize, usize);

/// What is known of a value's type: enough to see conversions and rows coming, no more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ValueType {
    /// It can be a row, an array of rows, or a tsvector: something that takes column names of its own into FROM.
    pub(super) row: bool,
    /// Types from outside `pg_catalog` that it can have, as `schema.name`.
    pub(super) user_types: Vec<Rc<str>>,
}

impl ValueType {
    /// What can be either.
    pub(super) fn join(mut self, other: Self) -> Self {
        self.row |= other.row;
        for user_type in other.user_types {
            if !self.user_types.contains(&user_type) {
                self.user_types.push(user_type);
            }
        }
        self
    }

    /// A row or something made of rows.
    pub(super) fn of_row() -> Self {
        Self {
            row: true,
            user_types: Vec::new(),
        }
    }
}

/// A FROM item as names see it.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// What qualifies its columns.
    pub(super) name: Option<Rc<str>>,
    /// Schema and name of the relation, where `schema.name.column` finds it: a relation without an alias.
    pub(super) relation: Option<(Rc<str>, Rc<str>)>,
    /// Its columns, in order.
    pub(super) columns: Rc<[ScopeColumn]>,
    /// Its rows are single values (a function in FROM), so its name alone is such a value.
    pub(super) scalar: bool,
    /// Whether it has PostgreSQL's system columns too.
    pub(super) system_columns: bool,
    /// Whether its name can be used.
    pub(super) relation_visible: bool,
    /// Whether its columns can be named without it.
    pub(super) columns_visible: bool,
    /// Only LATERAL may see it, because its FROM clause is not finished.
    pub(super) lateral_only: bool,
    /// Whether LATERAL may use it (not from the outer side of a join).
    pub(super) lateral_ok: bool,
}

/// The state of a CTE while its WITH clause is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CteState {
    /// Not looked at yet.
    Waiting,
    /// Being read; its columns are not known, so it cannot be named.
    Running,
    /// Being read; its columns are those of its first arm, and it may name itself.
    Recursive,
    /// Read.
    Done,
}

/// A CTE.
#[derive(Debug)]
pub(super) struct Cte {
    /// Its name.
    pub(super) name: Rc<str>,
    /// Its node, until it is put back into the WITH clause.
    pub(super) node: Option<Node>,
    /// How far it has been read.
    pub(super) state: CteState,
    /// Its columns, once the state lets it be named.
    pub(super) columns: Rc<[ScopeColumn]>,
    /// It has a SEARCH or CYCLE clause.
    pub(super) adds_columns: bool,
    /// Written out once per reference (NOT MATERIALIZED).
    pub(super) inlined: bool,
    /// Relations that one copy of it reads.
    pub(super) weight: usize,
}

/// One query level.
#[derive(Debug, Default)]
pub(super) struct Level {
    /// The FROM items that names can find now.
    pub(super) items: Vec<Item>,
    /// The FROM item being read may see the items before it.
    pub(super) lateral_active: bool,
    /// The CTEs of this level's WITH clause.
    pub(super) ctes: Vec<Cte>,
    /// How many of them can be named: all in WITH RECURSIVE, the ones before in plain WITH.
    pub(super) ctes_visible: usize,
}

/// Columns that PostgreSQL adds to every table. They show where and by whom a row was written.
pub(super) const SYSTEM_COLUMNS: [&str; 6] = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"];

/// What a lookup found.
#[derive(Debug, Clone)]
pub(super) enum Found<T> {
    /// Nothing of that name.
    Nothing,
    /// Exactly this.
    One(T),
    /// A system column.
    System,
    /// Two or more that PostgreSQL would not choose between, or one that cannot be used from here.
    Ambiguous,
}

/// The levels of the query being read.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    /// The innermost level.
    current: Level,
    /// The levels around it, outermost first.
    outer: Vec<Level>,
}

/// The levels inside a CTE's own, set aside while the CTE is read.
#[derive(Debug)]
pub(super) struct Aside {
    current: Level,
    outer: Vec<Level>,
}

impl Scopes {
    /// Opens a level inside the current one.
    pub(super) fn push(&mut self) {
        self.outer.push(std::mem::take(&mut self.current));
    }

    /// Closes the innermost level.
    pub(super) fn pop(&mut self) {
        self.current = self.outer.pop().unwrap_or_default();
    }

    /// How many levels there are around the innermost one.
    pub(super) fn depth(&self) -> usize {
        self.outer.len()
    }

    /// The innermost level.
    pub(super) fn innermost(&mut self) -> &mut Level {
        &mut self.current
    }

    /// Makes the level `depth` the innermost one, to read a CTE where it was written. `None` if it already is.
    pub(super) fn set_aside(&mut self, depth: usize) -> Option<Aside> {
        if depth >= self.outer.len() {
            return None;
        }
        let outer = self.outer.split_off(depth + 1);
        let level = self.outer.pop().unwrap_or_default();
        Some(Aside {
            current: std::mem::replace(&mut self.current, level),
            outer,
        })
    }

    /// Undoes [`Self::set_aside`].
    pub(super) fn restore(&mut self, aside: Option<Aside>) {
        if let Some(mut aside) = aside {
            self.outer
                .push(std::mem::replace(&mut self.current, aside.current));
            self.outer.append(&mut aside.outer);
        }
    }

    fn inside_out(&self) -> impl Iterator<Item = &Level> {
        std::iter::once(&self.current).chain(self.outer.iter().rev())
    }

    /// The CTE at a place that [`Self::find_cte`] gave.
    pub(super) fn cte(&mut self, place: CtePlace) -> Option<&mut Cte> {
        let level = if place.level == self.outer.len() {
            &mut self.current
        } else {
            self.outer.get_mut(place.level)?
        };
        level.ctes.get_mut(place.index)
    }

    /// The CTE that an unqualified relation name means here, if any.
    pub(super) fn find_cte(&self, name: &str) -> Option<CtePlace> {
        self.inside_out().enumerate().find_map(|(distance, level)| {
            let mut visible = level.ctes.iter().take(level.ctes_visible);
            let index = visible.position(|cte| &*cte.name == name)?;
            Some(CtePlace {
                level: self.outer.len() - distance,
                index,
            })
        })
    }

    /// The column that an unqualified name means here. `own_level_only` looks no further than the innermost level.
    pub(super) fn find_column(&self, name: &str, own_level_only: bool) -> Found<ScopeColumn> {
        for level in self.inside_out() {
            let mut found = Found::Nothing;
            for item in &level.items {
                if !item.columns_visible || (item.lateral_only && !level.lateral_active) {
                    continue;
                }
                let here = item.find_column(name);
                if matches!(here, Found::Nothing) {
                    continue;
                }
                if !matches!(found, Found::Nothing) || (item.lateral_only && !item.lateral_ok) {
                    return Found::Ambiguous;
                }
                found = here;
            }
            if own_level_only || !matches!(found, Found::Nothing) {
                return found;
            }
        }
        Found::Nothing
    }

    /// The item that `name` means in front of a column, or as a whole row.
    pub(super) fn find_item(&self, name: &str) -> Found<Item> {
        self.find_item_where(|item| item.name.as_deref() == Some(name))
    }

    /// The item that `schema.name` means in front of a column.
    pub(super) fn find_relation(&self, schema: &str, name: &str) -> Found<Item> {
        self.find_item_where(|item| {
            item.relation
                .as_ref()
                .is_some_and(|relation| &*relation.0 == schema && &*relation.1 == name)
        })
    }

    /// Every visible column that an unqualified or qualified name could reach from here, for hints.
    pub(super) fn visible_columns(&self) -> impl Iterator<Item = &ScopeColumn> {
        self.inside_out()
            .flat_map(|level| &level.items)
            .flat_map(|item| item.columns.iter())
            .filter(|column| !column.hidden)
    }

    /// Names of the items that can qualify a column here, for hints.
    pub(super) fn item_names(&self) -> impl Iterator<Item = &str> {
        self.inside_out()
            .flat_map(|level| &level.items)
            .filter(|item| item.relation_visible)
            .filter_map(|item| item.name.as_deref())
    }

    fn find_item_where(&self, matches: impl Fn(&Item) -> bool) -> Found<Item> {
        for level in self.inside_out() {
            let mut found = None;
            for item in &level.items {
                if !item.relation_visible || (item.lateral_only && !level.lateral_active) {
                    continue;
                }
                if !matches(item) {
                    continue;
                }
                if found.is_some() || (item.lateral_only && !item.lateral_ok) {
                    return Found::Ambiguous;
                }
                found = Some(item);
            }
            if let Some(item) = found {
                return Found::One(item.clone());
            }
        }
        Found::Nothing
    }
}

/// Where a CTE is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CtePlace {
    /// Index of its level, from the outside.
    pub(super) level: usize,
    /// Index in the level's WITH clause.
    pub(super) index: usize,
}

impl Item {
    /// An item that everything can see, without system columns.
    pub(super) fn new(name: Option<Rc<str>>, columns: Rc<[ScopeColumn]>) -> Self {
        Self {
            relation_visible: name.is_some(),
            name,
            relation: None,
            columns,
            scalar: false,
            system_columns: false,
            columns_visible: true,
            lateral_only: false,
            lateral_ok: true,
        }
    }

    /// The column of this name in this item alone.
    pub(super) fn find_column(&self, name: &str) -> Found<ScopeColumn> {
        match find_in(&self.columns, name) {
            Found::Nothing if self.system_columns && SYSTEM_COLUMNS.contains(&name) => {
                Found::System
            }
            found @ (Found::Nothing | Found::One(_) | Found::System | Found::Ambiguous) => found,
        }
    }
}

/// The column of this name in a list of columns.
pub(super) fn find_in(columns: &[ScopeColumn], name: &str) -> Found<ScopeColumn> {
    let mut of_that_name = columns.iter().filter(|column| &*column.name == name);
    match (of_that_name.next(), of_that_name.next()) {
        (None, _) => Found::Nothing,
        (Some(column), None) => Found::One(column.clone()),
        (Some(_), Some(_)) => Found::Ambiguous,
    }
}
