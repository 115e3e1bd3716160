//! Makes statements that nobody wrote out of statements that somebody did.
//!
//! In: a corpus and a seed. Out: one mutant after the other. A stretch of a statement that the grammar takes for an expression, a
//! FROM item or a query is replaced with another such stretch or put inside a template, so that most mutants parse; names, types,
//! functions and quoting change on top of that. It knows nothing of what is allowed.

use std::collections::BTreeSet;
use std::ops::Range;

use pg_query::NodeEnum;

use super::fragments::{EXPRESSIONS, FROM_ITEMS, FUNCTIONS, NAMES, OPERATORS, QUERIES, TYPES};

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
