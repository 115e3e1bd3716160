//! `docs/SECURITY.md` names the test that holds each attack, and every one that it names is there.

use std::path::Path;

const PAGE: &str = include_str!("../../docs/SECURITY.md");

#[test]
fn every_attack_has_a_test_and_every_test_on_the_page_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = String::new();
    for folder in ["src", "tests"] {
        collect(&root.join(folder), &mut sources);
    }
    let (_, table) = PAGE
        .split_once("\n## Attacks and the tests that hold them\n")
        .expect("the section");
    let table = table.split("\n## ").next().expect("its text");
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| {
            line.starts_with("| ") && !line.starts_with("| attack") && !line.starts_with("| ---")
        })
        .collect();
    assert!(rows.len() > 15, "only {} attacks", rows.len());
    let mut wrong = Vec::new();
    for row in rows {
        // A vertical bar inside code is escaped.
        let held_by = row
            .trim_end_matches([' ', '|'])
            .rsplit(" | ")
            .next()
            .expect("a cell");
        let named: Vec<&str> = held_by.split('`').skip(1).step_by(2).collect();
        if named.is_empty() {
            wrong.push(format!("no test holds: {row}"));
        }
        for name in named {
            let exists = match name.rsplit_once('.') {
                Some((_, "rs")) => root.join(name).is_file(),
                Some((_, "sql")) => root.join("tests/guard").join(name).is_file(),
                _ => sources.contains(&format!("fn {name}(")),
            };
            if !exists {
                wrong.push(format!("{name} does not exist"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn collect(folder: &Path, sources: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&std::fs::read_to_string(&path).expect("UTF-8"));
        }
    }
}
