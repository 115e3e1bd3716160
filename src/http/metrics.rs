//! `GET /metrics`: the process's own numbers, for Prometheus. There is no question, row or name of anybody in it, but it tells
//! strangers what the server is and how busy, so it is for operators.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::wire::errors::{WireError, chain};

use super::Doors;
use super::problem::HttpError;

/// The text format of OpenMetrics 1.0, section 4.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All series as they stand.
pub(super) async fn metrics(
    request: HttpRequest,
    doors: web::Data<Doors>,
) -> Result<HttpResponse, HttpError> {
    doors.operators.admit(&request, &doors)?;
    let metrics = &doors.connections.metrics;
    metrics.turn_tasks(doors.turns().tasks_count());
    let text = metrics.encode().map_err(|error| {
        tracing::error!(error = %chain(&error), "metrics cannot be written");
        WireError::internal()
    })?;
    let response = HttpResponse::Ok().content_type(OPEN_METRICS).body(text);
    std::future::ready(Ok(response)).await
}
