//! The guard's reasoned no.

use std::fmt;

/// Why a query was refused. The reason says what to do instead and never names what the policy hides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    code: RejectionCode,
    reason: String,
}

/// What the guard's rules give: something that was found to be allowed, or the reason why not.
pub(super) type Checked<T> = Result<T, Rejection>;

/// The stable names of the guard's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectionCode {
    /// PostgreSQL's parser does not take the text.
    ParseError,
    /// Too long, too deep or too large to be checked.
    TooComplex,
    /// Not exactly one statement.
    NotOneStatement,
    /// A statement that is not a query.
    NotAQuery,
    /// A query that writes or locks.
    NotReadOnly,
    /// A relation that is not there for this policy.
    UnknownRelation,
    /// A column that is not there for this policy.
    UnknownColumn,
    /// A whole row or star over a relation with hidden columns.
    HiddenColumns,
    /// A function that is not on the list.
    FunctionNotAllowed,
    /// An operator that is not on the list.
    OperatorNotAllowed,
    /// A type that is not on the list.
    TypeNotAllowed,
    /// A part of SQL that the guard does not let through.
    NotSupported,
    /// An expression that would be too large to compute.
    TooExpensive,
}

impl RejectionCode {
    /// The name on the wire, in the audit log and in `db-chat guard`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ParseError => "parse_error",
            Self::TooComplex => "too_complex",
            Self::NotOneStatement => "not_one_statement",
            Self::NotAQuery => "not_a_query",
            Self::NotReadOnly => "not_read_only",
            Self::UnknownRelation => "unknown_relation",
            Self::UnknownColumn => "unknown_column",
            Self::HiddenColumns => "hidden_columns",
            Self::FunctionNotAllowed => "function_not_allowed",
            Self::OperatorNotAllowed => "operator_not_allowed",
            Self::TypeNotAllowed => "type_not_allowed",
            Self::NotSupported => "not_supported",
            Self::TooExpensive => "too_expensive",
        }
    }
}

impl Rejection {
    pub(super) fn new(code: RejectionCode, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }

    /// The refusal of a text for which no verdict was reached: what is not proved is not run.
    #[must_use]
    pub fn not_checked() -> Self {
        Self::new(
            RejectionCode::TooComplex,
            "The query could not be checked in time; write a simpler one.",
        )
    }

    /// Which rule.
    #[must_use]
    pub fn code(&self) -> RejectionCode {
        self.code
    }

    /// A sentence for the model and for the person.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.reason)
    }
}
