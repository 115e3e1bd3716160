//! Writes the schema before the corpus database's own names, as an attacker would who knows the search path.

/// Relations, where a relation is read.
const RELATIONS: &[&str] = &[
    "books",
    "members",
    "loans",
    "loan_summary",
    "staff",
    "ticket_seq",
];
const FUNCTIONS: &[&str] = &["peek", "initcap", "same", "kind_number"];
const TYPES: &[&str] = &["checked_text", "pair", "members", "staff", "books"];
const OPERATORS: &[&str] = &["===", "||/"];

/// The same statement with whole names. A CTE of a table's name is passed over, which is what an attacker wants.
pub(super) fn qualified(sql: &str) -> String {
    let Ok(scanned) = pg_query::scan(sql) else {
        return sql.to_owned();
    };
    let tokens: Vec<&str> = scanned
        .tokens
        .iter()
        .filter_map(|token| {
            let start = usize::try_from(token.start).ok()?;
            let end = usize::try_from(token.end).ok()?;
            sql.get(start..end)
        })
        .collect();
    let mut written: Vec<String> = Vec::new();
    // Whether a name here would be a relation's: one for each parenthesis that is open.
    let mut reads_relations = vec![false];
    for (index, token) in tokens.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| tokens.get(index));
        let after = tokens.get(index + 1);
        let is_part = before == Some(&".");
        match token.to_ascii_uppercase().as_str() {
            "(" => reads_relations.push(reads_relations.last() == Some(&true)),
            ")" => drop(reads_relations.pop()),
            "FROM" | "JOIN" | "TABLE" | "INTO" | "UPDATE" => set(&mut reads_relations, true),
            "SELECT" | "WHERE" | "ON" | "USING" | "GROUP" | "ORDER" | "HAVING" | "LIMIT"
            | "VALUES" | "SET" | "TABLESAMPLE" => set(&mut reads_relations, false),
            _ => {}
        }
        let begins = matches!(
            before.map(|token| token.to_ascii_uppercase()).as_deref(),
            Some("FROM" | "JOIN" | "TABLE" | "INTO" | "UPDATE" | "," | "(")
        );
        let is_relation =
            reads_relations.last() == Some(&true) && begins && RELATIONS.contains(token);
        let is_function = FUNCTIONS.contains(token) && after == Some(&"(");
        let is_type = before == Some(&"::") && TYPES.contains(token);
        written.push(if is_part {
            (*token).to_owned()
        } else if is_relation || is_function || is_type {
            format!("public.{token}")
        } else if OPERATORS.contains(token) && !is_part {
            format!("OPERATOR(public.{token})")
        } else if let Some(name) = RELATIONS.iter().find(|name| format!("'{name}'") == *token) {
            format!("'public.{name}'")
        } else {
            (*token).to_owned()
        });
    }
    written.join(" ")
}

fn set(stack: &mut [bool], value: bool) {
    if let Some(last) = stack.last_mut() {
        *last = value;
    }
}

#[test]
fn names_get_their_schema_and_nothing_else_does() {
    for (sql, expected) in [
        (
            "SELECT staff.id FROM staff, books b",
            "SELECT staff . id FROM public.staff , public.books b",
        ),
        (
            "SELECT peek(m), books FROM (members m JOIN loans l ON true)",
            "SELECT public.peek ( m ) , books FROM ( public.members m JOIN public.loans l ON true )",
        ),
        (
            "SELECT a === b, '1'::pair FROM archive.loans",
            "SELECT a OPERATOR(public.===) b , '1' :: public.pair FROM archive . loans",
        ),
    ] {
        assert_eq!(qualified(sql), expected);
    }
}
