//! Thousands of statements that nobody wrote: the corpus with words exchanged. Whatever the guard lets through, PostgreSQL must
//! find to read only what is allowed.

use super::{accepted, check, dependencies, library, may_depend_on, refused};

/// Mutants made in one run. The numbers that choose them are always the same, so a failure comes back.
const MUTANTS: usize = 6000;

/// Words that are worth putting anywhere.
const WORDS: &[&str] = &[
    "card_number",
    "members",
    "m",
    "staff",
    "wage",
    "books",
    "b",
    "loans",
    "public",
    "archive",
    "x",
    "a",
    "u",
    "*",
    "peek",
    "ctid",
    "public.members",
    "m.card_number",
    "members.card_number",
    "(SELECT card_number)",
    "LATERAL",
    "NATURAL JOIN",
    "CROSS JOIN",
    ",",
    "AS m(a, b, c, d, e, card_number)",
    "AS t(a, b, c, d, e, f)",
    "members m",
    "TABLE members",
];

#[tokio::test]
async fn no_mutant_of_the_corpus_reads_what_is_hidden() {
    let (database, snapshot) = library().await;
    let client = database.admin().await;
    // What is accepted is near to what is accepted: four copies of it for one of what is refused.
    let mut seeds: Vec<String> = [accepted(), accepted(), accepted(), accepted()].concat();
    seeds.extend(refused().into_iter().map(|(_, sql)| sql));
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut looked_at = 0;
    for _ in 0..MUTANTS {
        let mutant = mutant(&seeds, &mut numbers);
        let Ok(checked) = check(&mutant, &snapshot) else {
            continue;
        };
        let Some(found) = dependencies(&client, checked.as_str()).await else {
            continue;
        };
        looked_at += 1;
        for dependency in found {
            assert!(
                may_depend_on(&dependency, &snapshot),
                "{mutant}\nwritten out as {}\nreads {dependency}",
                checked.as_str()
            );
        }
    }
    assert!(
        looked_at > MUTANTS / 50,
        "only {looked_at} mutants were let through"
    );
}

/// A statement with one or two words taken from elsewhere, mostly names for names.
fn mutant(seeds: &[String], numbers: &mut Numbers) -> String {
    let seed = numbers.one_of(seeds).map_or("SELECT 1", String::as_str);
    let mut words = words(seed);
    for _ in 0..=numbers.below(2) {
        let names: Vec<usize> = (0..words.len())
            .filter(|index| words.get(*index).is_some_and(|word| is_name(word)))
            .collect();
        let any = numbers.below(words.len().max(1));
        let at = numbers
            .one_of(&names)
            .copied()
            .filter(|_| numbers.below(4) > 0)
            .unwrap_or(any);
        let other = if numbers.below(2) == 0 {
            let donor = numbers.one_of(seeds).map_or("", String::as_str);
            let donor = self::words(donor);
            numbers.one_of(&donor).cloned().unwrap_or_default()
        } else {
            numbers
                .one_of(WORDS)
                .copied()
                .unwrap_or_default()
                .to_owned()
        };
        match numbers.below(8) {
            0 if !words.is_empty() => {
                words.remove(at);
            }
            1 => words.insert(at, other),
            _ => {
                if let Some(word) = words.get_mut(at) {
                    *word = other;
                }
            }
        }
    }
    words.join(" ")
}

fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_lowercase())
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

    fn one_of<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let index = self.below(items.len());
        items.get(index)
    }
}
