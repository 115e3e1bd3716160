//! The wire: every frame, code and JSON document that a client can see, and nothing else.
//!
//! Only this layer derives `Serialize` and `Deserialize` for our own wire; `wire` alone converts.

pub mod answer;
pub mod client_frame;
pub mod close_code;
pub mod error_code;
pub mod feedback;
pub mod history;
pub mod http_body;
pub mod json_schema;
pub mod schema;
pub mod schema_document;
pub mod server_frame;
