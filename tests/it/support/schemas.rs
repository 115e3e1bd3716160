//! The published schemas, held against what is really sent.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

static SERVER_FRAME: LazyLock<Validator> =
    LazyLock::new(|| validator(closed(published("server-frame"))));

/// The path of a published schema.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/schemas/{name}.schema.json"))
}

/// A published schema.
pub(crate) fn published(name: &str) -> Value {
    let text = std::fs::read_to_string(path(name)).expect("a schema file");
    serde_json::from_str(&text).expect("JSON")
}

/// A schema, ready to be held against documents.
pub(crate) fn validator(schema: Value) -> Validator {
    jsonschema::draft202012::new(&schema).expect("a JSON Schema")
}

/// Fails when a frame is not as the published schema says, or has a field of which it says nothing.
pub(crate) fn assert_server_frame(frame: &Value) {
    assert_valid(&SERVER_FRAME, frame);
}

/// Fails with everything that is wrong.
pub(crate) fn assert_valid(validator: &Validator, document: &Value) {
    let faults: Vec<String> = validator
        .iter_errors(document)
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{faults:#?}\n{document:#}");
}

/// The schema without room for fields that it does not name: clients must ignore those, tests must not.
pub(crate) fn closed(mut schema: Value) -> Value {
    close(&mut schema);
    schema
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.contains_key("properties") {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
