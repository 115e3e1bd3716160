//! The `db-chat` program: one call into `cli`, its outcome as the exit code.

fn main() -> std::process::ExitCode {
    db_chat::cli::main()
}
