//! Everything that needs IO: one binary, a module per behaviour.

mod hostile_input;
mod layers;
mod rest;
mod shutdown;
mod socket;
mod sse;
mod support;
