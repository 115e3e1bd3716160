//! Column references: `c`, `t.c`, `s.t.c`, `d.s.t.c`, stars, and names of rows.
//!
//! A name that is no known column is refused, because PostgreSQL would go on to try it as a function of the row.

use pg_query::NodeEnum;
use pg_query::protobuf::ColumnRef;

use super::checker::{Checker, OutputName, Value, not_supported, text_of};
use super::hints;
use super::rejection::{Checked, Rejection, RejectionCode};
use super::scope::{Found, Item, ScopeColumn, ValueType};

/// What is refused with the words that say what to do instead.
pub(super) const FIELD_OF_A_VALUE: &str = "A field of a row that is not a table's own, (…).name, (put the row's source in FROM and name the column)";

/// Most column names that a reason lists.
const LISTED_COLUMNS_MAX: usize = 40;

impl Checker<'_> {
    /// A reference where one value is expected. `t.*` is then the whole row, as `t` is.
    pub(super) fn column_reference(&mut self, reference: &ColumnRef) -> Checked<Value> {
        let (names, has_star) = split(reference)?;
        if has_star {
            if names.is_empty() {
                return Err(not_supported("A bare * outside the select list"));
            }
            let item = self.qualifier(&names)?;
            return self.whole_row(&item, names.last().copied().unwrap_or_default());
        }
        match names.as_slice() {
            [] => Err(not_supported("An empty name")),
            [name] => match self.scopes.find_column(name, false) {
                Found::One(column) => self.read_column(&column, None),
                Found::System => Err(self.unknown_column(name, None)),
                Found::Ambiguous => Err(ambiguous(name)),
                Found::Nothing => match self.scopes.find_item(name) {
                    Found::One(item) => self.whole_row(&item, name),
                    Found::Ambiguous => Err(ambiguous(name)),
                    Found::System | Found::Nothing => Err(self.unknown_column(name, None)),
                },
            },
            [qualifiers @ .., name] => {
                let item = self.qualifier(qualifiers)?;
                match item.find_column(name) {
                    Found::One(column) => self.read_column(&column, Some(&item)),
                    Found::Ambiguous => Err(ambiguous(name)),
                    Found::System | Found::Nothing => Err(self.unknown_column(name, Some(&item))),
                }
            }
        }
    }

    /// `(row).field`, given as `row.field`: a column of a FROM item that may be read whole. A field of anything else, a column that
    /// holds a row for example, has no column to be looked up as.
    pub(super) fn field(&mut self, reference: &ColumnRef) -> Checked<Value> {
        let (names, _) = split(reference)?;
        let row = match names.as_slice() {
            [row, _] if matches!(self.scopes.find_column(row, false), Found::Nothing) => *row,
            _ => return Err(not_supported(FIELD_OF_A_VALUE)),
        };
        let item = self.qualifier(&[row])?;
        if item.scalar {
            return Err(not_supported(FIELD_OF_A_VALUE));
        }
        if item.columns.iter().any(|column| column.hidden) {
            return Err(star_over_hidden(&item.columns));
        }
        self.column_reference(reference)
    }

    /// The columns that a star stands for; `None` if the reference is no star.
    pub(super) fn star(&mut self, reference: &ColumnRef) -> Checked<Option<Vec<ScopeColumn>>> {
        let (names, has_star) = split(reference)?;
        if !has_star {
            return Ok(None);
        }
        let columns: Vec<ScopeColumn> = if names.is_empty() {
            let items = &self.scopes.innermost().items;
            items
                .iter()
                .filter(|item| item.columns_visible && !item.lateral_only)
                .flat_map(|item| item.columns.iter().cloned())
                .collect()
        } else {
            self.qualifier(&names)?.columns.to_vec()
        };
        let columns: Vec<ScopeColumn> = columns
            .into_iter()
            .filter(|column| !column.skipped_by_star)
            .collect();
        if columns.iter().any(|column| column.hidden) {
            return Err(star_over_hidden(&columns));
        }
        for column in &columns {
            self.note_column(column);
        }
        Ok(Some(columns))
    }

    /// The refusal of a column, the same for one that is hidden and for one that does not exist.
    pub(super) fn unknown_column(&self, name: &str, item: Option<&Item>) -> Rejection {
        let reason = match item {
            Some(item) => {
                let visible: Vec<&str> = item
                    .columns
                    .iter()
                    .filter(|column| !column.hidden)
                    .map(|column| &*column.name)
                    .collect();
                format!(
                    "There is no column {name:?} of {:?} that you may read.{}",
                    item.name.as_deref().unwrap_or_default(),
                    listed(&visible)
                )
            }
            None => {
                let names = self.scopes.visible_columns().map(|column| &*column.name);
                let hint = hints::nearest(name, names)
                    .map(|nearest| format!(" Did you mean {nearest:?}?"))
                    .unwrap_or_default();
                format!("There is no column {name:?} here that you may read.{hint}")
            }
        };
        Rejection::new(RejectionCode::UnknownColumn, reason)
    }

    fn read_column(&mut self, column: &ScopeColumn, item: Option<&Item>) -> Checked<Value> {
        if column.hidden {
            return Err(self.unknown_column(&column.name, item));
        }
        self.refuse_implicit_conversion(column)?;
        self.note_column(column);
        Ok(Value {
            value_type: column.value.clone(),
            size: column.size,
            name: OutputName {
                strength: 2,
                text: column.name.to_string().into(),
            },
        })
    }

    /// A row as one value: only if every column of it may be read.
    fn whole_row(&mut self, item: &Item, name: &str) -> Checked<Value> {
        if item.columns.iter().any(|column| column.hidden) {
            return Err(star_over_hidden(&item.columns));
        }
        for column in item.columns.iter() {
            self.note_column(column);
        }
        let single = item.columns.first().filter(|_| item.scalar);
        Ok(Value {
            value_type: single.map_or_else(ValueType::of_row, |column| column.value.clone()),
            size: single.map(|column| column.size).unwrap_or_default(),
            name: OutputName {
                strength: 2,
                text: name.to_owned().into(),
            },
        })
    }

    /// The FROM item that `t`, `s.t` or `d.s.t` means.
    fn qualifier(&self, names: &[&str]) -> Checked<Item> {
        let (found, name) = match names {
            [name] => (self.scopes.find_item(name), *name),
            [schema, name] => (self.scopes.find_relation(schema, name), *name),
            [database, schema, name] if *database == self.snapshot.database => {
                (self.scopes.find_relation(schema, name), *name)
            }
            [.., name] => (Found::Nothing, *name),
            [] => (Found::Nothing, ""),
        };
        match found {
            Found::One(item) => Ok(item),
            Found::Ambiguous => Err(ambiguous(name)),
            Found::Nothing | Found::System => {
                let hint = hints::nearest(name, self.scopes.item_names())
                    .map(|nearest| format!(" Did you mean {nearest:?}?"))
                    .unwrap_or_default();
                Err(Rejection::new(
                    RejectionCode::UnknownRelation,
                    format!("{name:?} is no table or alias in this part of the query.{hint}"),
                ))
            }
        }
    }
}

fn split(reference: &ColumnRef) -> Checked<(Vec<&str>, bool)> {
    let ColumnRef {
        fields,
        location: _,
    } = reference;
    let mut names = Vec::with_capacity(fields.len());
    let mut has_star = false;
    for field in fields {
        if has_star {
            return Err(not_supported("A name after *"));
        }
        match text_of(field) {
            Some(name) => names.push(name),
            None if matches!(field.node, Some(NodeEnum::AStar(_))) => has_star = true,
            None => return Err(not_supported("This kind of name")),
        }
    }
    Ok((names, has_star))
}

fn star_over_hidden(columns: &[ScopeColumn]) -> Rejection {
    let visible: Vec<&str> = columns
        .iter()
        .filter(|column| !column.hidden)
        .map(|column| &*column.name)
        .collect();
    Rejection::new(
        RejectionCode::HiddenColumns,
        format!(
            "Not every column here may be read, so * and whole rows cannot be used; name the columns.{}",
            listed(&visible)
        ),
    )
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() || names.len() > LISTED_COLUMNS_MAX {
        return String::new();
    }
    format!(" The columns are {}.", names.join(", "))
}

fn ambiguous(name: &str) -> Rejection {
    Rejection::new(
        RejectionCode::UnknownColumn,
        format!(
            "The name {name:?} could mean more than one thing here; write its table's alias in front of it."
        ),
    )
}
