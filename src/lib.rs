//! db-chat: ask a PostgreSQL database questions in plain English.
//!
//! The layers, top to bottom. A file may use its own layer and any below it, never one above, and
//! never sideways between `llm`, `offline`, `postgres`, `conversations`, `auth`, `limits` and `state`.

// One file per command: arguments in, text or JSON out.
pub mod cli;

// The composition root: builds every part, runs the server, stops it.
pub mod app;

// The doors: routes, upgrade, REST and SSE, health, static files.
pub mod http;

// One actor per socket.
pub mod connection;

// Turns, apart from the connections that follow them.
pub mod turns;

// What the socket, REST and SSE share: events to frames, errors to codes, rows to JSON.
pub mod wire;

// One question, stage by stage.
pub mod pipeline;

// The model, behind one trait.
pub mod llm;

// The engine that needs no model.
pub mod offline;

// The database being asked.
pub mod postgres;

// Where conversations live.
pub mod conversations;

// Who somebody is.
pub mod auth;

// How much anybody may have.
pub mod limits;

// db-chat's own tables.
pub mod state;

// The connection that instances share.
pub mod redis;

// Proves that a query only reads what it may.
pub mod guard;

// The wire types.
pub mod protocol;

// Plain values.
pub mod domain;

// The settings.
pub mod config;

// Logs.
pub mod telemetry;

// Only this crate's own test build can switch the guard off, so the tests that do are part of it. They name the crate as all
// others in `tests/` do.
#[cfg(test)]
extern crate self as db_chat;
#[cfg(test)]
#[path = "../tests/without_guard/mod.rs"]
mod without_guard;
