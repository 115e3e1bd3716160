//! The wire types as JSON Schema (draft 2020-12): the files in `docs/schemas/`, and the components of
//! `/openapi.json`. Made from the types themselves, so that neither can say anything else than what is sent.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::answer::AnswerBody;
use super::history::{ConversationBody, ConversationListBody, ConversationTitleBody};
use super::http_body::{HealthBody, HttpErrorBody, ReadinessBody, TicketBody};
use super::schema::SchemaBody;
use super::server_frame::ServerFrame;

/// Every frame that the server sends, as one document.
///
/// Several branches of its `oneOf` have type `error` and differ in fields that may be absent, so it says `anyOf`.
#[must_use]
pub fn server_frame() -> Value {
    let mut schema = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<ServerFrame>();
    if let Some(frames) = schema.remove("oneOf") {
        schema.insert("anyOf".to_owned(), frames);
    }
    schema.insert("title".to_owned(), json!("A frame from the server"));
    schema.to_value()
}

/// The JSON documents of the HTTP API by name, as they stand in `components.schemas` of an OpenAPI 3.1 description.
#[must_use]
pub fn components() -> Map<String, Value> {
    let mut generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    add::<AnswerBody>(&mut generator);
    add::<ConversationBody>(&mut generator);
    add::<ConversationListBody>(&mut generator);
    add::<ConversationTitleBody>(&mut generator);
    add::<HealthBody>(&mut generator);
    add::<HttpErrorBody>(&mut generator);
    add::<ReadinessBody>(&mut generator);
    add::<SchemaBody>(&mut generator);
    add::<TicketBody>(&mut generator);
    generator.take_definitions(true)
}

fn add<T: schemars::JsonSchema>(generator: &mut SchemaGenerator) {
    // The schema itself is only a reference; what it refers to is kept by the generator.
    let _ = generator.subschema_for::<T>();
}
