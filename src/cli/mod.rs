//! The command line: one file per command, arguments in, text or JSON out.
//!
//! Exit codes: 0 done, 1 the command's own "no" (a refused query, a question without an answer, an unsafe role) or a
//! failure, 2 bad usage or bad settings.

mod ask;
mod demo;
pub mod doctor;
pub mod eval;
pub mod grants;
pub mod guard;
mod key;
pub mod schema;
mod serve;
mod server;
mod snapshot;

use std::io::{BufReader, BufWriter, Write, stderr, stdin, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config};

/// Ask a PostgreSQL database questions in plain English.
#[derive(Debug, Parser)]
#[command(name = "db-chat", version)]
#[command(after_help = "Examples:\n  \
    db-chat demo\n  \
    DATABASE_URL=postgresql://reader@localhost/shop db-chat serve\n  \
    db-chat ask \"How many orders were placed last month?\"")]
struct Arguments {
    #[command(flatten)]
    settings: SettingArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Settings from the command line: they win over the environment and the file.
#[derive(Debug, Args)]
struct SettingArgs {
    /// The config file; without it, db-chat.toml in the working directory is read if it is there
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The database to ask (DATABASE_URL)
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// Any setting by its name, e.g. --set ROWS_MAX=100
    #[arg(long = "set", global = true, value_name = "NAME=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (also what runs with no command)
    Serve(serve::ServeArgs),
    /// Run the server on a private PostgreSQL with a demo database
    Demo(demo::DemoArgs),
    /// Ask one question
    Ask(ask::AskArgs),
    /// Show the schema as db-chat sees it
    Schema(schema::SchemaArgs),
    /// Say what the guard decides about SQL
    Guard(guard::GuardArgs),
    /// Print the SQL that makes a database role with exactly the rights that the policy needs
    Grants(grants::GrantsArgs),
    /// Make an API key
    Key(key::KeyArgs),
    /// Say what is reachable and what the database role could do
    Doctor(doctor::DoctorArgs),
    /// Ask questions whose right answers are known, and count
    Eval(eval::EvalArgs),
}

/// Bad usage and bad settings, as clap itself exits.
const EXIT_USAGE: u8 = 2;

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let command = arguments
        .command
        .unwrap_or(Command::Serve(serve::ServeArgs::default()));
    let config = match load(&arguments.settings, &command) {
        Ok(config) => config,
        Err(error) => return fail(&error, EXIT_USAGE),
    };
    match run(command, config) {
        Ok(code) => code,
        Err(error) => fail(&error, 1),
    }
}

fn load(settings: &SettingArgs, command: &Command) -> anyhow::Result<Config> {
    let mut flags = Vec::new();
    for pair in &settings.set {
        let Some((name, value)) = pair.split_once('=') else {
            anyhow::bail!("--set {pair}: write it as NAME=VALUE, e.g. --set ROWS_MAX=100");
        };
        flags.push((name.to_owned(), value.to_owned()));
    }
    if let Some(url) = &settings.database_url {
        flags.push(("DATABASE_URL".to_owned(), url.clone()));
    }
    let bind = match command {
        Command::Serve(args) => args.bind.as_ref(),
        Command::Demo(args) => args.bind.as_ref(),
        Command::Ask(_)
        | Command::Schema(_)
        | Command::Guard(_)
        | Command::Grants(_)
        | Command::Key(_)
        | Command::Doctor(_)
        | Command::Eval(_) => None,
    };
    if let Some(bind) = bind {
        flags.push(("DB_CHAT_BIND".to_owned(), bind.clone()));
    }
    Ok(config::load(settings.config.as_deref(), &flags)?)
}

fn run(command: Command, mut config: Config) -> anyhow::Result<ExitCode> {
    let is_server = matches!(command, Command::Serve(_) | Command::Demo(_));
    if !is_server && config.log.filter == "info" {
        // Whoever asks one thing in a shell wants the answer, and what went wrong.
        "warn".clone_into(&mut config.log.filter);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let telemetry = crate::telemetry::install(&config.log, runtime.handle())?;
    for notice in &config.notices {
        tracing::warn!("{notice}");
    }
    let outcome = runtime.block_on(async {
        match command {
            Command::Serve(args) => serve::run(args, config).await,
            Command::Demo(args) => demo::run(args, config).await,
            Command::Ask(args) => ask::run(args, config).await,
            Command::Schema(args) => schema::run(args, &config, BufWriter::new(stdout())).await,
            Command::Grants(args) => grants::run(args, &config, BufWriter::new(stdout())).await,
            Command::Key(args) => key::run(&args, BufWriter::new(stdout())),
            Command::Doctor(args) => doctor::run(args, &config, BufWriter::new(stdout())).await,
            Command::Eval(args) => eval::run(args, config, BufWriter::new(stdout())).await,
            Command::Guard(args) => {
                let input = BufReader::new(stdin());
                guard::run(args, &config, input, BufWriter::new(stdout()), stderr()).await
            }
        }
    });
    telemetry.close();
    outcome
}

/// The whole chain of causes on standard error, one line a cause.
fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    let mut text = format!("db-chat: {error}\n");
    for cause in error.chain().skip(1) {
        text.push_str(&format!("  because: {cause}\n"));
    }
    // Nobody is left to tell when standard error is closed.
    let _ = std::io::stderr().write_all(text.as_bytes());
    ExitCode::from(code)
}
