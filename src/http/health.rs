//! `GET /healthz` and `GET /readyz`. Readiness asks every dependency at once, each within a deadline,
//! and keeps what it heard for a moment, so that probes cost next to nothing however often they come.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::future::{BoxFuture, join_all};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::protocol::http_body::{CheckBody, HealthBody, ReadinessBody};
use crate::wire::errors::WireError;

use super::Doors;

/// For one dependency to answer. Below the timeout that orchestrators commonly give a probe's neighbourhood.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long an answer is good for: less than the shortest probe interval in common use.
const REPORT_LIFE: Duration = Duration::from_secs(1);

/// Asks one dependency whether it is there.
pub type Probe = Arc<dyn Fn() -> BoxFuture<'static, Result<(), WireError>> + Send + Sync>;

/// One dependency.
pub struct Check {
    /// `database`, `store`, `provider`, `fallback` or `audit`.
    pub name: &'static str,
    /// Whether questions cannot be answered without it.
    pub is_required: bool,
    /// The check that is enough instead of this one; `None`: none is.
    pub instead: Option<&'static str>,
    /// What stands behind the name, where there is a choice.
    pub kind: Option<&'static str>,
    /// The model's name, for a provider that has one.
    pub model: Option<String>,
    /// How to ask it; `None` where it is not configured.
    pub probe: Option<Probe>,
}

/// What `/readyz` knows.
pub struct Readiness {
    checks: Vec<Check>,
    stop: CancellationToken,
    /// The last report. Held locked while a new one is made: those who come meanwhile get that one.
    report: Mutex<Option<(Instant, Report)>>,
}

#[derive(Clone)]
struct Report {
    checks: Vec<CheckBody>,
    is_ready: bool,
}

impl Readiness {
    /// Never ready again once `stop` has fired.
    #[must_use]
    pub fn new(checks: Vec<Check>, stop: CancellationToken) -> Self {
        Self {
            checks,
            stop,
            report: Mutex::new(None),
        }
    }

    async fn report(&self) -> Report {
        let mut kept = self.report.lock().await;
        if let Some((made_at, report)) = &*kept
            && made_at.elapsed() < REPORT_LIFE
        {
            return report.clone();
        }
        let checks = join_all(self.checks.iter().map(check)).await;
        let is_ready = self.checks.iter().zip(&checks).all(|(check, body)| {
            !check.is_required || body.status != "down" || is_up(&checks, check.instead)
        });
        let report = Report { checks, is_ready };
        *kept = Some((Instant::now(), report.clone()));
        report
    }
}

fn is_up(checks: &[CheckBody], name: Option<&'static str>) -> bool {
    checks
        .iter()
        .any(|check| Some(check.name) == name && check.status == "up")
}

async fn check(check: &Check) -> CheckBody {
    let (status, message) = match &check.probe {
        None => ("off", None),
        Some(probe) => match tokio::time::timeout(PROBE_TIMEOUT, probe()).await {
            Ok(Ok(())) => ("up", None),
            Ok(Err(error)) => ("down", Some(error.message.into_owned())),
            Err(_) => ("down", Some("No answer in time.".to_owned())),
        },
    };
    CheckBody {
        name: check.name,
        status,
        kind: check.kind,
        model: check.model.clone(),
        message,
    }
}

/// The process lives.
pub(super) async fn healthz(doors: web::Data<Doors>) -> HttpResponse {
    let body = HealthBody {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
        demo: doors.is_demo,
    };
    std::future::ready(HttpResponse::Ok().json(body)).await
}

/// Questions can be answered: 200; they cannot: 503. Each dependency with its state either way; what stands behind it is told
/// to whoever may ask, since answers tell them too, and to operators.
pub(super) async fn readyz(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    let readiness = &doors.readiness;
    let Report {
        mut checks,
        is_ready,
    } = readiness.report().await;
    let is_stranger =
        doors.authenticator.is_required() && doors.operators.admit(&request, &doors).is_err();
    if is_stranger {
        for check in &mut checks {
            check.kind = None;
            check.model = None;
        }
    }
    if readiness.stop.is_cancelled() || !is_ready {
        return HttpResponse::ServiceUnavailable().json(ReadinessBody {
            status: "not_ready",
            checks,
        });
    }
    let is_whole = checks.iter().all(|check| check.status != "down");
    let status = if is_whole { "ready" } else { "degraded" };
    HttpResponse::Ok().json(ReadinessBody { status, checks })
}
