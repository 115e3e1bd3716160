//! What the socket, REST and SSE share: client frames to questions, events to frames, rows to JSON,
//! and every internal error to one wire error. Knows no transport.

pub mod answer;
pub mod cells;
mod codes;
pub mod errors;
pub mod feedback;
pub mod frames;
pub mod history;
pub mod questions;
pub mod schema;
pub mod schema_document;
