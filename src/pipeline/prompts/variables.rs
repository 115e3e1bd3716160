//! Whether a template uses what it is given and nothing else: looked at in all its branches, and rendered with everything
//! and with nothing there.

use std::collections::BTreeMap;

use minijinja::{Environment, Value};

use super::{PromptError, Template, invalid};

/// Checks one template of the environment.
///
/// # Errors
/// The first variable that it is not given, with its line, or why it does not render.
pub(super) fn check(
    environment: &Environment<'_>,
    template: &Template,
    origin: &str,
) -> Result<(), PromptError> {
    let failed = |error: minijinja::Error| invalid(origin, &error);
    let compiled = environment.get_template(template.name).map_err(failed)?;
    let is_known = |name: &str| {
        template.variables.contains(&name)
            || environment.globals().any(|(global, _)| global == name)
    };
    let mut unknown: Vec<(usize, String)> = compiled
        .undeclared_variables(false)
        .into_iter()
        .filter(|name| !is_known(name))
        .map(|name| (line_of(compiled.source(), &name), name))
        .collect();
    unknown.sort();
    if let Some((line, name)) = unknown.into_iter().next() {
        return Err(PromptError::Invalid {
            origin: origin.to_owned(),
            line,
            problem: format!(
                "there is no variable {name} here, only {}",
                template.variables.join(", ")
            ),
        });
    }
    for value in [Value::from("a text"), Value::from(())] {
        let values = template.variables.iter().map(|name| (*name, value.clone()));
        let values: BTreeMap<&str, Value> = values.collect();
        compiled.render(values).map_err(failed)?;
    }
    Ok(())
}

/// The line, from 1, of the first tag that holds a name.
fn line_of(source: &str, name: &str) -> usize {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut in_tag = false;
    for (number, line) in source.lines().enumerate() {
        let mut at = 0;
        while let Some(rest) = line.get(at..).filter(|rest| !rest.is_empty()) {
            if rest.starts_with("{{") || rest.starts_with("{%") {
                in_tag = true;
                at += 2;
            } else if rest.starts_with("}}") || rest.starts_with("%}") {
                in_tag = false;
                at += 2;
            } else {
                let word: &str = rest.split(|c| !is_part(c)).next().unwrap_or_default();
                if in_tag && word == name {
                    return number + 1;
                }
                let step = rest.chars().next().map_or(1, char::len_utf8);
                at += word.len().max(step);
            }
        }
    }
    1
}
