//! What the documents say is what the program does.

use db_chat::config::setting_names;

#[test]
fn the_page_of_settings_lists_every_one_with_its_default() {
    let page = include_str!("../../docs/SETTINGS.md");
    let missing: Vec<String> = setting_names()
        .into_iter()
        .filter(|(name, default)| {
            let row = page
                .lines()
                .find(|line| line.starts_with(&format!("| `{name}` |")));
            !row.is_some_and(|row| default.is_empty() || row.contains(default.as_str()))
        })
        .map(|(name, default)| format!("{name} = {default:?}"))
        .collect();
    assert!(missing.is_empty(), "docs/SETTINGS.md lacks: {missing:#?}");
}
