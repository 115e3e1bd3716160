//! `docs/PROTOCOL.md` and the code say the same: the page names every code with its status, and every field.

use std::collections::BTreeSet;
use std::path::Path;

use db_chat::protocol::close_code::CloseCode;
use db_chat::protocol::error_code::ErrorCode;
use db_chat::protocol::json_schema;
use db_chat::wire::errors::{http_status, is_retryable};
use serde_json::Value;

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/PROTOCOL.md");
    std::fs::read_to_string(path).expect("the page")
}

#[test]
fn the_page_names_every_field_that_is_sent() {
    let page = page();
    let mut fields = BTreeSet::new();
    collect_fields(&json_schema::server_frame(), &mut fields);
    for document in json_schema::components().values() {
        collect_fields(document, &mut fields);
    }
    assert!(fields.contains("request_id"));
    let missing: Vec<_> = fields
        .into_iter()
        .filter(|field| !page.contains(&format!("`{field}`")))
        .collect();
    assert!(missing.is_empty(), "not in docs/PROTOCOL.md: {missing:?}");
}

fn collect_fields(schema: &Value, into: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Object(properties)) = fields.get("properties") {
                into.extend(properties.keys().cloned());
            }
            fields
                .values()
                .for_each(|field| collect_fields(field, into));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_fields(item, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_page_lists_every_error_code_with_its_status() {
    let page = page();
    for code in ErrorCode::ALL {
        let retry = if is_retryable(*code) { "yes" } else { "no" };
        let row = format!("| `{}` | {} | {retry} |", code.as_str(), http_status(*code));
        assert!(page.contains(&row), "missing: {row}");
    }
}

#[test]
fn the_page_lists_every_close_code() {
    let page = page();
    for code in [
        CloseCode::Normal,
        CloseCode::GoingAway,
        CloseCode::ProtocolError,
        CloseCode::UnsupportedData,
        CloseCode::InvalidPayload,
        CloseCode::PolicyViolation,
        CloseCode::TooBig,
        CloseCode::CredentialExpired,
    ] {
        let row = format!("| {} |", code.as_u16());
        assert!(page.contains(&row), "missing: {row}");
        assert!(code.reason().len() <= 123);
    }
}
