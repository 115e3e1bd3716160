//! db-chat's own tables, in a database that it may write to: never the one being asked.
//!
//! Everything is in the schema `db_chat`, created and kept up to date by `migrations/`. Must not know
//! what a turn is made of: the pipeline fills plain structs.

pub mod audit;
mod audit_writer;
pub mod database;
pub mod error;
pub mod feedback;
mod migrate;

pub use audit::{AuditEntry, AuditLog};
pub use database::StateDatabase;
pub use error::StateError;
pub use feedback::FeedbackLog;
