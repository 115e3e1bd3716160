//! Everything that needs a server, a socket or a file: one binary, so that there is one to link, with a module for each behaviour.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that meets what it did not expect has failed, helpers included"
)]

mod catalog;
mod conversations;
mod execute;
mod hostile_input;
mod layers;
mod private_postgres;
mod protocol_page;
mod providers;
mod readme;
mod rest;
mod shutdown;
mod socket;
mod sse;
mod support;
