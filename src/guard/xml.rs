//! The XML functions that are keywords.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, ResTarget, XmlExpr, XmlExprOp, XmlSerialize};

use super::checker::{Checker, Value, expect_empty, not_supported};
use super::rejection::Checked;

impl Checker<'_> {
    /// XMLELEMENT, XMLFOREST, XMLPARSE and their kin.
    pub(super) fn xml_expression(&mut self, xml: &mut XmlExpr) -> Checked<Value> {
        let XmlExpr {
            xpr,
            op,
            name: _,
            named_args,
            arg_names,
            args,
            xmloption: _,
            indent,
            r#type,
            typmod: _,
            location: _,
        } = xml;
        let is_raw = xpr.is_none() && arg_names.is_empty() && !*indent && *r#type == 0;
        expect_empty(is_raw, "An analyzed XML expression")?;
        for node in named_args {
            let Some(NodeEnum::ResTarget(target)) = node.node.as_mut() else {
                return Err(not_supported("This kind of XML attribute"));
            };
            let ResTarget {
                name: _,
                indirection,
                val,
                location: _,
            } = target.as_mut();
            expect_empty(indirection.is_empty(), "A field assignment")?;
            self.optional(val.as_deref_mut())?;
        }
        if XmlExprOp::try_from(*op) == Ok(XmlExprOp::IsXmlroot) {
            // The deparser takes whatever stands for the version for a constant.
            let is_constant = |node: &Node| matches!(&node.node, Some(NodeEnum::AConst(_)));
            let rest = args.get(1..).unwrap_or_default();
            expect_empty(
                rest.iter().all(is_constant),
                "XMLROOT with a computed version",
            )?;
        }
        self.expressions(args)?;
        match XmlExprOp::try_from(*op) {
            Ok(XmlExprOp::IsXmlconcat) => Ok(Value::named("xmlconcat")),
            Ok(XmlExprOp::IsXmlelement) => Ok(Value::named("xmlelement")),
            Ok(XmlExprOp::IsXmlforest) => Ok(Value::named("xmlforest")),
            Ok(XmlExprOp::IsXmlparse) => Ok(Value::named("xmlparse")),
            Ok(XmlExprOp::IsXmlpi) => Ok(Value::named("xmlpi")),
            Ok(XmlExprOp::IsXmlroot) => Ok(Value::named("xmlroot")),
            Ok(XmlExprOp::IsDocument) => Ok(Value::default()),
            Ok(XmlExprOp::IsXmlserialize | XmlExprOp::Undefined) | Err(_) => {
                Err(not_supported("This kind of XML expression"))
            }
        }
    }

    /// XMLSERIALIZE.
    pub(super) fn xml_serialize(&mut self, xml: &mut XmlSerialize) -> Checked<Value> {
        let XmlSerialize {
            xmloption: _,
            expr,
            type_name,
            indent,
            location: _,
        } = xml;
        if *indent && self.server_version() < 16 {
            return Err(not_supported(
                "XMLSERIALIZE with INDENT is new in PostgreSQL 16 and",
            ));
        }
        let value = self.optional(expr.as_deref_mut())?;
        let Some(type_name) = type_name else {
            return Err(not_supported("XMLSERIALIZE without a type"));
        };
        let target = self.type_name(type_name)?;
        let value = self.conversion(value, &target)?;
        Ok(Value {
            name: Value::named("xmlserialize").name,
            ..value
        })
    }
}
