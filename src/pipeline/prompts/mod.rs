//! The prompts: template files, compiled in, replaceable from a directory, proved to render at start.

use std::path::Path;

use minijinja::{Environment, UndefinedBehavior, Value, context};

/// Every prompt template by name.
#[derive(Debug, Clone)]
pub struct Prompts {
    environment: Environment<'static>,
}

/// A template that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The override cannot be read.
    #[error("the prompt template {path} cannot be read")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file that replaces nothing: probably a slip in its name.
    #[error("{path} is no prompt template; the names are: {names}")]
    UnknownName {
        /// The file.
        path: String,
        /// All names.
        names: String,
    },
    /// The template's syntax is wrong, or it uses a variable that does not exist.
    #[error("{origin}, line {line}: {problem}")]
    Invalid {
        /// The file, or the name of the built-in template.
        origin: String,
        /// Line in it, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

/// The built-in templates.
const BUILT_IN: [(&str, &str); 8] = [
    ("sql_system.txt", include_str!("sql_system.txt")),
    ("sql_question.txt", include_str!("sql_question.txt")),
    ("repair_rejected.txt", include_str!("repair_rejected.txt")),
    ("repair_failed.txt", include_str!("repair_failed.txt")),
    ("repair_costly.txt", include_str!("repair_costly.txt")),
    (
        "repair_unreadable.txt",
        include_str!("repair_unreadable.txt"),
    ),
    ("prose_system.txt", include_str!("prose_system.txt")),
    ("prose_question.txt", include_str!("prose_question.txt")),
];

impl Prompts {
    /// Compiles the built-in templates, replaced by the files of the same name in `directory`, and
    /// renders each once, so that a faulty one is found at start and not in somebody's question.
    ///
    /// # Errors
    /// The first template that cannot be read, is named wrongly, or does not render.
    pub fn load(directory: Option<&Path>) -> Result<Self, PromptError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut origins = Vec::new();
        if let Some(directory) = directory {
            refuse_unknown_names(directory)?;
        }
        for (name, built_in) in BUILT_IN {
            let path = directory
                .map(|directory| directory.join(name))
                .filter(|path| path.is_file());
            let (origin, text) = match path {
                Some(path) => {
                    let origin = path.display().to_string();
                    let text = std::fs::read_to_string(&path).map_err(|source| {
                        PromptError::Unreadable {
                            path: origin.clone(),
                            source,
                        }
                    })?;
                    (origin, text)
                }
                None => (name.to_owned(), built_in.to_owned()),
            };
            environment
                .add_template_owned(name, text)
                .map_err(|error| invalid(&origin, &error))?;
            origins.push((name, origin));
        }
        let prompts = Self { environment };
        for (name, origin) in origins {
            prompts
                .try_render(name, sample())
                .map_err(|error| invalid(&origin, &error))?;
        }
        Ok(prompts)
    }

    /// Instructions and schema for the call that writes SQL: the same bytes for every question.
    #[must_use]
    pub fn sql_system(&self, server_version: &str, schema: &str) -> String {
        self.render("sql_system.txt", context! { server_version, schema })
    }

    /// The question for that call; `schema` where the stable part could not hold all of it.
    #[must_use]
    pub fn sql_question(
        &self,
        question: &str,
        schema: Option<&str>,
        today: &str,
        time_zone: &str,
    ) -> String {
        self.render(
            "sql_question.txt",
            context! { question, schema, today, time_zone },
        )
    }

    /// The guard refused a query.
    #[must_use]
    pub fn repair_rejected(&self, reason: &str) -> String {
        self.render("repair_rejected.txt", context! { reason })
    }

    /// PostgreSQL refused a query.
    #[must_use]
    pub fn repair_failed(
        &self,
        sqlstate: &str,
        message: &str,
        hint: Option<&str>,
        position: Option<u32>,
    ) -> String {
        self.render(
            "repair_failed.txt",
            context! { sqlstate, message, hint, position },
        )
    }

    /// A query would cost so many times what it may, rounded up.
    #[must_use]
    pub fn repair_costly(&self, times: u64) -> String {
        self.render("repair_costly.txt", context! { times })
    }

    /// A reply was nothing that can be used.
    #[must_use]
    pub fn repair_unreadable(&self, problem: &str) -> String {
        self.render("repair_unreadable.txt", context! { problem })
    }

    /// Instructions for the call that writes the prose: the same bytes for every question.
    #[must_use]
    pub fn prose_system(&self) -> String {
        self.render("prose_system.txt", context! {})
    }

    /// What that call is given; see the template for the names.
    #[must_use]
    pub fn prose_question(&self, values: &Value) -> String {
        self.render("prose_question.txt", values.clone())
    }

    /// Every template was rendered with every variable at start, so that a failure here is a fault of
    /// a condition in an override: the question then goes out without the text, and the log says so.
    fn render(&self, name: &str, values: Value) -> String {
        self.try_render(name, values).unwrap_or_else(|error| {
            tracing::error!(template = name, %error, "a prompt template did not render");
            String::new()
        })
    }

    fn try_render(&self, name: &str, values: Value) -> Result<String, minijinja::Error> {
        self.environment.get_template(name)?.render(values)
    }
}

/// A value for every variable of every template.
fn sample() -> Value {
    context! {
        server_version => "15", schema => "shop.orders(id integer)", question => "How many orders?",
        today => "2026-01-31", time_zone => "UTC", reason => "There is no such table.", sqlstate => "42703",
        message => "column does not exist", hint => "Perhaps another one.", position => 8, times => 3, problem => "holds two queries",
        earlier => "How many customers?", reply_language => "English", sql => "SELECT 1", row_count => 1,
        truncated => true, shown_count => 1, rows => "[\"count\"]\n[1]",
    }
}

fn refuse_unknown_names(directory: &Path) -> Result<(), PromptError> {
    let unreadable = |source| PromptError::Unreadable {
        path: directory.display().to_string(),
        source,
    };
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_text = path.extension().is_some_and(|extension| extension == "txt");
        if is_text && !BUILT_IN.iter().any(|(name, _)| path.ends_with(name)) {
            let names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            return Err(PromptError::UnknownName {
                path: path.display().to_string(),
                names: names.join(", "),
            });
        }
    }
    Ok(())
}

fn invalid(origin: &str, error: &minijinja::Error) -> PromptError {
    PromptError::Invalid {
        origin: origin.to_owned(),
        line: error.line().unwrap_or(1),
        problem: error.detail().map_or_else(
            || error.kind().to_string(),
            |detail| format!("{}: {detail}", error.kind()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_template_renders() {
        let prompts = Prompts::load(None).expect("the built-in templates are valid");
        insta::assert_snapshot!(
            "sql_system",
            prompts.sql_system("15", "public.orders (\n  id integer\n)")
        );
        insta::assert_snapshot!(
            "sql_question",
            prompts.sql_question("How many orders?", None, "2026-01-31", "UTC")
        );
        insta::assert_snapshot!(
            "repair_failed",
            prompts.repair_failed("42703", "no such column", None, Some(8))
        );
        insta::assert_snapshot!("prose_question", prompts.prose_question(&sample()));
    }

    #[test]
    fn an_override_replaces_a_template_and_a_faulty_one_is_named_with_its_line() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("repair_rejected.txt");
        std::fs::write(&file, "No: {{ reason }}").expect("written");
        let prompts = Prompts::load(Some(directory.path())).expect("valid");
        assert_eq!(prompts.repair_rejected("too deep"), "No: too deep");

        std::fs::write(&file, "No:\n\n{{ raeson }}").expect("written");
        let error = Prompts::load(Some(directory.path()))
            .expect_err("unknown variable")
            .to_string();
        assert!(
            error.contains("repair_rejected.txt, line 3: undefined value"),
            "{error}"
        );

        std::fs::remove_file(&file).expect("removed");
        std::fs::write(directory.path().join("sql_sytem.txt"), "").expect("written");
        let error = Prompts::load(Some(directory.path()))
            .expect_err("unknown name")
            .to_string();
        assert!(
            error.contains("sql_sytem.txt is no prompt template"),
            "{error}"
        );
    }
}
