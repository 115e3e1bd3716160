//! `GET /api/chat/schema-info/`: what can be asked about.

use actix_web::{HttpResponse, web};

use crate::wire::errors::WireError;
use crate::wire::schema::schema_body;

use super::Doors;
use super::problem::HttpError;

/// The schema as the policy lets it be seen.
pub(super) async fn schema_info(doors: web::Data<Doors>) -> Result<HttpResponse, HttpError> {
    let snapshot = (doors.schema)()
        .await
        .map_err(|error| WireError::from(&error))?;
    Ok(HttpResponse::Ok().json(schema_body(&snapshot)))
}
