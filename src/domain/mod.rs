//! Plain values that every layer shares. They know no transport, no storage and no clock.

pub mod caller;
pub mod conversation;
pub mod identifier;
pub mod ids;
pub mod principal;
pub mod question;
pub mod result;
pub mod schema;
pub mod sql;
pub mod title;
pub mod usage;
