//! Date phrases to ranges of days. In: tokens and today's date. Out: half-open ranges. Knows the calendar, no schema.

use chrono::{Datelike, NaiveDate};

use super::calendar::{DateRange, Unit};
use super::tokens::{Token, TokenKind, number_word};

/// A date phrase that begins at `at`, with the preposition that gives it a direction, and how many tokens it takes.
pub(super) fn period_at(
    tokens: &[Token],
    at: usize,
    today: NaiveDate,
) -> Option<(DateRange, usize)> {
    let word = |offset: usize| tokens.get(at + offset).map_or("", |t| t.lower.as_str());
    match word(0) {
        "between" | "from" => {
            let (first, length) = named_at(tokens, at + 1, today)?;
            let joint = at + 1 + length;
            let joined = tokens.get(joint).is_some_and(|t| {
                matches!(
                    t.lower.as_str(),
                    "and" | "to" | "until" | "till" | "through" | "-"
                )
            });
            if joined && let Some((second, second_length)) = named_at(tokens, joint + 1, today) {
                let range = DateRange {
                    start: first.start,
                    end: second.end,
                    unit: first.unit,
                };
                return (first.start < second.end).then_some((range, length + second_length + 2));
            }
            // "from March": that month, unless "on" makes it a beginning.
            if word(0) == "between" {
                return None;
            }
            let onwards = matches!(
                tokens.get(joint).map(|t| t.lower.as_str()),
                Some("on" | "onward" | "onwards")
            );
            let range = DateRange {
                end: if onwards { None } else { first.end },
                ..first
            };
            Some((range, length + 1 + usize::from(onwards)))
        }
        "since" | "starting" => {
            let skip = if word(1) == "from" || word(1) == "in" {
                2
            } else {
                1
            };
            let (range, length) = named_at(tokens, at + skip, today)?;
            Some((DateRange { end: None, ..range }, length + skip))
        }
        "after" => {
            let (range, length) = named_at(tokens, at + 1, today)?;
            let start = range.end;
            Some((
                DateRange {
                    start,
                    end: None,
                    ..range
                },
                length + 1,
            ))
        }
        "before" => {
            let (range, length) = named_at(tokens, at + 1, today)?;
            let end = range.start;
            Some((
                DateRange {
                    start: None,
                    end,
                    ..range
                },
                length + 1,
            ))
        }
        "until" | "till" | "through" => {
            let (range, length) = named_at(tokens, at + 1, today)?;
            Some((
                DateRange {
                    start: None,
                    ..range
                },
                length + 1,
            ))
        }
        "up" if word(1) == "to" => {
            let (range, length) = named_at(tokens, at + 2, today)?;
            Some((
                DateRange {
                    start: None,
                    ..range
                },
                length + 2,
            ))
        }
        "older" | "more" | "longer" if word(1) == "than" => {
            let (day, length) = ago_at(tokens, at + 2, today, word(0) == "older")?;
            Some((
                DateRange {
                    start: None,
                    end: Some(day),
                    unit: Unit::Day,
                },
                length + 2,
            ))
        }
        "in" | "on" | "during" | "for" | "of" | "within" | "throughout" | "at" => {
            let (range, length) = named_at(tokens, at + 1, today)?;
            Some((range, length + 1))
        }
        // "over the last year" is time, "over 1000" is an amount.
        "over" if matches!(word(1), "the" | "last" | "past") => {
            let (range, length) = named_at(tokens, at + 1, today)?;
            Some((range, length + 1))
        }
        _ => named_at(tokens, at, today),
    }
}

/// "30 days ago", or "30 days" where `bare` lets "ago" be left out.
fn ago_at(tokens: &[Token], at: usize, today: NaiveDate, bare: bool) -> Option<(NaiveDate, usize)> {
    let count = count_at(tokens, at)?;
    let unit = Unit::named(&tokens.get(at + 1)?.stem)?;
    let said = tokens.get(at + 2).is_some_and(|t| t.lower == "ago");
    (said || bare).then_some(())?;
    Some((unit.shift(today, -count)?, 2 + usize::from(said)))
}

fn count_at(tokens: &[Token], at: usize) -> Option<i32> {
    let token = tokens.get(at)?;
    match token.kind {
        TokenKind::Number => token.text.parse().ok(),
        TokenKind::Word => number_word(&token.lower).and_then(|n| i32::try_from(n).ok()),
        TokenKind::Quoted | TokenKind::Symbol => None,
    }
}

/// A period by its name, without a preposition.
fn named_at(tokens: &[Token], at: usize, today: NaiveDate) -> Option<(DateRange, usize)> {
    let article = tokens.get(at).is_some_and(|t| t.lower == "the");
    let begin = at + usize::from(article);
    let (range, length) = relative_at(tokens, begin, today)
        .or_else(|| quarter_at(tokens, begin, today))
        .or_else(|| calendar_at(tokens, begin, today))
        .or_else(|| year_at(tokens, begin))?;
    Some((range, length + usize::from(article)))
}

/// "today", "last month", "the last 30 days", "3 weeks ago", "year to date".
fn relative_at(tokens: &[Token], at: usize, today: NaiveDate) -> Option<(DateRange, usize)> {
    let word = |offset: usize| tokens.get(at + offset).map_or("", |t| t.lower.as_str());
    match word(0) {
        "today" => return Some((Unit::Day.around(today, 0)?, 1)),
        "yesterday" => return Some((Unit::Day.around(today, -1)?, 1)),
        "tomorrow" => return Some((Unit::Day.around(today, 1)?, 1)),
        "ytd" => return Some((to_date(Unit::Year, today)?, 1)),
        _ => {}
    }
    if word(1) == "to" && word(2) == "date" {
        let unit = Unit::named(word(0))?;
        return Some((to_date(unit, today)?, 3));
    }
    let offset = match word(0) {
        "this" | "current" => Some(0),
        "last" | "previous" | "past" | "prior" => Some(-1),
        "next" | "coming" => Some(1),
        _ => None,
    };
    if let Some(offset) = offset {
        if let Some(unit) = tokens.get(at + 1).and_then(|t| Unit::named(&t.stem)) {
            let plural = tokens.get(at + 1).is_some_and(|t| t.lower != t.stem);
            if plural {
                return None;
            }
            // "in the last year" is up to now; "last year" is the one that ended.
            let article = at
                .checked_sub(1)
                .and_then(|before| tokens.get(before))
                .is_some_and(|token| token.lower == "the");
            if word(0) == "past" || (word(0) == "last" && word(1) == "year" && article) {
                return Some((rolling(unit, 1, today)?, 2));
            }
            return Some((unit.around(today, offset)?, 2));
        }
        let count = count_at(tokens, at + 1)?;
        let unit = Unit::named(&tokens.get(at + 2)?.stem)?;
        return match offset {
            -1 => Some((rolling(unit, count, today)?, 3)),
            1 => Some((
                DateRange {
                    start: Some(today),
                    end: unit.shift(today, count)?.succ_opt(),
                    unit,
                },
                3,
            )),
            _ => None,
        };
    }
    let (day, length) = ago_at(tokens, at, today, false)?;
    let unit = Unit::named(&tokens.get(at + 1)?.stem)?;
    Some((unit.around(day, 0)?, length))
}

/// The last `count` units up to and including today.
fn rolling(unit: Unit, count: i32, today: NaiveDate) -> Option<DateRange> {
    let tomorrow = today.succ_opt()?;
    // Days are counted with today as one of them.
    let start = match unit {
        Unit::Day | Unit::Week => unit.shift(tomorrow, -count)?,
        Unit::Month | Unit::Quarter | Unit::Year => unit.shift(today, -count)?,
    };
    Some(DateRange {
        start: Some(start),
        end: Some(tomorrow),
        unit,
    })
}

fn to_date(unit: Unit, today: NaiveDate) -> Option<DateRange> {
    let whole = unit.around(today, 0)?;
    Some(DateRange {
        end: today.succ_opt(),
        ..whole
    })
}

/// "Q3 2025", "third quarter of 2025", "Q3": the latest that has begun.
fn quarter_at(tokens: &[Token], at: usize, today: NaiveDate) -> Option<(DateRange, usize)> {
    let first = tokens.get(at)?.lower.as_str();
    let (quarter, mut length) = match first {
        "q1" | "q2" | "q3" | "q4" => (first.get(1..)?.parse::<u32>().ok()?, 1),
        _ if tokens.get(at + 1)?.stem == "quarter" => {
            let quarter = match first {
                "first" | "1st" => 1,
                "second" | "2nd" => 2,
                "third" | "3rd" => 3,
                "fourth" | "4th" => 4,
                _ => return None,
            };
            (quarter, 2)
        }
        _ => return None,
    };
    let month = quarter * 3 - 2;
    let year = match year_after(tokens, at + length) {
        Some((year, used)) => {
            length += used;
            year
        }
        None => latest_year(today, month)?,
    };
    let start = NaiveDate::from_ymd_opt(year, month, 1)?;
    Some((Unit::Quarter.around(start, 0)?, length))
}

/// A year after an optional "of" or comma.
fn year_after(tokens: &[Token], at: usize) -> Option<(i32, usize)> {
    let joint = tokens
        .get(at)
        .is_some_and(|t| matches!(t.lower.as_str(), "of" | "," | "in"));
    let year = plain_year(tokens.get(at + usize::from(joint))?)?;
    Some((year, 1 + usize::from(joint)))
}

/// The year in which `month` last began.
fn latest_year(today: NaiveDate, month: u32) -> Option<i32> {
    let this = NaiveDate::from_ymd_opt(today.year(), month, 1)?;
    Some(if this <= today {
        today.year()
    } else {
        today.year() - 1
    })
}

/// "March 2025", "March", "March 5, 2025", "5 March 2025", "2025-03-05", "2025-03".
fn calendar_at(tokens: &[Token], at: usize, today: NaiveDate) -> Option<(DateRange, usize)> {
    let first = tokens.get(at)?;
    if first.kind == TokenKind::Number
        && let Some(found) = hyphenated_at(tokens, at)
    {
        return Some(found);
    }
    if first.kind == TokenKind::Quoted {
        let day = NaiveDate::parse_from_str(&first.text, "%Y-%m-%d").ok()?;
        return Some((Unit::Day.around(day, 0)?, 1));
    }
    if let Some(month) = month_named(first) {
        let day = tokens.get(at + 1).and_then(day_of_month);
        let mut length = 1 + usize::from(day.is_some());
        let year = match year_after(tokens, at + length) {
            Some((year, used)) => {
                length += used;
                year
            }
            None => latest_year(today, month)?,
        };
        let start = NaiveDate::from_ymd_opt(year, month, day.unwrap_or(1))?;
        let unit = if day.is_some() {
            Unit::Day
        } else {
            Unit::Month
        };
        return Some((unit.around(start, 0)?, length));
    }
    let day = day_of_month(first)?;
    let of = usize::from(tokens.get(at + 1).is_some_and(|t| t.lower == "of"));
    let month = month_named(tokens.get(at + 1 + of)?)?;
    let (year, used) = year_after(tokens, at + 2 + of)
        .or_else(|| latest_year(today, month).map(|year| (year, 0)))?;
    let start = NaiveDate::from_ymd_opt(year, month, day)?;
    Some((Unit::Day.around(start, 0)?, 2 + of + used))
}

/// `2025-03-05` and `2025-03` as the tokenizer cuts them: number, hyphen, number.
fn hyphenated_at(tokens: &[Token], at: usize) -> Option<(DateRange, usize)> {
    let part = |offset: usize| {
        let token = tokens.get(at + offset)?;
        let hyphen = tokens.get(at + offset - 1)?;
        let joined = hyphen.lower == "-" && !hyphen.spaced && !token.spaced;
        if joined {
            token.text.parse::<u32>().ok()
        } else {
            None
        }
    };
    let year = plain_year(tokens.get(at)?)?;
    let month = part(2)?;
    match part(4) {
        Some(day) => {
            let start = NaiveDate::from_ymd_opt(year, month, day)?;
            Some((Unit::Day.around(start, 0)?, 5))
        }
        None => {
            let start = NaiveDate::from_ymd_opt(year, month, 1)?;
            Some((Unit::Month.around(start, 0)?, 3))
        }
    }
}

/// "2025", "the year 2025", "the 1990s".
fn year_at(tokens: &[Token], at: usize) -> Option<(DateRange, usize)> {
    let said = usize::from(tokens.get(at)?.lower == "year");
    let token = tokens.get(at + said)?;
    if let Some(year) = plain_year(token) {
        let start = NaiveDate::from_ymd_opt(year, 1, 1)?;
        return Some((Unit::Year.around(start, 0)?, 1 + said));
    }
    let decade = token.lower.strip_suffix("0s")?;
    let start: i32 = match decade.len() {
        3 => decade.parse::<i32>().ok()? * 10,
        _ => return None,
    };
    (1000..2100).contains(&start).then_some(())?;
    let range = DateRange {
        start: NaiveDate::from_ymd_opt(start, 1, 1),
        end: NaiveDate::from_ymd_opt(start + 10, 1, 1),
        unit: Unit::Year,
    };
    Some((range, 1 + said))
}

/// Four digits that read as a year; outside 1000 to 2199 a number is more likely a number.
fn plain_year(token: &Token) -> Option<i32> {
    let digits = token.text.len() == 4 && token.text.bytes().all(|b| b.is_ascii_digit());
    let year: i32 = token.text.parse().ok()?;
    (digits && token.kind == TokenKind::Number && (1000..2200).contains(&year)).then_some(year)
}

fn day_of_month(token: &Token) -> Option<u32> {
    let digits = token
        .lower
        .trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = token.lower.strip_prefix(digits)?;
    if !matches!(suffix, "" | "st" | "nd" | "rd" | "th") || digits.len() > 2 {
        return None;
    }
    digits.parse().ok().filter(|day| (1..=31).contains(day))
}

/// "may" and "march" are also verbs: written small they are no months.
fn month_named(token: &Token) -> Option<u32> {
    let month = match token.lower.as_str() {
        "january" | "jan" => 1,
        "february" | "feb" => 2,
        "march" | "mar" => 3,
        "april" | "apr" => 4,
        "may" if token.is_capitalised() => 5,
        "june" | "jun" => 6,
        "july" | "jul" => 7,
        "august" | "aug" => 8,
        "september" | "sep" | "sept" => 9,
        "october" | "oct" => 10,
        "november" | "nov" => 11,
        "december" | "dec" => 12,
        _ => return None,
    };
    Some(month)
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokenize;
    use super::*;

    fn check(phrase: &str, expected: Option<(&str, &str)>) {
        let today = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
        let tokens = tokenize(phrase);
        let found = period_at(&tokens, 0, today)
            .filter(|(_, length)| *length == tokens.len())
            .map(|(range, _)| {
                let show = |day: Option<NaiveDate>| day.map_or("-".to_owned(), |d| d.to_string());
                (show(range.start), show(range.end))
            });
        let expected = expected.map(|(start, end)| (start.to_owned(), end.to_owned()));
        assert_eq!(found, expected, "{phrase}");
    }

    #[test]
    fn phrases_mean_half_open_ranges() {
        for (phrase, start, end) in [
            ("today", "2026-11-22", "2026-11-23"),
            ("yesterday", "2026-11-21", "2026-11-22"),
            ("last month", "2026-10-01", "2026-11-01"),
            ("in the last month", "2026-10-01", "2026-11-01"),
            ("this year", "2026-01-01", "2027-01-01"),
            ("last year", "2025-01-01", "2026-01-01"),
            ("this week", "2026-11-16", "2026-11-23"),
            ("last quarter", "2026-07-01", "2026-10-01"),
            ("in the last 30 days", "2026-10-24", "2026-11-23"),
            ("in the last year", "2025-11-22", "2026-11-23"),
            ("in the past two weeks", "2026-11-09", "2026-11-23"),
            ("during the past year", "2025-11-22", "2026-11-23"),
            ("3 months ago", "2026-08-01", "2026-09-01"),
            ("in 2025", "2025-01-01", "2026-01-01"),
            ("in the year 2025", "2025-01-01", "2026-01-01"),
            ("since March", "2026-03-01", "-"),
            ("since December", "2025-12-01", "-"),
            ("since 2024", "2024-01-01", "-"),
            ("before 2024", "-", "2024-01-01"),
            ("after March 2025", "2025-04-01", "-"),
            ("until June 2025", "-", "2025-07-01"),
            ("Q3 2025", "2025-07-01", "2025-10-01"),
            ("in the third quarter of 2025", "2025-07-01", "2025-10-01"),
            ("in Q4", "2026-10-01", "2027-01-01"),
            ("in May 2025", "2025-05-01", "2025-06-01"),
            ("on March 5, 2025", "2025-03-05", "2025-03-06"),
            ("on 5 March 2025", "2025-03-05", "2025-03-06"),
            ("on 2025-03-05", "2025-03-05", "2025-03-06"),
            ("in 2025-03", "2025-03-01", "2025-04-01"),
            (
                "between January 2025 and March 2025",
                "2025-01-01",
                "2025-04-01",
            ),
            ("from 2023 to 2024", "2023-01-01", "2025-01-01"),
            ("from March onwards", "2026-03-01", "-"),
            ("in the 1990s", "1990-01-01", "2000-01-01"),
            ("older than 30 days", "-", "2026-10-23"),
            ("more than 2 weeks ago", "-", "2026-11-08"),
            ("year to date", "2026-01-01", "2026-11-23"),
        ] {
            check(phrase, Some((start, end)));
        }
    }

    #[test]
    fn what_is_no_date_is_left_alone() {
        for phrase in [
            "in Germany",
            "may 5",
            "more than 100",
            "last orders",
            "on 31 February 2025",
            "in 99999",
            "between 10 and 20",
            "from 2025 to 2020",
            "over 1000",
        ] {
            check(phrase, None);
        }
    }
}
