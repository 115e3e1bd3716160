//! Every fault of the settings at once, each with the name to change and where its value came from.

use std::fmt;

/// The settings cannot be used. Display lists every fault, one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// At least one.
    pub faults: Vec<ConfigFault>,
}

/// One fault. Never holds the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// The setting's name as the environment spells it, or the file's path.
    pub setting: String,
    /// Where the value came from.
    pub source: Source,
    /// What is wrong, and what to write instead.
    pub problem: String,
}

/// Where a value came from, weakest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The compiled-in `default.toml`.
    Default,
    /// The config file of this path.
    File(String),
    /// The environment.
    Environment,
    /// The command line.
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::File(path) => write!(formatter, "file {path}"),
            Self::Environment => formatter.write_str("environment"),
            Self::Flag => formatter.write_str("command line"),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the settings cannot be used:")?;
        for fault in &self.faults {
            write!(
                formatter,
                "\n  {} ({}): {}",
                fault.setting, fault.source, fault.problem
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
