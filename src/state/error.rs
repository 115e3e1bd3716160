//! What can go wrong with db-chat's own tables.

/// An operation on db-chat's own tables that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The database cannot be reached or did not answer in time.
    #[error("the state database failed to {operation}")]
    Unavailable {
        /// What was tried.
        operation: &'static str,
        /// The driver's own words.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database said no, e.g. for a missing right.
    #[error("the state database refused to {operation} (SQLSTATE {sqlstate})")]
    Refused {
        /// What was tried.
        operation: &'static str,
        /// Five characters.
        sqlstate: String,
        /// The driver's own words.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A newer release has changed the tables; this one would misread them.
    #[error(
        "the state database is at version {found} of its tables, and this release knows versions up to {known}: run the newer release, or give this one a database of its own with DB_CHAT_STATE_URL"
    )]
    TooNew {
        /// The version found.
        found: i32,
        /// The newest version of this release.
        known: i32,
    },
    /// The tables are not those that this or an earlier release has made.
    #[error("the tables of the state database do not follow from this release's migrations")]
    Diverged {
        /// Which migration does not fit.
        #[source]
        source: refinery::Error,
    },
    /// A fault of db-chat's own: migrations that cannot be read, or a pool that cannot be built.
    #[error("the state database cannot be set up")]
    SetUp {
        /// What is wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StateError {
    /// Whether the same attempt can succeed later without anyone doing something to db-chat: then a
    /// server may start, and report itself as not ready.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Refused { .. }
            | Self::TooNew { .. }
            | Self::Diverged { .. }
            | Self::SetUp { .. } => false,
        }
    }

    /// An error of the driver, told apart by whether the server has refused or could not be used.
    pub(super) fn of_driver(operation: &'static str, source: tokio_postgres::Error) -> Self {
        match Self::refusal(&source) {
            Some(sqlstate) => Self::Refused {
                operation,
                sqlstate,
                source: source.into(),
            },
            None => Self::Unavailable {
                operation,
                source: source.into(),
            },
        }
    }

    /// The SQLSTATE, where the server has refused for good. The classes 08, 53, 57 and 58 do not say
    /// so: connections, resources, an operator's doing (a restart among them), the system.
    pub(super) fn refusal(error: &tokio_postgres::Error) -> Option<String> {
        let sqlstate = error.code()?.code();
        let passes = ["08", "53", "57", "58"]
            .iter()
            .any(|class| sqlstate.starts_with(class));
        (!passes).then(|| sqlstate.to_owned())
    }
}
