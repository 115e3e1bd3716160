//! Function calls, in every place and notation that the grammar makes one of.

use pg_query::NodeEnum;
use pg_query::protobuf::{CoercionForm, ColumnRef, FuncCall, NamedArgExpr, Node};

use super::builtins;
use super::checker::{
    Checker, OutputName, Value, expect_empty, not_supported, text_node, text_of, texts_of,
};
use super::emit;
use super::hints;
use super::rejection::{Checked, Rejection, RejectionCode};
use super::scope::{Found, Item, ValueType};
use super::size::{self, Size};
use super::types::TargetType;

/// What a function name means.
enum Callee {
    Builtin(builtins::Function),
    /// A type's name used as a function.
    Conversion,
    /// Of an allowed extension, in this schema.
    Extension(String),
}

impl Checker<'_> {
    /// Checks a call and gives its value.
    pub(super) fn call(&mut self, call: &mut FuncCall) -> Checked<Value> {
        let FuncCall {
            funcname,
            args,
            agg_order,
            agg_filter,
            over,
            agg_within_group: _,
            agg_star: _,
            agg_distinct,
            func_variadic: _,
            funcformat,
            location: _,
        } = call;
        let (callee, name) = self.callee(funcname, args.len())?;
        // The grammar takes TRIM(a, b, c); the deparser does not expect it, and there is no such function.
        let is_keyword = CoercionForm::try_from(*funcformat) == Ok(CoercionForm::CoerceSqlSyntax);
        let is_trim = is_keyword && matches!(name.as_str(), "btrim" | "ltrim" | "rtrim");
        expect_empty(!is_trim || args.len() <= 2, "TRIM of more than one text")?;
        if name == "count" && !*agg_distinct && agg_order.is_empty() {
            self.count_rows_by_key(args);
        }
        check_literals(&name, args)?;
        let mut sizes = Vec::with_capacity(args.len());
        let mut value_type = ValueType::default();
        for node in args.iter_mut() {
            let value = match node.node.as_mut() {
                Some(NodeEnum::NamedArgExpr(named)) => {
                    let NamedArgExpr {
                        xpr,
                        arg,
                        name: _,
                        argnumber: _,
                        location: _,
                    } = named.as_mut();
                    expect_empty(xpr.is_none(), "An analyzed argument")?;
                    self.optional(arg.as_deref_mut())?
                }
                _ => self.expression(node)?,
            };
            sizes.push(value.size);
            value_type = value_type.join(value.value_type);
        }
        for value in self.sort_inputs(agg_order)? {
            value_type = value_type.join(value.value_type);
        }
        self.optional(agg_filter.as_deref_mut())?;
        if let Some(window) = over {
            self.window(window)?;
        }
        check_width_arguments(&name, args, &sizes)?;
        let size = size::call_size(&name, &sizes)?;
        let output_name = OutputName {
            strength: 2,
            text: name.clone().into(),
        };
        let value_type = match callee {
            Callee::Builtin(function) => ValueType {
                row: function.row || (function.polymorphic && value_type.row),
                user_types: if function.polymorphic {
                    value_type.user_types
                } else {
                    Vec::new()
                },
            },
            // What an extension's function returns is not known: it can be a row.
            Callee::Extension(schema) => {
                *funcname = vec![text_node(&schema), text_node(&name)];
                ValueType {
                    row: true,
                    ..value_type
                }
            }
            Callee::Conversion => {
                let target = TargetType::builtin(&name);
                if let [argument] = args.as_slice() {
                    self.literal_conversion(argument, &target)?;
                }
                let value = Value {
                    value_type,
                    size,
                    name: output_name.clone(),
                };
                self.conversion(value, &target)?.value_type
            }
        };
        Ok(Value {
            value_type,
            size,
            name: output_name,
        })
    }

    fn callee(&self, funcname: &[Node], argument_count: usize) -> Checked<(Callee, String)> {
        let parts = texts_of(funcname).unwrap_or_default();
        let (schema, name) = match parts.as_slice() {
            [name] => (None, *name),
            [schema, name] => (Some(*schema), *name),
            [database, schema, name] if *database == self.snapshot.database => {
                (Some(*schema), *name)
            }
            _ => return Err(not_supported("This kind of function name")),
        };
        let is_foreign = schema.is_none() && self.snapshot.foreign_names.functions.contains(name);
        if !is_foreign && schema.is_none_or(|schema| schema == "pg_catalog") {
            if let Some(function) = builtins::function(name) {
                if function.since > self.server_version() {
                    return Err(Rejection::new(
                        RejectionCode::FunctionNotAllowed,
                        format!(
                            "The function {name} is new in PostgreSQL {}; this server is older.",
                            function.since
                        ),
                    ));
                }
                return Ok((Callee::Builtin(function), name.to_owned()));
            }
            if argument_count == 1 && builtins::is_type(name) {
                return Ok((Callee::Conversion, name.to_owned()));
            }
        }
        let of_extension = self.snapshot.extensions.iter().find(|extension| {
            extension.functions.contains(name)
                && schema.is_none_or(|schema| schema == extension.schema)
        });
        if let Some(extension) = of_extension.filter(|_| !is_foreign) {
            return Ok((Callee::Extension(extension.schema.clone()), name.to_owned()));
        }
        let hint = hints::nearest(name, builtins::function_names())
            .filter(|nearest| *nearest != name)
            .map(|nearest| format!(" Did you mean {nearest}?"))
            .unwrap_or_default();
        Err(Rejection::new(
            RejectionCode::FunctionNotAllowed,
            format!(
                "The function {name} is not one that may be used; use builtin functions that only compute.{hint}"
            ),
        ))
    }

    /// `count(t)` counts the rows of `t` that an outer join has not filled with NULL. Over a table with hidden columns the row
    /// itself cannot be read, but any column that is never NULL counts the same rows.
    fn count_rows_by_key(&self, args: &mut [Node]) {
        let [argument] = args else { return };
        let Some(NodeEnum::ColumnRef(ColumnRef {
            fields,
            location: _,
        })) = argument.node.as_mut()
        else {
            return;
        };
        let name = match fields.as_slice() {
            [name] => text_of(name)
                .filter(|name| matches!(self.scopes.find_column(name, false), Found::Nothing)),
            [name, star] if matches!(star.node, Some(NodeEnum::AStar(_))) => text_of(name),
            _ => None,
        };
        let Some(name) = name else { return };
        let Found::One(item) = self.scopes.find_item(name) else {
            return;
        };
        if let Some(key) = self.never_null_column(&item) {
            *fields = vec![text_node(name), text_node(&key)];
        }
    }

    /// A readable column that is never NULL, of an item that is one relation with hidden columns.
    fn never_null_column(&self, item: &Item) -> Option<String> {
        if !item.columns.iter().any(|column| column.hidden) {
            return None;
        }
        let (index, _) = *item.columns.first()?.origins.first()?;
        let relation = self.snapshot.relations.get(index)?;
        let is_one_relation = item.columns.len() == relation.columns.len()
            && item
                .columns
                .iter()
                .enumerate()
                .all(|(position, column)| column.origins == [(index, position)]);
        if !is_one_relation {
            return None;
        }
        item.columns
            .iter()
            .zip(&relation.columns)
            .find(|(column, of_table)| {
                !column.hidden
                    && of_table.not_null
                    && matches!(item.find_column(&column.name), Found::One(_))
            })
            .map(|(column, _)| column.name.to_string())
    }
}

/// Arguments that are programs of their own must be literals, so that they can be looked at.
fn check_literals(name: &str, args: &[Node]) -> Checked<()> {
    let argument = |named: &str, position: usize| {
        args.iter()
            .find_map(|node| {
                let NodeEnum::NamedArgExpr(argument) = node.node.as_ref()? else {
                    return None;
                };
                argument.arg.as_deref().filter(|_| argument.name == named)
            })
            .or_else(|| args.get(position))
    };
    if name.starts_with("jsonb_path_") {
        let path = argument("path", 1).and_then(emit::text_literal);
        return path.map_or_else(
            || Err(not_supported("A JSON path that is not a literal")),
            size::check_json_path,
        );
    }
    let takes_configuration = matches!(
        name,
        "to_tsvector"
            | "to_tsquery"
            | "plainto_tsquery"
            | "phraseto_tsquery"
            | "websearch_to_tsquery"
            | "ts_headline"
            | "json_to_tsvector"
            | "jsonb_to_tsvector"
    );
    if takes_configuration && args.len() > 1 {
        let configuration = args
            .first()
            .and_then(emit::text_literal)
            .unwrap_or_default();
        if configuration.contains(['.', '"']) {
            return Err(not_supported(
                "A text search configuration that is not builtin",
            ));
        }
    }
    match name {
        "format" => {
            let format = args.first().and_then(emit::text_literal);
            format.map_or_else(
                || Err(not_supported("A format that is not a literal")),
                size::check_format,
            )
        }
        "xpath" | "xpath_exists" | "xmlexists" => {
            let path = args.first().and_then(emit::text_literal);
            path.map_or_else(
                || Err(not_supported("An XPath that is not a literal")),
                size::check_xpath,
            )
        }
        _ => Ok(()),
    }
}

/// `format('%*s', width, …)` takes its width from an argument.
fn check_width_arguments(name: &str, args: &[Node], sizes: &[Size]) -> Checked<()> {
    let takes_width = name == "format"
        && args
            .first()
            .and_then(emit::text_literal)
            .is_some_and(|format| format.contains('*'));
    if takes_width && sizes.iter().skip(1).any(|size| size.magnitude > 10_000.0) {
        return Err(size::too_expensive(
            "A format may not be given a width of more than 10,000.",
        ));
    }
    Ok(())
}
