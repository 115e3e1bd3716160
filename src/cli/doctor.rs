//! `db-chat doctor`: what is reachable (each provider by one tiny call), what the database role could do without the guard, and the SQL that closes it.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::snapshot::connect;
use crate::config::Config;
use crate::conversations;
use crate::domain::schema::Snapshot;
use crate::llm::examine::{self, Examined};
use crate::postgres::catalog::CatalogCache;
use crate::postgres::pool::DatabasePool;
use crate::postgres::posture::{self, Finding, Posture};
use crate::postgres::{QueryError, unreachable};
use crate::redis::RedisConnection;

/// Checks the database role, the model and the conversation store.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  db-chat doctor
  db-chat doctor --json | jq '.findings[].code'
  db-chat doctor --json | jq '.parts[] | select(.reachable | not)'

Exits with 1 if anything is unsafe or cannot be reached; advice alone does not count.
Each language model that is configured gets one tiny call, which costs a few tokens.
It names hidden tables and columns: it is for operators.")]
pub struct DoctorArgs {
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// A part that db-chat needs, and why it cannot be reached, if so.
struct Part {
    name: &'static str,
    detail: String,
    fault: Option<Fault>,
}

/// Why a part cannot be used.
struct Fault {
    /// What is to be looked at, for programs; of a provider only.
    code: Option<&'static str>,
    message: String,
    /// What the other side said, or the driver, beside what it means.
    said: Option<String>,
}

struct Report {
    parts: Vec<Part>,
    findings: Vec<Finding>,
}

/// What to look at when Redis is away; the store in memory never is.
const STORE_ADVICE: &str = "cannot be used: is Redis running, and are the address, the user and the password in REDIS_URL right?";

/// Asks everything and writes the report to `output`.
///
/// # Errors
/// The settings cannot be used, or the output cannot be written. What cannot be reached is part of the report.
pub async fn run(
    args: DoctorArgs,
    config: &Config,
    mut output: impl Write,
) -> anyhow::Result<ExitCode> {
    let (pool, catalog) = connect(config)?;
    let mut report = Report {
        parts: Vec::new(),
        findings: Vec::new(),
    };
    match look(&pool, &catalog).await {
        Ok((posture, snapshot)) => {
            report.findings = posture.findings(&snapshot);
            if let Some(tenants) = &config.auth.tenants {
                let hidden = catalog.without_row_security();
                let finding = posture.row_security_finding(&hidden, tenants.setting.as_str());
                report.findings.extend(finding);
            }
            let detail = format!(
                "{} as {}, PostgreSQL {}",
                posture.database, posture.role, posture.server_version
            );
            report.reached("database", detail);
        }
        Err(error) => report.down("database", "", unreachable::advice(&error), chain(&error)),
    }
    pool.close().await;

    let examined = examine::examine_all(&config.llm, &config.limits)
        .await
        .context("the language model cannot be used")?;
    if examined.is_empty() {
        report.reached("provider", "offline".to_owned());
    }
    for Examined { role, model, fault } in examined {
        let detail = format!("{} {}", model.provider, model.model);
        let fault = fault.map(|fault| Fault {
            code: Some(fault.kind.code()),
            message: fault.advice,
            said: Some(fault.said),
        });
        report.parts.push(Part {
            name: role,
            detail,
            fault,
        });
    }
    let redis = RedisConnection::open(&config.conversations, &config.limits)
        .await
        .context("REDIS_URL cannot be used")?;
    let store = conversations::open(&config.conversations, &config.limits, redis.as_ref())?;
    let reached = store.reachable().await;
    match reached {
        Ok(()) => report.reached("store", store.name().to_owned()),
        Err(error) => report.down("store", store.name(), STORE_ADVICE, chain(&error)),
    }

    if args.json {
        serde_json::to_writer_pretty(&mut output, &report.document())?;
        writeln!(output)?;
    } else {
        report.write_text(&mut output)?;
    }
    output.flush()?;
    Ok(ExitCode::from(u8::from(!report.is_safe())))
}

async fn look(
    pool: &DatabasePool,
    catalog: &CatalogCache,
) -> Result<(Posture, Arc<Snapshot>), QueryError> {
    Ok((posture::read(pool).await?, catalog.snapshot().await?))
}

impl Report {
    fn reached(&mut self, name: &'static str, detail: String) {
        self.parts.push(Part {
            name,
            detail,
            fault: None,
        });
    }

    fn down(&mut self, name: &'static str, detail: &str, advice: &str, said: String) {
        self.parts.push(Part {
            name,
            detail: detail.to_owned(),
            fault: Some(Fault {
                code: None,
                message: advice.to_owned(),
                said: Some(said),
            }),
        });
    }

    fn is_safe(&self) -> bool {
        self.parts.iter().all(|part| part.fault.is_none())
            && !self.findings.iter().any(|finding| finding.kind.is_unsafe())
    }

    fn document(&self) -> serde_json::Value {
        let parts: Vec<_> = self
            .parts
            .iter()
            .map(|part| {
                let fault = part.fault.as_ref();
                json!({
                    "name": part.name,
                    "detail": part.detail,
                    "reachable": fault.is_none(),
                    "fault": fault.map(|fault| &fault.message),
                    "code": fault.and_then(|fault| fault.code),
                    "said": fault.and_then(|fault| fault.said.as_ref()),
                })
            })
            .collect();
        let findings: Vec<_> = self
            .findings
            .iter()
            .map(|finding| {
                json!({
                    "code": finding.kind.code(),
                    "unsafe": finding.kind.is_unsafe(),
                    "message": finding.message,
                    "fixes": finding.fixes,
                })
            })
            .collect();
        json!({ "safe": self.is_safe(), "parts": parts, "findings": findings })
    }

    fn write_text(&self, output: &mut impl Write) -> std::io::Result<()> {
        for part in &self.parts {
            match &part.fault {
                None => writeln!(output, "ok      {}: {}", part.name, part.detail)?,
                Some(fault) => {
                    let message = &fault.message;
                    let detail = [part.detail.as_str(), message].join(" ");
                    writeln!(output, "DOWN    {}: {}", part.name, detail.trim_start())?;
                    if let Some(said) = &fault.said {
                        writeln!(output, "        ({said})")?;
                    }
                }
            }
        }
        for finding in &self.findings {
            let level = if finding.kind.is_unsafe() {
                "UNSAFE"
            } else {
                "advice"
            };
            writeln!(
                output,
                "{level}  {}: {}",
                finding.kind.code(),
                finding.message
            )?;
        }
        let fixes: Vec<&String> = self
            .findings
            .iter()
            .flat_map(|finding| &finding.fixes)
            .collect();
        if !fixes.is_empty() {
            writeln!(
                output,
                "\nAs a superuser in this database, this closes what is open. REVOKE ... FROM PUBLIC takes it from other\nroles too; `db-chat grants` leaves it with them.\n"
            )?;
            for fix in fixes {
                writeln!(output, "{fix};")?;
            }
        }
        let verdict = if self.is_safe() {
            "Safe: the role can read what the policy shows."
        } else if self.findings.iter().any(|finding| finding.kind.is_unsafe()) {
            "Not safe: see above."
        } else {
            "Not ready: see above."
        };
        writeln!(output, "\n{verdict}")
    }
}

/// An error and its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
