//! tmp
use crate::domain::schema::Snapshot;
pub struct SchemaContext {
    pub text: String,
    pub is_whole: bool,
}
pub fn schema_context(snapshot: &Snapshot, _q: &str, _e: &[&str], _t: usize) -> SchemaContext {
    SchemaContext {
        text: snapshot
            .relations
            .iter()
            .map(|r| {
                format!(
                    "{}.{}({})\n",
                    r.schema,
                    r.name,
                    r.visible_columns()
                        .map(|c| format!("{} {}", c.name, c.type_name))
                        .collect::<Vec<_>>()
                        .join(", ")
                )
            })
            .collect(),
        is_whole: true,
    }
}
