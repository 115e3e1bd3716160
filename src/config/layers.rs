//! Raw values by setting name, laid over each other: defaults, file, environment, flags. Knows names, not meanings.

use std::collections::BTreeMap;

use super::error::{ConfigFault, Source};

/// The compiled-in defaults; also the reference manual, and the list of all names.
pub const DEFAULT_TOML: &str = include_str!("default.toml");

/// In front of a limit's name in the environment.
const LIMIT_PREFIX: &str = "DB_CHAT_";

/// One raw value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawValue {
    /// Numbers and booleans as text, lists joined with commas; trimmed.
    pub(super) text: String,
    /// Where it came from.
    pub(super) source: Source,
}

/// The strongest value of every setting so far, by its name in the environment.
#[derive(Debug, Clone)]
pub(super) struct Layers {
    values: BTreeMap<String, RawValue>,
    pub(super) faults: Vec<ConfigFault>,
    pub(super) notices: Vec<String>,
}

impl Layers {
    /// The defaults alone.
    pub(super) fn defaults() -> Self {
        let mut layers = Self {
            values: BTreeMap::new(),
            faults: Vec::new(),
            notices: Vec::new(),
        };
        match DEFAULT_TOML.parse::<toml::Table>() {
            Ok(table) => {
                for (name, value) in flatten(&table) {
                    if let Some(text) = scalar(value) {
                        layers.values.insert(
                            name,
                            RawValue {
                                text,
                                source: Source::Default,
                            },
                        );
                    }
                }
            }
            Err(error) => layers.fault("default.toml", Source::Default, error.to_string()),
        }
        layers
    }

    /// Lays a config file over what is there.
    pub(super) fn add_file(&mut self, path: &str, text: &str) {
        let source = Source::File(path.to_owned());
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => {
                // The parser's Display quotes the faulty line, which may hold a password.
                let line = error.span().map_or(1, |span| {
                    text[..span.start.min(text.len())].matches('\n').count() + 1
                });
                self.fault(
                    path,
                    source,
                    format!("line {line} is not TOML: {}", error.message()),
                );
                return;
            }
        };
        for (name, value) in flatten(&table) {
            if !self.values.contains_key(&name) {
                let problem = self.unknown(&name, file_key);
                self.fault(&file_key(&name), source.clone(), problem);
            } else if let Some(text) = scalar(value) {
                self.set(&name, text, source.clone());
            } else {
                let problem =
                    "must be a text, a number, true or false, or a list of texts".to_owned();
                self.fault(&name, source.clone(), problem);
            }
        }
    }

    /// Lays the environment over what is there. Names that are no setting belong to somebody else, so
    /// they are no fault; one that begins with `DB_CHAT_` is probably a slip and worth a notice.
    pub(super) fn add_environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
        for (name, text) in variables {
            if self.values.contains_key(&name) {
                self.set(&name, text, Source::Environment);
            } else if name.starts_with(LIMIT_PREFIX) && !FOREIGN_NAMES.contains(&name.as_str()) {
                let problem = self.unknown(&name, str::to_owned);
                self.notices
                    .push(format!("{name} (environment): {problem}"));
            }
        }
    }

    /// Lays one flag over what is there.
    pub(super) fn add_flag(&mut self, name: &str, text: String) {
        let name = name.to_ascii_uppercase();
        let limit = format!("{LIMIT_PREFIX}{name}");
        if self.values.contains_key(&name) {
            self.set(&name, text, Source::Flag);
        } else if self.values.contains_key(&limit) {
            self.set(&limit, text, Source::Flag);
        } else {
            let problem = self.unknown(&name, str::to_owned);
            self.fault(&name, Source::Flag, problem);
        }
    }

    /// The strongest value of a setting; `None` where it is not set.
    pub(super) fn get(&self, name: &str) -> Option<&RawValue> {
        self.values.get(name).filter(|value| !value.text.is_empty())
    }

    /// Notes a fault of a setting's present value.
    pub(super) fn reject(&mut self, name: &str, problem: impl Into<String>) {
        let source = self
            .values
            .get(name)
            .map_or(Source::Default, |value| value.source.clone());
        self.fault(name, source, problem.into());
    }

    fn set(&mut self, name: &str, text: String, source: Source) {
        let text = text.trim().to_owned();
        // An empty variable is how a shell or a compose file says "not set": it must not undo the file.
        if text.is_empty() && source != Source::Flag {
            return;
        }
        self.values
            .insert(name.to_owned(), RawValue { text, source });
    }

    fn fault(&mut self, setting: &str, source: Source, problem: String) {
        self.faults.push(ConfigFault {
            setting: setting.to_owned(),
            source,
            problem,
        });
    }

    /// `spelled` writes the nearest setting as it is written where the unknown one stands.
    fn unknown(&self, name: &str, spelled: impl Fn(&str) -> String) -> String {
        // A limit may be named without its prefix.
        let likeness = |known: &str| {
            let short = known.strip_prefix(LIMIT_PREFIX).unwrap_or(known);
            strsim::jaro_winkler(known, name).max(strsim::jaro_winkler(short, name))
        };
        let nearest = self
            .values
            .keys()
            .map(|known| (likeness(known), known))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        match nearest {
            Some((likeness, known)) if likeness > 0.75 => {
                format!("is not a setting; did you mean {}?", spelled(known))
            }
            _ => "is not a setting; docs/SETTINGS.md lists them all".to_owned(),
        }
    }
}

/// Names that begin like ours and are not settings of the server.
const FOREIGN_NAMES: [&str; 1] = ["DB_CHAT_BINARY"];

/// The names of all settings, as the environment spells them, with their defaults as text.
#[must_use]
pub fn setting_names() -> Vec<(String, String)> {
    Layers::defaults()
        .values
        .into_iter()
        .map(|(name, value)| (name, value.text))
        .collect()
}

/// Top-level keys are names in any letter case; keys in `[limits]` get the prefix of the environment.
fn flatten(table: &toml::Table) -> Vec<(String, &toml::Value)> {
    let mut pairs = Vec::new();
    for (key, value) in table {
        if let ("limits", toml::Value::Table(limits)) = (key.as_str(), value) {
            let limits = limits.iter();
            pairs.extend(limits.map(|(key, value)| {
                (format!("{LIMIT_PREFIX}{}", key.to_ascii_uppercase()), value)
            }));
        } else {
            pairs.push((key.to_ascii_uppercase(), value));
        }
    }
    pairs
}

fn scalar(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Array(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
            Some(texts?.join(","))
        }
        toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

/// How the file spells a setting.
fn file_key(name: &str) -> String {
    let defaults: Option<toml::Table> = DEFAULT_TOML.parse().ok();
    let key = name.to_ascii_lowercase();
    let is_top_level = defaults.is_some_and(|table| table.contains_key(&key));
    match key.strip_prefix("db_chat_") {
        Some(limit) if !is_top_level => format!("limits.{limit}"),
        _ => key,
    }
}
