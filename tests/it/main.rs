//! Everything that needs a server, a socket or a file: one binary, so that there is one to link, with a module for each behaviour.

// Helpers in a test binary may unwrap; clippy goes by this mark.
#![cfg(test)]

mod audit;
mod autobahn;
mod catalog;
mod conversations;
mod demo_database;
mod doctor;
mod door;
mod eval;
mod execute;
mod feedback;
mod grants;
mod guard;
mod hostile_input;
mod hostile_socket;
mod layers;
mod offline;
mod private_postgres;
mod protocol_page;
mod providers;
mod readme;
mod rest;
mod resume;
mod rfc6455;
mod schema_context;
mod schemas;
mod security_page;
mod serve_role;
mod shutdown;
mod socket;
mod sse;
mod support;
mod tenants;
mod tls;
mod turns;
