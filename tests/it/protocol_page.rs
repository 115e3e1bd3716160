//! `docs/PROTOCOL.md` and the code say the same: the page names every code with its status, and neither
//! changes without somebody having looked at the other.

use std::path::Path;

use db_chat::protocol::close_code::CloseCode;
use db_chat::protocol::error_code::ErrorCode;
use db_chat::wire::errors::{http_status, is_retryable};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/PROTOCOL.md");
    std::fs::read_to_string(path).expect("the page")
}

#[test]
fn the_page_was_looked_at_when_the_wire_types_changed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/protocol");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    // FNV-1a: short, and the same on every machine and with every compiler.
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for file in files {
        for byte in std::fs::read(file).expect("a file") {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
    let line = format!("<!-- src/protocol: {hash:016x} -->");
    assert!(
        page().contains(&line),
        "src/protocol has changed: bring docs/PROTOCOL.md up to date, then put this line at its end:\n{line}"
    );
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
    ] {
        let row = format!("| {} |", code.as_u16());
        assert!(page.contains(&row), "missing: {row}");
        assert!(code.reason().len() <= 123);
    }
}
