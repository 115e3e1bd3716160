//! `db-chat key`: a new API key.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use secrecy::ExposeSecret;

use crate::auth::NewApiKey;
use crate::config::ApiKeyEntry;

/// Makes an API key and prints it, and on a second line what DB_CHAT_API_KEYS takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  db-chat key reporting
  curl -H \"Authorization: Bearer $KEY\" https://chat.example.com/api/chat/schema-info/

The first line is for the client and is kept nowhere. The second, name:sha256, goes into DB_CHAT_API_KEYS, which takes
several with commas between them. Conversations belong to the name, so a new key under the same name takes them over.")]
pub(super) struct KeyArgs {
    /// Whose key it is: letters, digits, dots, dashes and underscores
    name: String,
}

/// Writes the key and its entry to `output`.
///
/// # Errors
/// The name cannot be used, the system has no random numbers, or the output cannot be written.
pub(super) fn run(args: &KeyArgs, mut output: impl Write) -> anyhow::Result<ExitCode> {
    let key = NewApiKey::random(&args.name)
        .ok_or_else(|| anyhow::anyhow!("the system gives no random numbers"))?;
    if ApiKeyEntry::parse(&key.entry).is_none() {
        anyhow::bail!(
            "{:?} is no name for a key: up to 64 letters, digits, dots, dashes and underscores",
            args.name
        );
    }
    writeln!(output, "{}\n{}", key.key.expose_secret(), key.entry)?;
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}
