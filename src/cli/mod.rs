//! The command line: one file per command, arguments in, text or JSON out.

pub mod guard;

/// Runs the program.
#[must_use]
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
