//! Casts: what is cast, to which type, and what the column is called then.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, TypeCast, a_const};

use super::checker::{Checker, OutputName, Value, not_supported, texts_of};
use super::rejection::Checked;
use super::types::TargetType;

impl Checker<'_> {
    pub(super) fn cast(&mut self, cast: &mut TypeCast) -> Checked<Value> {
        let TypeCast {
            arg,
            type_name,
            location: _,
        } = cast;
        let (Some(argument), Some(type_name)) = (arg, type_name) else {
            return Err(not_supported("A cast without a type"));
        };
        let last_name = texts_of(&type_name.names)
            .and_then(|names| names.last().map(|name| (*name).to_owned()))
            .unwrap_or_default();
        let target = self.type_name(type_name)?;
        self.literal_conversion(argument, &target)?;
        spell_out_boolean(argument, &target);
        let value = self.expression(argument)?;
        let value = self.conversion(value, &target)?;
        if value.name.strength <= 1 {
            return Ok(Value {
                name: OutputName {
                    strength: 1,
                    text: last_name.into(),
                },
                ..value
            });
        }
        Ok(value)
    }
}

/// The deparser writes `'t'::boolean` as `true`, which is another tree; `'true'::boolean` it leaves alone.
fn spell_out_boolean(argument: &mut Node, target: &TargetType) {
    if target.schema != "pg_catalog" || target.name != "bool" || target.is_array {
        return;
    }
    if let Some(NodeEnum::AConst(constant)) = argument.node.as_mut()
        && let Some(a_const::Val::Sval(text)) = constant.val.as_mut()
    {
        match text.sval.as_str() {
            "t" => text.sval = "true".to_owned(),
            "f" => text.sval = "false".to_owned(),
            _ => {}
        }
    }
}
