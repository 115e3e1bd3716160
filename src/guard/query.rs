//! Queries: SELECT, VALUES, set operations and WITH, with the scopes they open.

use std::rc::Rc;

use pg_query::NodeEnum;
use pg_query::protobuf::{
    CommonTableExpr, CteCycleClause, CteMaterialize, CteSearchClause, Node, SelectStmt,
    SetOperation, WithClause,
};

use super::checker::{Checker, Value, expect_empty, not_supported, text_of};
use super::comparisons;
use super::conditions::unjoined_groups;
use super::emit;
use super::rejection::{Checked, Rejection, RejectionCode};
use super::scope::{Cte, CtePlace, CteState, Item, ScopeColumn};

/// Most CTEs in one WITH clause. Long analyses have a dozen.
const CTES_MAX: usize = 64;

impl Checker<'_> {
    /// Reads the outermost query.
    pub(super) fn outermost(&mut self, statement: &mut SelectStmt) -> Checked<()> {
        self.facts.has_order = !statement.sort_clause.is_empty();
        self.facts.has_limit = statement
            .limit_count
            .as_deref()
            .is_some_and(|count| !emit::is_null_literal(count));
        self.facts.is_aggregate = comparisons::is_aggregate(statement);
        let columns = self.query(statement, None)?;
        self.facts.output_names = columns
            .iter()
            .map(|column| column.name.to_string())
            .collect();
        Ok(())
    }

    /// Reads a query and gives its output columns. `recursive` is the CTE whose recursive query this is: its columns
    /// are known once the first arm has been read.
    pub(super) fn query(
        &mut self,
        statement: &mut SelectStmt,
        recursive: Option<CtePlace>,
    ) -> Checked<Rc<[ScopeColumn]>> {
        self.deeper(|checker| {
            checker.scopes.push();
            let columns = checker.query_level(statement, recursive);
            checker.scopes.pop();
            columns
        })
    }

    /// The query in a node that can only hold one.
    pub(super) fn query_node(&mut self, node: Option<&mut Node>) -> Checked<Rc<[ScopeColumn]>> {
        match node.and_then(|node| node.node.as_mut()) {
            Some(NodeEnum::SelectStmt(statement)) => self.query(statement, None),
            _ => Err(not_read_only("Only SELECT can be used inside a query.")),
        }
    }

    fn query_level(
        &mut self,
        statement: &mut SelectStmt,
        recursive: Option<CtePlace>,
    ) -> Checked<Rc<[ScopeColumn]>> {
        let SelectStmt {
            distinct_clause,
            into_clause,
            target_list,
            from_clause,
            where_clause,
            group_clause,
            group_distinct: _,
            having_clause,
            window_clause,
            values_lists,
            sort_clause,
            limit_offset,
            limit_count,
            limit_option: _,
            locking_clause,
            with_clause,
            op,
            all: _,
            larg,
            rarg,
        } = statement;
        if into_clause.is_some() {
            return Err(not_read_only("SELECT INTO writes a table; leave INTO out."));
        }
        if !locking_clause.is_empty() {
            return Err(not_read_only(
                "FOR UPDATE and FOR SHARE lock rows; leave the locking clause out.",
            ));
        }
        if let Some(with) = with_clause {
            self.with(with)?;
        }
        let columns: Rc<[ScopeColumn]> = match SetOperation::try_from(*op) {
            Ok(
                SetOperation::SetopUnion | SetOperation::SetopIntersect | SetOperation::SetopExcept,
            ) => {
                let (Some(left), Some(right)) = (larg, rarg) else {
                    return Err(not_supported("A set operation with one arm"));
                };
                let left = self.query(left, None)?;
                if let Some(place) = recursive {
                    self.name_recursive_columns(place, &left)?;
                }
                let right = match recursive {
                    Some(place) => self.recursive_arm(place, right)?,
                    None => self.query(right, None)?,
                };
                let columns = united(&left, &right)?;
                self.scopes.innermost().items = vec![Item::new(None, Rc::clone(&columns))];
                self.sort(sort_clause, &columns)?;
                self.scopes.innermost().items.clear();
                columns
            }
            Ok(SetOperation::SetopNone) if !values_lists.is_empty() => {
                let columns = self.values(values_lists)?;
                self.scopes.innermost().items = vec![Item::new(None, Rc::clone(&columns))];
                self.sort(sort_clause, &columns)?;
                self.scopes.innermost().items.clear();
                columns
            }
            Ok(SetOperation::SetopNone) => {
                self.read_from(from_clause)?;
                self.facts.has_cartesian_join |=
                    where_clause.is_none() && unjoined_groups(from_clause) > 1;
                let columns = self.targets(target_list)?;
                if let Some(condition) = where_clause {
                    self.expression(condition)?;
                    self.note_filter(condition);
                }
                if let Some(condition) = having_clause {
                    self.expression(condition)?;
                    self.note_filter(condition);
                }
                self.sort(sort_clause, &columns)?;
                self.group(group_clause, &columns)?;
                self.distinct(distinct_clause, &columns)?;
                for window in window_clause.iter_mut() {
                    match window.node.as_mut() {
                        Some(NodeEnum::WindowDef(window)) => self.window(window)?,
                        _ => return Err(not_supported("This kind of window")),
                    }
                }
                columns
            }
            Ok(SetOperation::Undefined) | Err(_) => {
                return Err(not_supported("This kind of query"));
            }
        };
        for clause in [limit_offset, limit_count].into_iter().flatten() {
            self.expression(clause)?;
        }
        Ok(columns)
    }

    fn values(&mut self, rows: &mut [Node]) -> Checked<Rc<[ScopeColumn]>> {
        let mut columns: Vec<Value> = Vec::new();
        for (index, row) in rows.iter_mut().enumerate() {
            let Some(NodeEnum::List(row)) = row.node.as_mut() else {
                return Err(not_supported("This kind of VALUES row"));
            };
            let values = self.expressions_with_stars(&mut row.items)?;
            if index == 0 {
                columns = values;
            } else if values.len() == columns.len() {
                columns = columns
                    .into_iter()
                    .zip(values)
                    .map(|(column, value)| column.join(value))
                    .collect();
            } else {
                return Err(faulty(
                    "All rows of VALUES must have the same number of columns.",
                ));
            }
        }
        Ok(columns
            .into_iter()
            .enumerate()
            .map(|(index, value)| value.into_column(format!("column{}", index + 1).into()))
            .collect())
    }

    fn with(&mut self, clause: &mut WithClause) -> Checked<()> {
        let WithClause {
            ctes,
            recursive,
            location: _,
        } = clause;
        if ctes.len() > CTES_MAX {
            return Err(Rejection::new(
                RejectionCode::TooComplex,
                format!(
                    "The query has more than {CTES_MAX} common table expressions; write fewer."
                ),
            ));
        }
        let count = ctes.len();
        let mut waiting: Vec<Cte> = Vec::with_capacity(count);
        for node in ctes.drain(..) {
            let Some(NodeEnum::CommonTableExpr(cte)) = node.node.as_ref() else {
                return Err(not_supported("This kind of WITH clause"));
            };
            let name: Rc<str> = cte.ctename.as_str().into();
            if waiting.iter().any(|cte| cte.name == name) {
                return Err(faulty(&format!(
                    "WITH names {name:?} twice; give each query a name of its own."
                )));
            }
            waiting.push(Cte {
                name,
                adds_columns: cte.search_clause.is_some() || cte.cycle_clause.is_some(),
                inlined: CteMaterialize::try_from(cte.ctematerialized) == Ok(CteMaterialize::Never),
                node: Some(node),
                state: CteState::Waiting,
                columns: Rc::new([]),
                weight: 0,
            });
        }
        let level = self.scopes.depth();
        self.scopes.innermost().ctes = waiting;
        for index in 0..count {
            // Plain WITH: a query sees those before it. WITH RECURSIVE: all, itself included, in any order.
            self.scopes.innermost().ctes_visible = if *recursive { count } else { index };
            self.read_cte(CtePlace { level, index }, *recursive)?;
        }
        self.scopes.innermost().ctes_visible = count;
        ctes.extend(
            self.scopes
                .innermost()
                .ctes
                .iter_mut()
                .filter_map(|cte| cte.node.take()),
        );
        Ok(())
    }

    /// Reads a CTE where it was written, unless that is done or under way.
    pub(super) fn read_cte(&mut self, place: CtePlace, recursive: bool) -> Checked<()> {
        let Some(cte) = self.scopes.cte(place) else {
            return Ok(());
        };
        if cte.state != CteState::Waiting {
            return Ok(());
        }
        cte.state = CteState::Running;
        let Some(mut node) = cte.node.take() else {
            return Ok(());
        };
        let relations_before = self.relations_count;
        let aside = self.scopes.set_aside(place.level);
        let columns = self.deeper(|checker| checker.cte(&mut node, recursive.then_some(place)));
        self.scopes.restore(aside);
        let columns = columns?;
        let weight = self.relations_count - relations_before;
        if let Some(cte) = self.scopes.cte(place) {
            cte.node = Some(node);
            cte.state = CteState::Done;
            cte.columns = columns;
            cte.weight = weight.max(1);
        }
        Ok(())
    }

    fn cte(&mut self, node: &mut Node, recursive: Option<CtePlace>) -> Checked<Rc<[ScopeColumn]>> {
        let Some(NodeEnum::CommonTableExpr(cte)) = node.node.as_mut() else {
            return Err(not_supported("This kind of WITH clause"));
        };
        let CommonTableExpr {
            ctename: _,
            aliascolnames,
            ctematerialized: _,
            ctequery,
            search_clause,
            cycle_clause,
            location: _,
            cterecursive,
            cterefcount,
            ctecolnames,
            ctecoltypes,
            ctecoltypmods,
            ctecolcollations,
        } = cte.as_mut();
        let is_raw = !*cterecursive
            && *cterefcount == 0
            && ctecolnames.is_empty()
            && ctecoltypes.is_empty()
            && ctecoltypmods.is_empty()
            && ctecolcollations.is_empty();
        expect_empty(is_raw, "An analyzed WITH clause")?;
        // The alias list is needed as soon as the first arm is known, so it is kept with the CTE's columns.
        let query = match ctequery.as_deref_mut().and_then(|node| node.node.as_mut()) {
            Some(NodeEnum::SelectStmt(query)) => query,
            _ => {
                return Err(not_read_only(
                    "WITH may hold only SELECT; INSERT, UPDATE, DELETE and MERGE are refused.",
                ));
            }
        };
        if let Some(place) = recursive {
            let names: Checked<Vec<ScopeColumn>> = column_names(aliascolnames).map(|names| {
                names
                    .into_iter()
                    .map(|name| Value::default().into_column(name))
                    .collect()
            });
            if let Some(cte) = self.scopes.cte(place) {
                cte.columns = names?.into();
            }
        }
        let columns = self.query(query, recursive)?;
        let mut columns = renamed(&columns, &column_names(aliascolnames)?)?.to_vec();
        columns.extend(self.added_columns(search_clause.as_ref(), cycle_clause.as_deref_mut())?);
        Ok(columns.into())
    }

    /// The first arm of a recursive query has been read: from here on the query may name itself.
    fn name_recursive_columns(&mut self, place: CtePlace, left: &[ScopeColumn]) -> Checked<()> {
        if let Some(cte) = self.scopes.cte(place) {
            let names: Vec<Rc<str>> = cte
                .columns
                .iter()
                .map(|column| Rc::clone(&column.name))
                .collect();
            cte.columns = renamed(left, &names)?;
            cte.state = CteState::Recursive;
        }
        Ok(())
    }

    /// Reads the arm in which a CTE may name itself.
    ///
    /// PostgreSQL numbers the columns that SEARCH and CYCLE add as if this arm had no others than those of its select list. Grouping,
    /// sorting and windows give it such, and then one column is read as if it were another, of another type: PostgreSQL 15 ends
    /// with a segmentation fault, and with it every session of the server.
    fn recursive_arm(
        &mut self,
        place: CtePlace,
        arm: &mut SelectStmt,
    ) -> Checked<Rc<[ScopeColumn]>> {
        let adds_columns = self.scopes.cte(place).is_some_and(|cte| cte.adds_columns);
        let is_plain = arm.group_clause.is_empty()
            && arm.sort_clause.is_empty()
            && arm.window_clause.is_empty()
            && arm.distinct_clause.iter().all(|node| node.node.is_none());
        let windows_before = self.windows_count;
        let columns = self.query(arm, None)?;
        if adds_columns && !(is_plain && self.windows_count == windows_before) {
            return Err(not_supported(
                "GROUP BY, ORDER BY, DISTINCT ON or a window in the recursive part of a query with SEARCH or CYCLE",
            ));
        }
        Ok(columns)
    }

    /// The columns that SEARCH and CYCLE add.
    fn added_columns(
        &mut self,
        search: Option<&CteSearchClause>,
        cycle: Option<&mut CteCycleClause>,
    ) -> Checked<Vec<ScopeColumn>> {
        let added = |name: &str, value: Value| ScopeColumn {
            skipped_by_star: true,
            ..value.into_column(name.into())
        };
        let row = || Value {
            value_type: super::scope::ValueType::of_row(),
            ..Value::default()
        };
        let mut columns = Vec::new();
        if let Some(search) = search {
            let CteSearchClause {
                search_col_list,
                search_breadth_first: _,
                search_seq_column,
                location: _,
            } = search;
            column_names(search_col_list)?;
            columns.push(added(search_seq_column, row()));
        }
        if let Some(cycle) = cycle {
            let CteCycleClause {
                cycle_col_list,
                cycle_mark_column,
                cycle_mark_value,
                cycle_mark_default,
                cycle_path_column,
                location: _,
                cycle_mark_type,
                cycle_mark_typmod,
                cycle_mark_collation,
                cycle_mark_neop,
            } = cycle;
            let is_raw = *cycle_mark_type == 0
                && *cycle_mark_typmod == 0
                && *cycle_mark_collation == 0
                && *cycle_mark_neop == 0;
            expect_empty(is_raw, "An analyzed CYCLE clause")?;
            column_names(cycle_col_list)?;
            let mut mark = Value::default();
            for value in [cycle_mark_value, cycle_mark_default].into_iter().flatten() {
                mark = mark.join(self.expression(value)?);
            }
            columns.push(added(cycle_mark_column, mark));
            columns.push(added(cycle_path_column, row()));
        }
        Ok(columns)
    }
}

/// The columns under the names of an alias list, which may be shorter.
pub(super) fn renamed(columns: &[ScopeColumn], names: &[Rc<str>]) -> Checked<Rc<[ScopeColumn]>> {
    if names.len() > columns.len() {
        return Err(faulty(&format!(
            "A list of {} column names stands for {} columns.",
            names.len(),
            columns.len()
        )));
    }
    let mut columns = columns.to_vec();
    for (column, name) in columns.iter_mut().zip(names) {
        column.name = Rc::clone(name);
    }
    Ok(columns.into())
}

/// The names in a list of String nodes.
pub(super) fn column_names(nodes: &[Node]) -> Checked<Vec<Rc<str>>> {
    nodes
        .iter()
        .map(|node| text_of(node).map(Rc::from))
        .collect::<Option<Vec<Rc<str>>>>()
        .ok_or_else(|| not_supported("This kind of column list"))
}

fn united(left: &[ScopeColumn], right: &[ScopeColumn]) -> Checked<Rc<[ScopeColumn]>> {
    if left.len() != right.len() {
        return Err(faulty(
            "The queries of a UNION, INTERSECT or EXCEPT must have the same number of columns.",
        ));
    }
    Ok(left
        .iter()
        .zip(right)
        .map(|(left, right)| ScopeColumn {
            value: left.value.clone().join(right.value.clone()),
            size: left.size.max(right.size),
            ..left.clone()
        })
        .collect())
}

/// A query that the grammar takes and PostgreSQL's analysis would not.
pub(super) fn faulty(reason: &str) -> Rejection {
    Rejection::new(RejectionCode::ParseError, reason)
}

fn not_read_only(reason: &str) -> Rejection {
    Rejection::new(RejectionCode::NotReadOnly, reason)
}
