//! The clauses that name output columns: the select list, ORDER BY, GROUP BY, DISTINCT ON, and windows.

use std::rc::Rc;

use pg_query::NodeEnum;
use pg_query::protobuf::{
    CoercionForm, ColumnRef, GroupingSet, GroupingSetKind, Node, ResTarget, SortBy, WindowDef,
    a_const,
};

use super::checker::{Checker, Value, expect_empty, not_supported, text_of};
use super::rejection::Checked;
use super::scope::{Found, ScopeColumn};
use super::size::{GROUPING_SETS_MAX, too_expensive};

/// Where a name may also mean an output column (SQL92), and which meaning comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Preference {
    /// ORDER BY and DISTINCT ON: the output column.
    Output,
    /// GROUP BY: the column of this level's FROM.
    Input,
}

impl Checker<'_> {
    /// Reads a select list and gives the output columns.
    pub(super) fn targets(&mut self, nodes: &mut [Node]) -> Checked<Rc<[ScopeColumn]>> {
        let mut columns = Vec::with_capacity(nodes.len());
        for node in nodes {
            let Some(NodeEnum::ResTarget(target)) = node.node.as_mut() else {
                return Err(not_supported("This kind of output column"));
            };
            let ResTarget {
                name,
                indirection,
                val,
                location: _,
            } = target.as_mut();
            expect_empty(indirection.is_empty(), "A field assignment")?;
            let Some(expression) = val else {
                return Err(not_supported("An output column without an expression"));
            };
            if let Some(NodeEnum::ColumnRef(reference)) = expression.node.as_ref()
                && let Some(expanded) = self.star(reference)?
            {
                columns.extend(expanded.into_iter().map(without_origin));
                continue;
            }
            let value = self.expression(expression)?;
            let name: Rc<str> = if name.is_empty() {
                value.name.text.as_ref().into()
            } else {
                name.as_str().into()
            };
            columns.push(value.into_column(name));
        }
        Ok(columns.into())
    }

    /// ORDER BY of a query.
    pub(super) fn sort(&mut self, nodes: &mut [Node], outputs: &[ScopeColumn]) -> Checked<()> {
        for node in nodes {
            let key = self.sort_key(node)?;
            self.output_or_expression(key, outputs, Preference::Output)?;
        }
        Ok(())
    }

    /// ORDER BY inside a window or an aggregate, where names mean input columns only.
    pub(super) fn sort_inputs(&mut self, nodes: &mut [Node]) -> Checked<Vec<Value>> {
        nodes
            .iter_mut()
            .map(|node| {
                let key = self.sort_key(node)?;
                self.expression(key)
            })
            .collect()
    }

    fn sort_key<'n>(&mut self, node: &'n mut Node) -> Checked<&'n mut Node> {
        let Some(NodeEnum::SortBy(sort)) = node.node.as_mut() else {
            return Err(not_supported("This kind of ORDER BY"));
        };
        let SortBy {
            node,
            sortby_dir: _,
            sortby_nulls: _,
            use_op,
            location: _,
        } = sort.as_mut();
        if !use_op.is_empty() {
            self.operator(use_op)?;
        }
        node.as_deref_mut()
            .ok_or_else(|| not_supported("An empty ORDER BY"))
    }

    /// DISTINCT and DISTINCT ON.
    pub(super) fn distinct(&mut self, nodes: &mut [Node], outputs: &[ScopeColumn]) -> Checked<()> {
        for node in nodes {
            // Plain DISTINCT is a list of one empty node.
            if node.node.is_some() {
                self.output_or_expression(node, outputs, Preference::Output)?;
            }
        }
        Ok(())
    }

    /// GROUP BY.
    pub(super) fn group(&mut self, nodes: &mut [Node], outputs: &[ScopeColumn]) -> Checked<()> {
        let mut sets = 1_usize;
        for node in nodes {
            sets = sets.saturating_mul(self.group_item(node, outputs)?.max(1));
            if sets > GROUPING_SETS_MAX {
                return Err(too_expensive(
                    "GROUP BY would make more than 128 grouping sets; use fewer columns in CUBE, ROLLUP or GROUPING SETS.",
                ));
            }
        }
        Ok(())
    }

    /// One item of GROUP BY; gives how many grouping sets it makes.
    fn group_item(&mut self, node: &mut Node, outputs: &[ScopeColumn]) -> Checked<usize> {
        self.deeper(|checker| match node.node.as_mut() {
            Some(NodeEnum::GroupingSet(set)) => checker.grouping_set(set, outputs),
            // (a, b) is a list of columns here, ROW(a, b) is an expression.
            Some(NodeEnum::RowExpr(row))
                if CoercionForm::try_from(row.row_format)
                    == Ok(CoercionForm::CoerceImplicitCast) =>
            {
                for item in &mut row.args {
                    checker.group_item(item, outputs)?;
                }
                Ok(1)
            }
            _ => {
                checker.output_or_expression(node, outputs, Preference::Input)?;
                Ok(1)
            }
        })
    }

    fn grouping_set(&mut self, set: &mut GroupingSet, outputs: &[ScopeColumn]) -> Checked<usize> {
        let GroupingSet {
            kind,
            content,
            location: _,
        } = set;
        let mut sum = 0_usize;
        for item in content.iter_mut() {
            sum = sum.saturating_add(self.group_item(item, outputs)?);
        }
        let count = content.len();
        match GroupingSetKind::try_from(*kind) {
            Ok(GroupingSetKind::GroupingSetEmpty | GroupingSetKind::GroupingSetSimple) => Ok(1),
            Ok(GroupingSetKind::GroupingSetRollup) => Ok(count.saturating_add(1)),
            Ok(GroupingSetKind::GroupingSetCube) => {
                let exponent = u32::try_from(count).unwrap_or(u32::MAX);
                Ok(2_usize.saturating_pow(exponent))
            }
            Ok(GroupingSetKind::GroupingSetSets) => Ok(sum),
            Ok(GroupingSetKind::Undefined) | Err(_) => {
                Err(not_supported("This kind of grouping set"))
            }
        }
    }

    /// A definition in WINDOW or OVER.
    pub(super) fn window(&mut self, window: &mut WindowDef) -> Checked<()> {
        let WindowDef {
            name: _,
            refname: _,
            partition_clause,
            order_clause,
            frame_options: _,
            start_offset,
            end_offset,
            location: _,
        } = window;
        self.windows_count += 1;
        for node in partition_clause {
            self.expression(node)?;
        }
        self.sort_inputs(order_clause)?;
        for node in [start_offset, end_offset].into_iter().flatten() {
            self.expression(node)?;
        }
        Ok(())
    }

    /// An item of a clause in which a bare name or number can mean an output column.
    fn output_or_expression(
        &mut self,
        node: &mut Node,
        outputs: &[ScopeColumn],
        preference: Preference,
    ) -> Checked<()> {
        match node.node.as_ref() {
            Some(NodeEnum::AConst(constant))
                if matches!(constant.val, Some(a_const::Val::Ival(_))) =>
            {
                return Ok(());
            }
            Some(NodeEnum::ColumnRef(ColumnRef { fields, .. })) => {
                if let [field] = fields.as_slice() {
                    let name = text_of(field).unwrap_or_default();
                    let is_input = preference == Preference::Input
                        && !matches!(self.scopes.find_column(name, true), Found::Nothing);
                    if !is_input && outputs.iter().any(|column| &*column.name == name) {
                        return Ok(());
                    }
                }
            }
            _ => {}
        }
        self.expression(node).map(drop)
    }
}

/// An output column stands for itself: what it reads has been noted.
fn without_origin(column: ScopeColumn) -> ScopeColumn {
    ScopeColumn {
        origins: Vec::new(),
        skipped_by_star: false,
        ..column
    }
}
