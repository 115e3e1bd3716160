//! Makes statements that nobody wrote out of statements that somebody did.
//!
//! In: a corpus and a seed. Out: one mutant after the other. A stretch of a statement that the grammar takes for an expression, a
//! FROM item or a query is replaced with another such stretch or put inside a template, so that most mutants parse; names, types,
//! functions and quoting change on top of that. It knows nothing of what is allowed.

use std::collections::BTreeSet;
use std::ops::Range;

use pg_query::NodeEnum;

/// Names put where one can stand: what is allowed, what is hidden, aliases of the corpus, and names of both that cover each other.
const NAMES: &[&str] = &[
    "books",
    "books",
    "b",
    "members",
    "members",
    "m",
    "loans",
    "l",
    "loan_summary",
    "x",
    "a",
    "u",
    "t",
    "id",
    "id",
    "title",
    "price",
    "name",
    "kind",
    "genre",
    "fee",
    "tags",
    "info",
    "book_id",
    "member_id",
    "card_number",
    "card_number",
    "staff",
    "wage",
    "archive",
    "public",
    "peek",
    "ctid",
    "tableoid",
    "ticket_seq",
    "pg_class",
    "pg_catalog",
    "\"Loans\"",
    "\"order\"",
    "value",
    "w",
];

/// Functions: those that only compute, and those that must never run.
const FUNCTIONS: &[&str] = &[
    "count",
    "max",
    "array_agg",
    "to_jsonb",
    "row_to_json",
    "jsonb_agg",
    "string_agg",
    "unnest",
    "generate_series",
    "jsonb_each",
    "jsonb_array_elements",
    "json_object_agg",
    "length",
    "lower",
    "concat",
    "format",
    "coalesce",
    "text",
    "date",
    "first_value",
    "lag",
    "rank",
    "mode",
    "cardinality",
    "array_to_string",
    "num_nulls",
    "to_tsvector",
    "ts_rank",
    "md5",
    "peek",
    "public.peek",
    "card_number",
    "initcap",
    "public.initcap",
    "kind_number",
    "query_to_xml",
    "table_to_xml",
    "pg_sleep",
    "current_setting",
    "set_config",
    "nextval",
    "pg_read_file",
    "version",
    "ts_stat",
    "pg_typeof",
    "json_populate_record",
    "pg_catalog.lower",
    "textin",
];

/// Types that may be named, and types that may not.
const TYPES: &[&str] = &[
    "int",
    "text",
    "numeric(8,2)",
    "jsonb",
    "text[]",
    "date",
    "timestamptz",
    "xml",
    "genre",
    "member_kind",
    "tsvector",
    "interval",
    "regclass",
    "members",
    "staff",
    "books",
    "pair",
    "checked_text",
    "public.member_kind",
    "name",
    "record",
    "oid",
    "\"char\"",
];

/// Operators, one of them the database's own.
const OPERATORS: &[&str] = &[
    "=", "<>", "<", "||", "+", "-", "*", "@>", "->", "->>", "#>>", "&&", "~", "~~", "@@", "===",
    "||/", "?", "<->",
];

/// What an expression becomes. `{0}` is what stood there, `{e}` an expression, `{f}` a FROM item, `{q}` a query, `{n}` a name, `{x}` a
/// function, `{t}` a type, `{o}` an operator.
const EXPRESSIONS: &[&str] = &[
    "{e}",
    "{e}",
    "{e}",
    "{e}",
    "{n}",
    "{n}",
    "{n}.{n}",
    "{n}.{n}.{n}",
    "{n}.*",
    "({q})",
    "ARRAY({q})",
    "EXISTS ({q})",
    "({0})::{t}",
    "CAST({0} AS {t})",
    "({0}).{n}",
    "({0})[1]",
    "({0})[1:{e}]",
    "{0} IN ({q})",
    "{0} = ANY ({q})",
    "{0} < ALL ({q})",
    "{0} {o} {e}",
    "{0} OPERATOR(pg_catalog.{o}) {e}",
    "{0} OPERATOR(public.{o}) {e}",
    "{o} {0}",
    "{x}({0})",
    "{x}({0}, {e})",
    "{x}({n})",
    "{x}(VARIADIC {0})",
    "{x}({n}.*)",
    "{n}({0})",
    "{0} COLLATE \"C\"",
    "{0} COLLATE {n}",
    "CASE WHEN {e} THEN {0} ELSE {e} END",
    "CASE {0} WHEN {e} THEN {e} END",
    "COALESCE({0}, {e})",
    "NULLIF({0}, {e})",
    "GREATEST({0}, {e})",
    "ROW({0}, {n}.*)",
    "({0}, {e}) = ({e}, {e})",
    "({0}, {e}) IN ({q})",
    "{0} IS DISTINCT FROM {e}",
    "{0} IS NULL",
    "({0}) IS NOT TRUE",
    "{0} BETWEEN SYMMETRIC {e} AND {e}",
    "{0} SIMILAR TO {e}",
    "{0} ILIKE {e}",
    "{0} AT TIME ZONE {e}",
    "extract(year FROM {0})",
    "overlay({0} PLACING {e} FROM 1)",
    "substring({0} FROM {e})",
    "trim(BOTH {e} FROM {0})",
    "position({0} IN {e})",
    "count({0}) FILTER (WHERE {e})",
    "count(*) FILTER (WHERE {0})",
    "count({0}) OVER (PARTITION BY {e} ORDER BY {e})",
    "sum({0}) OVER (ORDER BY {e} RANGE BETWEEN {e} PRECEDING AND CURRENT ROW)",
    "{x}({0}) OVER w",
    "string_agg({0}::text, ',' ORDER BY {e})",
    "percentile_disc(0.5) WITHIN GROUP (ORDER BY {0})",
    "count(DISTINCT {0})",
    "GROUPING({0})",
    "JSON_OBJECT('a': {0})",
    "JSON_ARRAY({0}, {e})",
    "JSON_VALUE({0}, '$.a')",
    "JSON_ARRAYAGG({0})",
    "{0} IS JSON OBJECT",
    "xmlelement(name a, xmlattributes({e} AS b), {0})",
    "xmlforest({0} AS a, {e})",
    "xmlserialize(content {0} AS {t})",
    "xmlexists('/a' PASSING {0})",
    "CURRENT_USER",
    "CURRENT_SCHEMA",
    "to_jsonb({n})",
    "jsonb_build_object('a', {0}, 'b', {n})",
    "count({n})",
    "count({n}.*)",
    "{n}::text",
    "jsonb_path_query({0}, '$.**')",
    "(SELECT {n})",
    "(SELECT {n} FROM {f} LIMIT 1)",
    "(WITH {n} AS ({q}) SELECT {e} FROM {n} LIMIT 1)",
    "int4range({0}, {e})",
];

/// What a FROM item becomes.
const FROM_ITEMS: &[&str] = &[
    "{f}",
    "{f}",
    "{n}",
    "{n} AS {n}",
    "{n} {n}",
    "{n}.{n}",
    "public.{n} AS {n}",
    "ONLY {n}",
    "{n} AS {n}({n}, {n}, {n})",
    "members AS {n}({n}, {n}, {n}, {n}, {n}, {n})",
    "{n} TABLESAMPLE SYSTEM (50)",
    "{n} TABLESAMPLE BERNOULLI ({e}) REPEATABLE ({e})",
    "({q}) AS {n}",
    "({q}) AS {n}({n}, {n})",
    "LATERAL ({q}) AS {n}",
    "({0} CROSS JOIN {f}) AS {n}",
    "({0} CROSS JOIN {f})",
    "{0} CROSS JOIN {f}",
    "{0} JOIN {f} USING ({n})",
    "{0} JOIN {f} USING (id) AS {n}",
    "({0} JOIN {f} USING (id)) AS {n}({n}, {n})",
    "{0} NATURAL JOIN {f}",
    "{0} NATURAL LEFT JOIN ({q}) AS {n}",
    "{0} LEFT JOIN {f} ON {e}",
    "{0} FULL JOIN {f} ON {e}",
    "{0} LEFT JOIN LATERAL ({q}) AS {n} ON {e}",
    "{0}, {f}",
    "{0}, LATERAL ({q}) AS {n}",
    "{f}, {0}",
    "{x}({e}) AS {n}",
    "{x}({n}) AS {n}",
    "ROWS FROM ({x}({e}), {x}({e})) WITH ORDINALITY AS {n}({n}, {n}, {n})",
    "unnest(ARRAY({q})) AS {n}",
    "jsonb_to_recordset('[]') AS {n}({n} {t}, {n} {t})",
    "XMLTABLE('/a' PASSING {e} COLUMNS {n} {t} PATH '@a') AS {n}",
    "JSON_TABLE({e}, '$[*]' COLUMNS ({n} {t} PATH '$.a')) AS {n}",
    "generate_series(1, {e}) AS {n}",
    "generate_series(1, 3) AS {n}({n})",
    "(VALUES ({e}, {e}), ({n}, {n})) AS {n}({n}, {n})",
    "(TABLE {n}) AS {n}",
    "jsonb_each(to_jsonb({n})) AS {n}",
    "(WITH {n} AS ({q}) SELECT * FROM {n}) AS {n}",
];

/// What a query becomes.
const QUERIES: &[&str] = &[
    "{q}",
    "({0})",
    "WITH {n} AS ({0}) SELECT {e} FROM {n}",
    "WITH {n} AS ({0}) SELECT * FROM {n}",
    "WITH {n} AS ({0}) TABLE {n}",
    "WITH {n} AS ({q}) {0}",
    "WITH {n}({n}, {n}) AS MATERIALIZED ({q}) {0}",
    "WITH RECURSIVE {n}({n}) AS ({q} UNION {q}) {0}",
    "WITH RECURSIVE {n} AS (SELECT {e} FROM {n}), {n} AS ({q}) {0}",
    "SELECT * FROM ({0}) AS {n}",
    "SELECT {n}.* FROM ({0}) AS {n}",
    "SELECT {n} FROM ({0}) AS {n}",
    "SELECT {n}.{n} FROM ({0}) AS {n}({n}, {n})",
    "SELECT to_jsonb(s) FROM ({0}) AS s",
    "SELECT s::text FROM ({0}) AS s",
    "SELECT s.{n} FROM ({0}) AS s",
    "SELECT {e} FROM ({0}) AS s, {f}",
    "SELECT {e} FROM ({0}) AS s NATURAL JOIN ({q}) AS {n}",
    "({0}) UNION ALL ({q})",
    "({0}) EXCEPT ({q}) ORDER BY 1",
    "({0}) UNION ({q}) ORDER BY {n}",
    "{0} ORDER BY {e}",
    "{0} ORDER BY {n}",
    "{0} ORDER BY {e} USING {o}",
    "{0} GROUP BY {e}",
    "{0} GROUP BY GROUPING SETS (({e}), ROLLUP ({e}), ())",
    "{0} HAVING {e}",
    "{0} WHERE {e}",
    "{0} WHERE {n} = {n}",
    "{0} WINDOW w AS (PARTITION BY {e} ORDER BY {e})",
    "{0} LIMIT {e}",
    "{0} OFFSET ({q})",
    "{0} FETCH FIRST 2 ROWS WITH TIES",
    "{0} FOR UPDATE",
    "{0}; {q}",
    "TABLE {n}",
    "VALUES ({e}, ({q}))",
    "SELECT DISTINCT ON ({e}) {e} FROM {f}",
    "SELECT * FROM {f}",
    "SELECT {e}, {e} FROM {f} WHERE {e}",
    "SELECT {n} FROM {f}",
    "SELECT {n}, {n} FROM {f} ORDER BY {e}",
];

/// Longest stretch, in words, that is taken out of a statement.
const STRETCH_WORDS_MAX: usize = 24;

/// Longest statement that others are made of, in bytes.
const SEED_BYTES_MAX: usize = 800;

/// Most statements that mutants add to the corpus; past it they take the places of earlier ones.
const OFFSPRING_MAX: usize = 2000;

/// The kinds of stretches, in the order of [`Seed::stretches`].
#[derive(Debug, Clone, Copy)]
enum Kind {
    Expression,
    FromItem,
    Query,
}

/// A statement with the stretches of it that can be replaced.
struct Seed {
    words: Vec<String>,
    stretches: [Vec<Range<usize>>; 3],
}

/// Makes mutants without end, always the same ones for the same seed and the same offspring.
pub(super) struct Mutants {
    numbers: Numbers,
    seeds: Vec<Seed>,
    corpus_length: usize,
    /// Index of the statement being mutated: its own expressions fit it best.
    current: usize,
    /// Stretches by kind.
    pieces: [Vec<String>; 3],
}

impl Mutants {
    /// `often` are the statements that are mutated more often than those of `seldom`.
    pub(super) fn new(often: &[String], seldom: &[String], seed: u64) -> Self {
        let mut pieces: [BTreeSet<String>; 3] = Default::default();
        let mut seeds = Vec::new();
        for (statement, copies) in often
            .iter()
            .map(|statement| (statement, 6))
            .chain(seldom.iter().map(|statement| (statement, 1)))
        {
            for _ in 0..copies {
                seeds.push(Seed::new(statement));
            }
            if let Some(seed) = seeds.last() {
                for (pieces, stretches) in pieces.iter_mut().zip(&seed.stretches) {
                    pieces.extend(stretches.iter().map(|range| seed.text(range.clone())));
                }
            }
        }
        Self {
            // Zero is the one state that xorshift never leaves.
            numbers: Numbers(seed.max(1)),
            corpus_length: seeds.len(),
            current: 0,
            seeds,
            pieces: pieces.map(|pieces| pieces.into_iter().collect()),
        }
    }

    /// The next mutant.
    pub(super) fn next(&mut self) -> String {
        self.current = self.numbers.below(self.seeds.len());
        let words = self.replace_stretches(self.current);
        let words = if self.numbers.below(5) == 0 {
            self.exchange_word(words)
        } else {
            words
        };
        let text = words.join(" ");
        match self.numbers.below(12) {
            0 | 1 => {
                let template = self.numbers.one_of(QUERIES);
                self.fill(template, &text, 2)
            }
            2 => self.respell(&words),
            _ => text,
        }
    }

    /// Lets further mutants be made of a statement, so that they move away from the corpus step by step.
    pub(super) fn adopt(&mut self, statement: &str) {
        if statement.len() > SEED_BYTES_MAX || self.numbers.below(8) > 0 {
            return;
        }
        let seed = Seed::new(statement);
        if self.seeds.len() < self.corpus_length + OFFSPRING_MAX {
            self.seeds.push(seed);
        } else {
            let index = self.corpus_length + self.numbers.below(OFFSPRING_MAX);
            if let Some(place) = self.seeds.get_mut(index) {
                *place = seed;
            }
        }
    }

    /// The words of a statement in which one to three stretches that do not overlap are something else.
    fn replace_stretches(&mut self, index: usize) -> Vec<String> {
        let mut chosen: Vec<(Range<usize>, Kind)> = Vec::new();
        for _ in 0..=self.numbers.below(3) {
            let kind = match self.numbers.below(8) {
                0..5 => Kind::Expression,
                5..7 => Kind::FromItem,
                _ => Kind::Query,
            };
            let Some(seed) = self.seeds.get(index) else {
                continue;
            };
            let stretches = &seed.stretches[kind as usize];
            if stretches.is_empty() {
                continue;
            }
            let range = stretches[self.numbers.below(stretches.len())].clone();
            let is_free = chosen
                .iter()
                .all(|(other, _)| other.end <= range.start || range.end <= other.start);
            if is_free {
                chosen.push((range, kind));
            }
        }
        chosen.sort_by_key(|(range, _)| range.start);
        let mut words = Vec::new();
        let mut at = 0;
        for (range, kind) in chosen {
            let Some(seed) = self.seeds.get(index) else {
                continue;
            };
            words.extend_from_slice(&seed.words[at..range.start]);
            at = range.end;
            let old = seed.text(range);
            let templates = match kind {
                Kind::Expression => EXPRESSIONS,
                Kind::FromItem => FROM_ITEMS,
                Kind::Query => QUERIES,
            };
            let template = self.numbers.one_of(templates);
            let new = self.fill(template, &old, 2);
            // Without parentheses operators bind otherwise than they did, or not at all.
            let is_wrapped = matches!(kind, Kind::Expression) && self.numbers.below(4) > 0;
            words.push(if is_wrapped { format!("({new})") } else { new });
        }
        if let Some(seed) = self.seeds.get(index) {
            words.extend_from_slice(&seed.words[at..]);
        }
        words
    }

    /// Puts a name for a word, or a word of elsewhere, or leaves one out.
    fn exchange_word(&mut self, mut words: Vec<String>) -> Vec<String> {
        if words.is_empty() {
            return words;
        }
        let names: Vec<usize> = (0..words.len())
            .filter(|index| words[*index].starts_with(|first: char| first.is_ascii_lowercase()))
            .collect();
        let at = if names.is_empty() || self.numbers.below(4) == 0 {
            self.numbers.below(words.len())
        } else {
            names[self.numbers.below(names.len())]
        };
        match self.numbers.below(8) {
            0 => drop(words.remove(at)),
            1 => {
                let donor = self.numbers.below(self.seeds.len());
                let donor = &self.seeds[donor].words;
                if !donor.is_empty() {
                    words[at] = donor[self.numbers.below(donor.len())].clone();
                }
            }
            _ => words[at] = self.numbers.one_of(NAMES).to_owned(),
        }
        words
    }

    /// The same statement in another spelling, or nearly.
    fn respell(&mut self, words: &[String]) -> String {
        let respelled: Vec<String> = words
            .iter()
            .map(|word| {
                let is_name = word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
                if !is_name || self.numbers.below(3) > 0 {
                    return word.clone();
                }
                match self.numbers.below(5) {
                    0 => format!("\"{word}\""),
                    1 => word.to_uppercase(),
                    2 => format!("\"{}\"", word.to_uppercase()),
                    3 => {
                        let escaped: String = word
                            .bytes()
                            .map(|byte| format!("\\{:04x}", u32::from(byte)))
                            .collect();
                        format!("U&\"{escaped}\"")
                    }
                    _ => format!("{word}/* {word} */"),
                }
            })
            .collect();
        respelled.join(" ")
    }

    /// A template with its places filled, by pieces of the corpus or, `deeper` times more, by other templates.
    fn fill(&mut self, template: &str, old: &str, deeper: usize) -> String {
        let mut filled = String::new();
        let mut rest = template;
        while let Some(open) = rest.find('{') {
            filled.push_str(&rest[..open]);
            let place = rest[open..].chars().nth(1);
            rest = rest.get(open + 3..).unwrap_or_default();
            match place {
                Some('0') => filled.push_str(old),
                Some('e') => {
                    let piece = self.piece(Kind::Expression, EXPRESSIONS, deeper);
                    let is_wrapped = self.numbers.below(2) == 0;
                    filled.push_str(&if is_wrapped {
                        format!("({piece})")
                    } else {
                        piece
                    });
                }
                Some('f') => filled.push_str(&self.piece(Kind::FromItem, FROM_ITEMS, deeper)),
                Some('q') => filled.push_str(&self.piece(Kind::Query, QUERIES, deeper)),
                Some('n') => filled.push_str(self.numbers.one_of(NAMES)),
                Some('x') => filled.push_str(self.numbers.one_of(FUNCTIONS)),
                Some('t') => filled.push_str(self.numbers.one_of(TYPES)),
                _ => filled.push_str(self.numbers.one_of(OPERATORS)),
            }
        }
        filled.push_str(rest);
        filled
    }

    fn piece(&mut self, kind: Kind, templates: &[&'static str], deeper: usize) -> String {
        let own = &self.seeds[self.current];
        let own_pieces = &own.stretches[kind as usize];
        if !own_pieces.is_empty() && self.numbers.below(2) == 0 {
            let range = own_pieces[self.numbers.below(own_pieces.len())].clone();
            return own.text(range);
        }
        let pieces = &self.pieces[kind as usize];
        let piece = match pieces.len() {
            0 => "1".to_owned(),
            length => pieces[self.numbers.below(length)].clone(),
        };
        if deeper > 0 && self.numbers.below(5) == 0 {
            let template = self.numbers.one_of(templates);
            return self.fill(template, &piece, deeper - 1);
        }
        piece
    }
}

impl Seed {
    fn new(statement: &str) -> Self {
        let mut words = words(statement);
        while words.last().is_some_and(|word| word == ";") {
            words.pop();
        }
        let mut stretches: [Vec<Range<usize>>; 3] = Default::default();
        for start in 0..words.len() {
            let mut open = 0_i32;
            for end in start + 1..=words.len().min(start + STRETCH_WORDS_MAX) {
                match words[end - 1].as_str() {
                    "(" | "[" => open += 1,
                    ")" | "]" => open -= 1,
                    _ => {}
                }
                if open < 0 {
                    break;
                }
                if open > 0 {
                    continue;
                }
                if let Some(kind) = kind_of(&words, start..end) {
                    stretches[kind as usize].push(start..end);
                }
            }
        }
        Self { words, stretches }
    }

    fn text(&self, range: Range<usize>) -> String {
        self.words[range].join(" ")
    }
}

/// What a stretch is, if the statement still parses when something else of that kind stands there.
fn kind_of(words: &[String], range: Range<usize>) -> Option<Kind> {
    let text = words[range.clone()].join(" ");
    let before = range.start.checked_sub(1).map_or("", |index| &words[index]);
    let (kind, neutral) = if takes_from_item(before) && is_from_item(&text) {
        (Kind::FromItem, "zz AS zz")
    } else if is_expression(&text) {
        (Kind::Expression, "(NULL)")
    } else if is_one_query(&text) {
        (Kind::Query, "(SELECT 1)")
    } else {
        return None;
    };
    let whole = format!(
        "{} {neutral} {}",
        words[..range.start].join(" "),
        words[range.end..].join(" ")
    );
    is_one_query(&whole).then_some(kind)
}

fn takes_from_item(word: &str) -> bool {
    ["from", "join", "lateral"]
        .iter()
        .any(|keyword| word.eq_ignore_ascii_case(keyword))
}

/// Whether a text is one output column and nothing beyond it.
fn is_expression(text: &str) -> bool {
    let Some(NodeEnum::SelectStmt(query)) = only_statement(&format!("SELECT {text}")) else {
        return false;
    };
    let is_bare = query.from_clause.is_empty()
        && query.where_clause.is_none()
        && query.larg.is_none()
        && query.sort_clause.is_empty()
        && query.group_clause.is_empty()
        && query.limit_count.is_none();
    let [target] = query.target_list.as_slice() else {
        return false;
    };
    is_bare && matches!(&target.node, Some(NodeEnum::ResTarget(target)) if target.name.is_empty())
}

/// Whether a text is one FROM item and nothing beyond it.
fn is_from_item(text: &str) -> bool {
    let Some(NodeEnum::SelectStmt(query)) = only_statement(&format!("SELECT 1 FROM {text}")) else {
        return false;
    };
    query.from_clause.len() == 1
        && query.where_clause.is_none()
        && query.larg.is_none()
        && query.sort_clause.is_empty()
        && query.group_clause.is_empty()
        && query.window_clause.is_empty()
        && query.locking_clause.is_empty()
        && query.limit_count.is_none()
}

fn is_one_query(text: &str) -> bool {
    matches!(only_statement(text), Some(NodeEnum::SelectStmt(_)))
}

fn only_statement(text: &str) -> Option<NodeEnum> {
    let parsed = pg_query::parse(text, 0).ok()?;
    match parsed.protobuf.stmts.as_slice() {
        [statement] => statement.stmt.as_ref()?.node.clone(),
        _ => None,
    }
}

fn words(sql: &str) -> Vec<String> {
    let Ok(scanned) = pg_query::scan(sql) else {
        return vec![sql.to_owned()];
    };
    scanned
        .tokens
        .iter()
        .filter_map(|token| {
            let start = usize::try_from(token.start).ok()?;
            let end = usize::try_from(token.end).ok()?;
            sql.get(start..end).map(str::to_owned)
        })
        .collect()
}

/// Numbers that look random and are always the same (xorshift64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).unwrap_or_default()
    }

    fn one_of(&mut self, items: &[&'static str]) -> &'static str {
        let index = self.below(items.len());
        items.get(index).copied().unwrap_or_default()
    }
}
