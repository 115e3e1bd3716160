//! Everything that needs a server, a socket or a file: one binary, so that there is one to link, with a module for each behaviour.

mod catalog;
mod conversations;
mod execute;
mod guard;
mod private_postgres;
mod providers;
mod readme;
mod support;
