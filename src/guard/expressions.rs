//! Expressions: every kind of node that one can be made of. A kind that is not here is refused.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AArrayExpr, AConst, AIndices, AIndirection, BoolExpr, BooleanTest, CaseExpr, CaseWhen,
    CoalesceExpr, CollateClause, ColumnRef, GroupingFunc, MinMaxExpr, MinMaxOp, Node, NullTest,
    RowExpr, SqlValueFunction, SqlValueFunctionOp, SubLink, SubLinkType, a_const,
};

use super::checker::{Checker, OutputName, Value, expect_empty, not_supported, text_node, text_of};
use super::columns::FIELD_OF_A_VALUE;
use super::query::faulty;
use super::rejection::{Checked, Rejection, RejectionCode};
use super::scope::ValueType;
use super::size::{self, Size};

impl Checker<'_> {
    /// Reads an expression.
    pub(super) fn expression(&mut self, node: &mut Node) -> Checked<Value> {
        self.deeper(|checker| match node.node.as_mut() {
            Some(NodeEnum::ColumnRef(reference)) => checker.column_reference(reference),
            Some(NodeEnum::AConst(constant)) => checker.constant(constant),
            Some(NodeEnum::AExpr(operation)) => checker.operation(operation),
            Some(NodeEnum::BoolExpr(logic)) => checker.logic(logic),
            Some(NodeEnum::FuncCall(call)) => checker.call(call),
            Some(NodeEnum::TypeCast(cast)) => checker.cast(cast),
            Some(NodeEnum::CaseExpr(case)) => checker.case(case),
            Some(NodeEnum::CoalesceExpr(coalesce)) => {
                let CoalesceExpr {
                    xpr,
                    coalescetype,
                    coalescecollid,
                    args,
                    location: _,
                } = coalesce.as_mut();
                expect_empty(
                    xpr.is_none() && *coalescetype == 0 && *coalescecollid == 0,
                    "An analyzed COALESCE",
                )?;
                Ok(Value {
                    name: name(2, "coalesce"),
                    ..checker.either(args)?
                })
            }
            Some(NodeEnum::MinMaxExpr(min_max)) => {
                let MinMaxExpr {
                    xpr,
                    minmaxtype,
                    minmaxcollid,
                    inputcollid,
                    op,
                    args,
                    location: _,
                } = min_max.as_mut();
                expect_empty(
                    xpr.is_none() && *minmaxtype == 0 && *minmaxcollid == 0 && *inputcollid == 0,
                    "An analyzed GREATEST",
                )?;
                let greatest = MinMaxOp::try_from(*op) == Ok(MinMaxOp::IsGreatest);
                Ok(Value {
                    name: name(2, if greatest { "greatest" } else { "least" }),
                    ..checker.either(args)?
                })
            }
            Some(NodeEnum::NullTest(test)) => {
                let NullTest {
                    xpr,
                    arg,
                    nulltesttype: _,
                    argisrow,
                    location: _,
                } = test.as_mut();
                expect_empty(xpr.is_none() && !*argisrow, "An analyzed NULL test")?;
                checker.optional(arg.as_deref_mut())?;
                Ok(Value::default())
            }
            Some(NodeEnum::BooleanTest(test)) => {
                let BooleanTest {
                    xpr,
                    arg,
                    booltesttype: _,
                    location: _,
                } = test.as_mut();
                expect_empty(xpr.is_none(), "An analyzed test")?;
                checker.optional(arg.as_deref_mut())?;
                Ok(Value::default())
            }
            Some(NodeEnum::SubLink(link)) => checker.sub_link(link),
            Some(NodeEnum::AArrayExpr(array)) => {
                let AArrayExpr {
                    elements,
                    list_start: _,
                    list_end: _,
                    location: _,
                } = array;
                let values = checker.expressions(elements)?;
                let sizes: Vec<Size> = values.iter().map(|value| value.size).collect();
                Ok(Value {
                    size: size::array_size(&sizes)?,
                    name: name(2, "array"),
                    ..joined(values)
                })
            }
            Some(NodeEnum::RowExpr(row)) => {
                let RowExpr {
                    xpr,
                    args,
                    row_typeid,
                    row_format: _,
                    colnames,
                    location: _,
                } = row.as_mut();
                expect_empty(
                    xpr.is_none() && *row_typeid == 0 && colnames.is_empty(),
                    "An analyzed row",
                )?;
                let values = checker.expressions_with_stars(args)?;
                let size = values
                    .iter()
                    .map(|value| value.size)
                    .reduce(Size::plus)
                    .unwrap_or_default();
                Ok(Value {
                    value_type: ValueType::of_row().join(joined(values).value_type),
                    size,
                    name: name(2, "row"),
                })
            }
            Some(NodeEnum::AIndirection(indirection)) => match row_and_field(indirection) {
                Some(reference) => {
                    let value = checker.field(&reference)?;
                    node.node = Some(NodeEnum::ColumnRef(reference));
                    Ok(value)
                }
                None => checker.indirection(indirection),
            },
            Some(NodeEnum::CollateClause(collate)) => {
                let CollateClause {
                    arg,
                    collname,
                    location: _,
                } = collate.as_mut();
                checker.collation(collname)?;
                checker.optional(arg.as_deref_mut())
            }
            Some(NodeEnum::GroupingFunc(grouping)) => {
                let GroupingFunc {
                    xpr,
                    args,
                    refs,
                    agglevelsup,
                    location: _,
                } = grouping.as_mut();
                expect_empty(
                    xpr.is_none() && refs.is_empty() && *agglevelsup == 0,
                    "An analyzed GROUPING",
                )?;
                checker.expressions(args)?;
                Ok(Value::named("grouping"))
            }
            Some(NodeEnum::SqlvalueFunction(function)) => checker.value_function(function),
            Some(NodeEnum::XmlExpr(xml)) => checker.xml_expression(xml),
            Some(NodeEnum::XmlSerialize(xml)) => checker.xml_serialize(xml),
            Some(NodeEnum::ParamRef(_)) => Err(not_supported(
                "A parameter such as $1 has no value; a literal must stand there, and a parameter",
            )),
            Some(NodeEnum::SetToDefault(_)) => Err(not_supported("DEFAULT")),
            Some(other) => Err(checker.json_refusal(other)),
            None => Err(not_supported("An empty expression")),
        })
    }

    /// Reads a list of expressions, in which a star is a whole row.
    pub(super) fn expressions(&mut self, nodes: &mut [Node]) -> Checked<Vec<Value>> {
        nodes.iter_mut().map(|node| self.expression(node)).collect()
    }

    /// Reads a list of expressions in which a star stands for its columns: ROW(…) and VALUES.
    pub(super) fn expressions_with_stars(&mut self, nodes: &mut [Node]) -> Checked<Vec<Value>> {
        let mut values = Vec::with_capacity(nodes.len());
        for node in nodes {
            if let Some(NodeEnum::ColumnRef(reference)) = node.node.as_ref()
                && let Some(columns) = self.star(reference)?
            {
                values.extend(columns.into_iter().map(|column| Value {
                    value_type: column.value,
                    size: column.size,
                    name: OutputName::default(),
                }));
                continue;
            }
            values.push(self.expression(node)?);
        }
        Ok(values)
    }

    /// Reads an expression that may be missing.
    pub(super) fn optional(&mut self, node: Option<&mut Node>) -> Checked<Value> {
        node.map_or_else(|| Ok(Value::default()), |node| self.expression(node))
    }

    fn constant(&self, constant: &AConst) -> Checked<Value> {
        let AConst {
            isnull: _,
            location: _,
            val,
        } = constant;
        let size = match val {
            None | Some(a_const::Val::Boolval(_)) => Size::of_integer(0),
            Some(a_const::Val::Ival(number)) => Size::of_integer(number.ival),
            Some(a_const::Val::Fval(number)) => {
                let is_plain = number.fval.bytes().all(|byte| {
                    byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-')
                });
                if !is_plain && self.server_version() < 16 {
                    return Err(not_supported("This spelling of a number"));
                }
                Size::of_literal(&number.fval)
            }
            Some(a_const::Val::Sval(text)) => Size::of_literal(&text.sval),
            Some(a_const::Val::Bsval(bits)) => Size::of_literal(&bits.bsval),
        };
        Ok(Value {
            size,
            ..Value::default()
        })
    }

    fn logic(&mut self, logic: &mut BoolExpr) -> Checked<Value> {
        let BoolExpr {
            xpr,
            boolop: _,
            args,
            location: _,
        } = logic;
        expect_empty(xpr.is_none(), "An analyzed condition")?;
        self.expressions(args)?;
        Ok(Value::default())
    }

    fn case(&mut self, case: &mut CaseExpr) -> Checked<Value> {
        let CaseExpr {
            xpr,
            casetype,
            casecollid,
            arg,
            args,
            defresult,
            location: _,
        } = case;
        expect_empty(
            xpr.is_none() && *casetype == 0 && *casecollid == 0,
            "An analyzed CASE",
        )?;
        if arg.is_some() {
            self.operator(&mut vec![text_node("=")])?;
        }
        self.optional(arg.as_deref_mut())?;
        let mut results = Vec::with_capacity(args.len() + 1);
        for node in args {
            let Some(NodeEnum::CaseWhen(when)) = node.node.as_mut() else {
                return Err(not_supported("This kind of CASE branch"));
            };
            let CaseWhen {
                xpr,
                expr,
                result,
                location: _,
            } = when.as_mut();
            expect_empty(xpr.is_none(), "An analyzed CASE")?;
            self.optional(expr.as_deref_mut())?;
            results.push(self.optional(result.as_deref_mut())?);
        }
        let default = self.optional(defresult.as_deref_mut())?;
        let output_name = if default.name.strength <= 1 {
            name(1, "case")
        } else {
            default.name.clone()
        };
        results.push(default);
        Ok(Value {
            name: output_name,
            ..joined(results)
        })
    }

    fn sub_link(&mut self, link: &mut SubLink) -> Checked<Value> {
        let SubLink {
            xpr,
            sub_link_type,
            sub_link_id,
            testexpr,
            oper_name,
            subselect,
            location: _,
        } = link;
        expect_empty(xpr.is_none() && *sub_link_id == 0, "An analyzed subquery")?;
        self.optional(testexpr.as_deref_mut())?;
        if !oper_name.is_empty() {
            self.operator(oper_name)?;
        }
        let columns = self.query_node(subselect.as_deref_mut())?;
        let first = columns.first().map(|column| Value {
            value_type: column.value.clone(),
            size: column.size,
            name: OutputName {
                strength: 2,
                text: column.name.to_string().into(),
            },
        });
        match SubLinkType::try_from(*sub_link_type) {
            Ok(SubLinkType::ExistsSublink) => Ok(Value::named("exists")),
            Ok(SubLinkType::AnySublink | SubLinkType::AllSublink) => {
                // `IN (SELECT …)` names no operator and means =.
                if oper_name.is_empty() {
                    self.operator(&mut vec![text_node("=")])?;
                }
                Ok(Value::default())
            }
            Ok(SubLinkType::ExprSublink) => {
                first.ok_or_else(|| faulty("A subquery used as a value must return one column."))
            }
            Ok(SubLinkType::ArraySublink) => Ok(Value {
                name: name(2, "array"),
                ..first.unwrap_or_default()
            }),
            Ok(
                SubLinkType::RowcompareSublink
                | SubLinkType::MultiexprSublink
                | SubLinkType::CteSublink
                | SubLinkType::Undefined,
            )
            | Err(_) => Err(not_supported("This kind of subquery")),
        }
    }

    /// Subscripts. A field of a row that has no name could also be a function of it, so it is refused.
    fn indirection(&mut self, indirection: &mut AIndirection) -> Checked<Value> {
        let AIndirection { arg, indirection } = indirection;
        let value = self.optional(arg.as_deref_mut())?;
        for node in indirection {
            match node.node.as_mut() {
                Some(NodeEnum::AIndices(indices)) => {
                    let AIndices {
                        is_slice: _,
                        lidx,
                        uidx,
                    } = indices.as_mut();
                    self.optional(lidx.as_deref_mut())?;
                    self.optional(uidx.as_deref_mut())?;
                }
                _ => {
                    return Err(not_supported(FIELD_OF_A_VALUE));
                }
            }
        }
        Ok(value)
    }

    fn value_function(&self, function: &SqlValueFunction) -> Checked<Value> {
        let SqlValueFunction {
            xpr,
            op,
            r#type,
            typmod: _,
            location: _,
        } = function;
        expect_empty(xpr.is_none() && *r#type == 0, "An analyzed keyword")?;
        let text = match SqlValueFunctionOp::try_from(*op) {
            Ok(SqlValueFunctionOp::SvfopCurrentDate) => "current_date",
            Ok(SqlValueFunctionOp::SvfopCurrentTime | SqlValueFunctionOp::SvfopCurrentTimeN) => {
                "current_time"
            }
            Ok(
                SqlValueFunctionOp::SvfopCurrentTimestamp
                | SqlValueFunctionOp::SvfopCurrentTimestampN,
            ) => "current_timestamp",
            Ok(SqlValueFunctionOp::SvfopLocaltime | SqlValueFunctionOp::SvfopLocaltimeN) => {
                "localtime"
            }
            Ok(
                SqlValueFunctionOp::SvfopLocaltimestamp | SqlValueFunctionOp::SvfopLocaltimestampN,
            ) => "localtimestamp",
            Ok(
                SqlValueFunctionOp::SvfopCurrentRole
                | SqlValueFunctionOp::SvfopCurrentUser
                | SqlValueFunctionOp::SvfopUser
                | SqlValueFunctionOp::SvfopSessionUser
                | SqlValueFunctionOp::SvfopCurrentCatalog
                | SqlValueFunctionOp::SvfopCurrentSchema
                | SqlValueFunctionOp::SqlvalueFunctionOpUndefined,
            )
            | Err(_) => {
                return Err(Rejection::new(
                    RejectionCode::FunctionNotAllowed,
                    "Keywords that name the user, the session or the database cannot be used.",
                ));
            }
        };
        Ok(Value::named(text))
    }

    /// The value of COALESCE, GREATEST and LEAST.
    fn either(&mut self, nodes: &mut [Node]) -> Checked<Value> {
        self.expressions(nodes).map(joined)
    }

    /// JSON constructors and query functions are keywords in the parser's grammar, but functions or nothing in older servers.
    fn json_refusal(&self, node: &NodeEnum) -> Rejection {
        let is_json = matches!(
            node,
            NodeEnum::JsonObjectConstructor(_)
                | NodeEnum::JsonArrayConstructor(_)
                | NodeEnum::JsonArrayQueryConstructor(_)
                | NodeEnum::JsonObjectAgg(_)
                | NodeEnum::JsonArrayAgg(_)
                | NodeEnum::JsonParseExpr(_)
                | NodeEnum::JsonScalarExpr(_)
                | NodeEnum::JsonSerializeExpr(_)
                | NodeEnum::JsonFuncExpr(_)
                | NodeEnum::JsonIsPredicate(_)
        );
        if is_json {
            not_supported(
                "The SQL/JSON syntax (use jsonb_build_object, jsonb_build_array, jsonb_agg, jsonb_object_agg, -> and ->> instead)",
            )
        } else {
            not_supported("This kind of expression")
        }
    }
}

/// `(row).field` as `row.field`, if the row is called by one name.
fn row_and_field(indirection: &AIndirection) -> Option<ColumnRef> {
    let AIndirection { arg, indirection } = indirection;
    let Some(NodeEnum::ColumnRef(row)) = arg.as_deref()?.node.as_ref() else {
        return None;
    };
    let ([row_name], [field]) = (row.fields.as_slice(), indirection.as_slice()) else {
        return None;
    };
    let is_named = text_of(row_name).is_some() && text_of(field).is_some();
    is_named.then(|| ColumnRef {
        fields: vec![row_name.clone(), field.clone()],
        location: row.location,
    })
}

/// Values of which each can be the result.
fn joined(values: Vec<Value>) -> Value {
    values
        .into_iter()
        .reduce(Value::join)
        .map(Value::unnamed)
        .unwrap_or_default()
}

/// An output name.
pub(super) fn name(strength: u8, text: &'static str) -> OutputName {
    OutputName {
        strength,
        text: text.into(),
    }
}
