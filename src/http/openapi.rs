//! `GET /openapi.json`: the paths from `openapi.json` beside this file, the documents from the types that are sent.

use std::sync::LazyLock;

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use crate::protocol::json_schema;

/// The description. Both halves are compiled in, and a test reads the result, so a fault in them cannot reach anybody.
static DESCRIPTION: LazyLock<web::Bytes> = LazyLock::new(|| {
    let mut document: Value =
        serde_json::from_str(include_str!("openapi.json")).unwrap_or_default();
    document["info"]["version"] = json!(env!("CARGO_PKG_VERSION"));
    document["components"]["schemas"] = Value::Object(json_schema::components());
    document.to_string().into()
});

/// How the HTTP API is called.
pub(super) async fn openapi() -> HttpResponse {
    let response = HttpResponse::Ok()
        .content_type("application/json")
        .body(DESCRIPTION.clone());
    std::future::ready(response).await
}
