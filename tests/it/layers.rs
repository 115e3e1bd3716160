//! The order of the layers: no file uses a layer above its own, nor one beside it. Inside one crate
//! neither the compiler nor clippy looks at that.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Top to bottom. Layers of one row stand side by side.
const ROWS: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["app"],
    &["http"],
    &["connection"],
    &["turns"],
    &["wire"],
    &["pipeline"],
    &[
        "llm",
        "offline",
        "postgres",
        "conversations",
        "auth",
        "limits",
        "state",
    ],
    &["guard", "protocol", "redis"],
    &["telemetry"],
    &["domain", "config"],
];

#[test]
fn no_file_uses_a_layer_above_or_beside_its_own() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&source, &mut files);
    let mut wrong = BTreeSet::new();
    for file in &files {
        let path = file.strip_prefix(&source).expect("below src");
        let layer = layer_of(path);
        if layer == "lib" {
            continue;
        }
        let text = std::fs::read_to_string(file).expect("UTF-8");
        for (number, line) in text.lines().enumerate() {
            for used in used_layers(line) {
                if used != layer && row(&layer) >= row(used) {
                    wrong.insert(format!(
                        "src/{}:{}: {layer} must not use {used}",
                        path.display(),
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_file_of_tests_is_compiled() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut files = Vec::new();
    collect(&folder, &mut files);
    let forgotten: Vec<_> = files
        .iter()
        .filter(|file| {
            let name = file.file_stem().expect("a name").to_string_lossy();
            let is_of_folder = name == "mod" && file.parent() != Some(&folder);
            let of = if is_of_folder {
                file.parent().expect("a folder")
            } else {
                file.as_path()
            };
            let beside = of.parent().expect("a folder");
            let declarer = if beside == folder {
                beside.join("main.rs")
            } else {
                beside.join("mod.rs")
            };
            let declared = format!("mod {};", of.file_stem().expect("a name").to_string_lossy());
            let text = std::fs::read_to_string(declarer).expect("UTF-8");
            name != "main" && !text.lines().any(|line| line.ends_with(&declared))
        })
        .collect();
    assert!(forgotten.is_empty(), "in no module: {forgotten:?}");
}

#[test]
fn an_edge_upwards_is_noticed() {
    assert_eq!(
        used_layers("    let f: crate::http::Doors = crate::wire::x();"),
        ["http", "wire"]
    );
    assert_eq!(
        used_layers("/// See [`CheckedSql`](crate::guard::CheckedSql)."),
        Vec::<&str>::new()
    );
    assert!(row("http") < row("wire"));
    assert_eq!(row("llm"), row("postgres"));
}

/// The layers that a line of code names; documentation may name any.
fn used_layers(line: &str) -> Vec<&str> {
    if line.trim_start().starts_with("//") {
        return Vec::new();
    }
    line.split("crate::")
        .skip(1)
        .filter_map(|rest| {
            rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
        })
        .filter(|name| ROWS.iter().any(|row| row.contains(name)))
        .collect()
}

fn row(layer: &str) -> usize {
    ROWS.iter()
        .position(|row| row.contains(&layer))
        .unwrap_or_else(|| panic!("{layer} has no place in the order of layers"))
}

/// The first folder, or the name of a file directly in `src`.
fn layer_of(path: &Path) -> String {
    let first = path.components().next().expect("a path");
    Path::new(first.as_os_str())
        .file_stem()
        .expect("a name")
        .to_string_lossy()
        .into_owned()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
