//! The wiring that the tests share: the only place that knows how a server is put together.

pub mod raw;
pub mod server;
pub mod turns;
pub mod web_socket;
