//! Functions in FROM, XMLTABLE, and column definition lists: what columns they bring.

use std::rc::Rc;

use pg_query::NodeEnum;
use pg_query::protobuf::{
    ColumnDef, Node, RangeFunction, RangeTableFunc, RangeTableFuncCol, ResTarget,
};

use super::builtins;
use super::checker::{Checker, Value, expect_empty, not_supported};
use super::emit;
use super::from::{FromItem, aliased, single_name};
use super::rejection::Checked;
use super::scope::{Item, ScopeColumn};
use super::size;

impl Checker<'_> {
    /// A function in FROM, or ROWS FROM with several.
    pub(super) fn range_function(&mut self, range: &mut RangeFunction) -> Checked<FromItem> {
        let RangeFunction {
            lateral: _,
            ordinality,
            is_rowsfrom: _,
            functions,
            alias,
            coldeflist,
        } = range;
        expect_empty(!functions.is_empty(), "An empty ROWS FROM")?;
        self.count_relations(1)?;
        let is_single = functions.len() == 1;
        let mut columns: Vec<ScopeColumn> = Vec::new();
        let mut default_name = String::new();
        let mut is_scalar = is_single && !*ordinality;
        for node in functions {
            let Some(NodeEnum::List(pair)) = node.node.as_mut() else {
                return Err(not_supported("This kind of function in FROM"));
            };
            let [function, definitions @ ..] = pair.items.as_mut_slice() else {
                return Err(not_supported("This kind of function in FROM"));
            };
            let mut defined = Vec::new();
            for node in definitions {
                match node.node.as_mut() {
                    Some(NodeEnum::List(list)) => {
                        defined.extend(self.definitions(&mut list.items)?)
                    }
                    None => {}
                    Some(_) => return Err(not_supported("This kind of column definition")),
                }
            }
            if is_single {
                defined.extend(self.definitions(coldeflist)?);
            }
            // The grammar takes NULLIF for a function here, the deparser does not expect it, and nobody needs it.
            let is_operation = matches!(function.node, Some(NodeEnum::AExpr(_)));
            expect_empty(!is_operation, "NULLIF in FROM")?;
            // A function in FROM always sees the items before it.
            let value = self.with_lateral(true, |checker| checker.expression(function))?;
            if default_name.is_empty() {
                default_name = value.name.text.to_string();
            }
            let scalar_name = alias
                .as_ref()
                .filter(|_| is_single)
                .map_or(&*value.name.text, |alias| alias.aliasname.as_str());
            let own = function_columns(function, &value, defined, scalar_name)?;
            is_scalar &= own.is_scalar;
            columns.extend(own.columns);
        }
        if *ordinality {
            columns.push(Value::default().into_column("ordinality".into()));
        }
        let mut item = aliased(&default_name, columns.into(), alias.as_ref())?;
        item.scalar = is_scalar;
        Ok(FromItem::of(item))
    }

    /// XMLTABLE.
    pub(super) fn xml_table(&mut self, table: &mut RangeTableFunc) -> Checked<FromItem> {
        let RangeTableFunc {
            lateral: _,
            docexpr,
            rowexpr,
            namespaces,
            columns,
            alias,
            location: _,
        } = table;
        self.count_relations(1)?;
        let columns = self.with_lateral(true, |checker| {
            checker.xml_path(rowexpr.as_deref_mut())?;
            checker.optional(docexpr.as_deref_mut())?;
            for node in namespaces {
                let Some(NodeEnum::ResTarget(target)) = node.node.as_mut() else {
                    return Err(not_supported("This kind of XML namespace"));
                };
                let ResTarget {
                    name: _,
                    indirection,
                    val,
                    location: _,
                } = target.as_mut();
                expect_empty(indirection.is_empty(), "A field assignment")?;
                checker.optional(val.as_deref_mut())?;
            }
            columns
                .iter_mut()
                .map(|node| checker.xml_table_column(node))
                .collect::<Checked<Vec<ScopeColumn>>>()
        })?;
        let item: Item = aliased("xmltable", columns.into(), alias.as_ref())?;
        Ok(FromItem::of(item))
    }

    fn xml_table_column(&mut self, node: &mut Node) -> Checked<ScopeColumn> {
        let Some(NodeEnum::RangeTableFuncCol(column)) = node.node.as_mut() else {
            return Err(not_supported("This kind of XMLTABLE column"));
        };
        let RangeTableFuncCol {
            colname,
            type_name,
            for_ordinality: _,
            is_not_null: _,
            colexpr,
            coldefexpr,
            location: _,
        } = column.as_mut();
        let mut value = Value::default();
        if let Some(type_name) = type_name {
            let target = self.type_name(type_name)?;
            value = self.conversion(value, &target)?;
        }
        if colexpr.is_some() {
            self.xml_path(colexpr.as_deref_mut())?;
        }
        self.optional(coldefexpr.as_deref_mut())?;
        Ok(value.into_column(colname.as_str().into()))
    }

    fn xml_path(&mut self, node: Option<&mut Node>) -> Checked<()> {
        match node.as_deref().and_then(emit::text_literal) {
            Some(path) => size::check_xpath(path)?,
            None => return Err(not_supported("An XPath that is not a literal")),
        }
        self.optional(node).map(drop)
    }

    /// A column definition list: `AS t(a int, b text)`.
    fn definitions(&mut self, nodes: &mut [Node]) -> Checked<Vec<ScopeColumn>> {
        nodes.iter_mut().map(|node| self.definition(node)).collect()
    }

    fn definition(&mut self, node: &mut Node) -> Checked<ScopeColumn> {
        let Some(NodeEnum::ColumnDef(definition)) = node.node.as_mut() else {
            return Err(not_supported("This kind of column definition"));
        };
        let ColumnDef {
            colname,
            type_name,
            compression,
            inhcount,
            is_local: _,
            is_not_null,
            is_from_type,
            storage,
            storage_name,
            raw_default,
            cooked_default,
            identity,
            identity_sequence,
            generated,
            coll_clause,
            coll_oid,
            constraints,
            fdwoptions,
            location: _,
        } = definition.as_mut();
        let is_plain = compression.is_empty()
            && *inhcount == 0
            && !*is_not_null
            && !*is_from_type
            && storage.is_empty()
            && storage_name.is_empty()
            && raw_default.is_none()
            && cooked_default.is_none()
            && identity.is_empty()
            && identity_sequence.is_none()
            && generated.is_empty()
            && *coll_oid == 0
            && constraints.is_empty()
            && fdwoptions.is_empty();
        expect_empty(is_plain, "A column definition with constraints")?;
        if let Some(collate) = coll_clause {
            self.collation(&collate.collname)?;
            expect_empty(collate.arg.is_none(), "This kind of collation")?;
        }
        let Some(type_name) = type_name else {
            return Err(not_supported("A column definition without a type"));
        };
        let target = self.type_name(type_name)?;
        let value = self.conversion(Value::default(), &target)?;
        Ok(value.into_column(colname.as_str().into()))
    }
}

struct FunctionColumns {
    columns: Vec<ScopeColumn>,
    is_scalar: bool,
}

/// The columns of one function in FROM.
fn function_columns(
    function: &Node,
    value: &Value,
    defined: Vec<ScopeColumn>,
    scalar_name: &str,
) -> Checked<FunctionColumns> {
    if !defined.is_empty() {
        return Ok(FunctionColumns {
            columns: defined,
            is_scalar: false,
        });
    }
    let named = |name: &str| value.clone().into_column(name.into());
    let call = match function.node.as_ref() {
        Some(NodeEnum::FuncCall(call)) => Some(call),
        _ => None,
    };
    let name = call.and_then(|call| call.funcname.last().and_then(super::checker::text_of));
    if name == Some("unnest") {
        // One array a column: `unnest(a, b)` is two, unless the name is qualified, when there is no such function.
        let arrays = call.map_or(1, |call| call.args.len());
        let is_split = call.is_some_and(|call| single_name(&call.funcname).is_some());
        if arrays > 1 && !is_split {
            return Err(not_supported("pg_catalog.unnest with more than one array"));
        }
        refuse_rows(value.value_type.row)?;
        if arrays > 1 {
            let columns = (0..arrays).map(|_| named("unnest")).collect();
            return Ok(FunctionColumns {
                columns,
                is_scalar: false,
            });
        }
        return Ok(FunctionColumns {
            columns: vec![named(scalar_name)],
            is_scalar: true,
        });
    }
    let own_names: Vec<&str> = name
        .and_then(builtins::function)
        .map(|function| {
            function
                .columns
                .split(',')
                .filter(|name| !name.is_empty())
                .collect()
        })
        .unwrap_or_default();
    match own_names.as_slice() {
        [] => {
            refuse_rows(value.value_type.row)?;
            Ok(FunctionColumns {
                columns: vec![named(scalar_name)],
                is_scalar: true,
            })
        }
        [only] => Ok(FunctionColumns {
            columns: vec![named(only)],
            is_scalar: true,
        }),
        several => Ok(FunctionColumns {
            columns: several
                .iter()
                .map(|name| Value::default().into_column(Rc::from(*name)))
                .collect(),
            is_scalar: false,
        }),
    }
}

/// A row in FROM brings column names that only PostgreSQL knows, and they would capture other names.
fn refuse_rows(may_be_row: bool) -> Checked<()> {
    expect_empty(
        !may_be_row,
        "A function in FROM over whole rows (select from the table itself instead)",
    )
}
