//! What the documents say is what the program does.

use db_chat::config::setting_names;

#[test]
fn the_readme_lists_every_setting_with_its_default() {
    let readme = include_str!("../../README.md");
    let missing: Vec<String> = setting_names()
        .into_iter()
        .filter(|(name, default)| {
            let row = readme
                .lines()
                .find(|line| line.starts_with(&format!("| `{name}` |")));
            !row.is_some_and(|row| default.is_empty() || row.contains(default.as_str()))
        })
        .map(|(name, default)| format!("{name} = {default:?}"))
        .collect();
    assert!(missing.is_empty(), "README.md lacks: {missing:#?}");
}
