//! The prompts: template files, compiled in, replaceable from a directory, proved to render at start.

mod variables;

use std::path::Path;

use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::pinned::Pinned;

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

/// A built-in template.
struct Template {
    name: &'static str,
    text: &'static str,
    /// What it is rendered with.
    variables: &'static [&'static str],
}

macro_rules! template {
    ($name:literal, $($variable:literal),* $(,)?) => {
        Template { name: $name, text: include_str!($name), variables: &[$($variable),*] }
    };
}

/// The built-in templates.
const BUILT_IN: [Template; 12] = [
    template!("sql_system.txt", "server_version", "schema"),
    template!(
        "sql_question.txt",
        "question",
        "schema",
        "today",
        "time_zone",
        "reply_language"
    ),
    template!("repair_rejected.txt", "reason"),
    template!(
        "repair_failed.txt",
        "sqlstate",
        "message",
        "hint",
        "position",
        "near"
    ),
    template!("repair_costly.txt", "times"),
    template!("repair_empty.txt", "doubts"),
    template!("repair_unreadable.txt", "problem"),
    template!("prose_system.txt",),
    template!(
        "prose_question.txt",
        "question",
        "earlier",
        "earlier_stopped",
        "sql",
        "today",
        "time_zone",
        "reply_language",
        "row_count",
        "truncated",
        "shown_count",
        "rows"
    ),
    template!("summary_system.txt",),
    template!("summary_question.txt", "previous", "turns"),
    template!("summary_context.txt", "summary"),
];

impl Prompts {
    /// Compiles the built-in templates, replaced by the files of the same name in `directory`, looks at
    /// every variable and renders each, so that a faulty one is found at start and not in somebody's question.
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
        for template in &BUILT_IN {
            let name = template.name;
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
                None => (name.to_owned(), template.text.to_owned()),
            };
            environment
                .add_template_owned(name, text)
                .map_err(|error| invalid(&origin, &error))?;
            origins.push((template, origin));
        }
        let prompts = Self { environment };
        for (template, origin) in origins {
            variables::check(&prompts.environment, template, &origin)?;
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
    pub fn sql_question(&self, question: &str, schema: Option<&str>, pinned: &Pinned) -> String {
        self.render(
            "sql_question.txt",
            context! {
                question, schema, today => pinned.today.as_str(), time_zone => pinned.time_zone,
                reply_language => pinned.reply_language.as_deref(),
            },
        )
    }

    /// The guard refused a query.
    #[must_use]
    pub fn repair_rejected(&self, reason: &str) -> String {
        self.render("repair_rejected.txt", context! { reason })
    }

    /// PostgreSQL refused a query; `position` and what reads `near` it are of the query as it was run.
    #[must_use]
    pub fn repair_failed(
        &self,
        sqlstate: &str,
        message: &str,
        hint: Option<&str>,
        position: Option<u32>,
        near: Option<&str>,
    ) -> String {
        self.render(
            "repair_failed.txt",
            context! { sqlstate, message, hint, position, near },
        )
    }

    /// A query found nothing and asks for what cannot be there.
    #[must_use]
    pub fn repair_empty(&self, doubts: &str) -> String {
        self.render("repair_empty.txt", context! { doubts })
    }

    /// Instructions for the call that summarises older turns: the same bytes for every conversation.
    #[must_use]
    pub fn summary_system(&self) -> String {
        self.render("summary_system.txt", context! {})
    }

    /// What that call is given: the summary before and the turns since.
    #[must_use]
    pub fn summary_question(&self, previous: Option<&str>, turns: &str) -> String {
        self.render("summary_question.txt", context! { previous, turns })
    }

    /// A summary as the beginning of a conversation.
    #[must_use]
    pub fn summary_context(&self, summary: &str) -> String {
        self.render("summary_context.txt", context! { summary })
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

fn refuse_unknown_names(directory: &Path) -> Result<(), PromptError> {
    let unreadable = |source| PromptError::Unreadable {
        path: directory.display().to_string(),
        source,
    };
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_text = path.extension().is_some_and(|extension| extension == "txt");
        if is_text && !BUILT_IN.iter().any(|known| path.ends_with(known.name)) {
            let names: Vec<&str> = BUILT_IN.iter().map(|known| known.name).collect();
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

    fn pinned(reply_language: Option<&str>) -> Pinned {
        let asked_at =
            chrono::DateTime::parse_from_rfc3339("2026-01-31T23:00:00Z").expect("a time");
        Pinned::at(asked_at.to_utc(), reply_language)
    }

    #[test]
    fn every_built_in_template_renders() {
        let prompts = Prompts::load(None).expect("the built-in templates are valid");
        insta::assert_snapshot!(
            "sql_system",
            prompts.sql_system("15", "public.orders (\n  id integer\n)")
        );
        insta::assert_snapshot!(
            "sql_question",
            prompts.sql_question("How many orders?", None, &pinned(None))
        );
        insta::assert_snapshot!(
            "sql_question_of_a_large_schema",
            prompts.sql_question(
                "How many orders?",
                Some("public.orders (\n  id integer\n)"),
                &pinned(Some("German"))
            )
        );
        insta::assert_snapshot!(
            "repair_rejected",
            prompts.repair_rejected("There is no column public.orders.totl.")
        );
        insta::assert_snapshot!(
            "repair_failed",
            prompts.repair_failed("42703", "no such column", None, Some(8), None)
        );
        insta::assert_snapshot!(
            "repair_failed_with_a_hint",
            prompts.repair_failed(
                "42703",
                "column o.totl does not exist",
                Some("the nearest column is total"),
                Some(8),
                Some("o.totl FROM public.orders o")
            )
        );
        insta::assert_snapshot!("repair_costly", prompts.repair_costly(3));
        insta::assert_snapshot!(
            "repair_empty",
            prompts.repair_empty(
                "status is compared with 'Open', which is not among its values: 'open', 'closed'."
            )
        );
        insta::assert_snapshot!(
            "repair_unreadable",
            prompts.repair_unreadable("held more than one query")
        );
        insta::assert_snapshot!("prose_system", prompts.prose_system());
        insta::assert_snapshot!(
            "prose_question",
            prompts.prose_question(&context! {
                question => "How many orders?", earlier => "How many customers?", earlier_stopped => false,
                reply_language => "English", today => "2026-01-31", time_zone => "UTC", sql => "SELECT 1",
                row_count => 1, truncated => true, shown_count => 1, rows => "[\"count\"]\n[1]",
            })
        );
        insta::assert_snapshot!("summary_system", prompts.summary_system());
        insta::assert_snapshot!(
            "summary_question",
            prompts.summary_question(Some("Asked about orders."), "Question: And by month?")
        );
        insta::assert_snapshot!(
            "summary_context",
            prompts.summary_context("Asked about orders by month.")
        );
    }

    #[test]
    fn an_override_replaces_a_template_and_a_faulty_one_is_named_with_its_line() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("repair_rejected.txt");
        std::fs::write(&file, "No: {{ reason }}").expect("written");
        let prompts = Prompts::load(Some(directory.path())).expect("valid");
        assert_eq!(prompts.repair_rejected("too deep"), "No: too deep");

        let check = |text: &str, expected: &str| {
            std::fs::write(&file, text).expect("written");
            let error = Prompts::load(Some(directory.path()))
                .expect_err(text)
                .to_string();
            assert!(error.contains(expected), "{error}");
        };
        let unknown = "repair_rejected.txt, line 3: there is no variable raeson here, only reason";
        check("No:\n\n{{ raeson }}", unknown);
        // Where it is never reached …
        check("No:\n\n{% if not reason %}{{ raeson }}{% endif %}", unknown);
        // … in a text that also has it outside of any tag, and behind another name.
        check(
            "No raeson:\n{{ reason }}\n{{ reason | replace('a', raeson) }}",
            unknown,
        );
        // A variable of another template.
        check("{{ question }}", "line 1: there is no variable question");
        check("a\n{{ reason", "repair_rejected.txt, line 2: ");
        check("a\n{{ reason | nosuch }}", "repair_rejected.txt, line 2: ");

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
