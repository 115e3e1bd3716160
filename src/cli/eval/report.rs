//! What came out: a line for each question that went wrong, and counts by category.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Value, json};

/// What became of one question.
#[derive(Debug)]
pub(super) enum Outcome {
    Equal,
    /// There is a result, and it is not the gold's.
    Different,
    /// There is no result; the reply says why.
    Unanswered(String),
    /// The turn failed.
    Failed(String),
    /// The question was not asked, because its gold query cannot be used.
    FaultyGold(String),
}

impl Outcome {
    const fn name(&self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Different => "different",
            Self::Unanswered(_) => "unanswered",
            Self::Failed(_) => "failed",
            Self::FaultyGold(_) => "faulty_gold",
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Self::Equal | Self::Different => None,
            Self::Unanswered(reason) | Self::Failed(reason) | Self::FaultyGold(reason) => {
                Some(reason)
            }
        }
    }
}

/// One question with what became of it.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) id: String,
    pub(super) category: String,
    pub(super) question: String,
    pub(super) outcome: Outcome,
    /// The SQL of the answer, where there is any.
    pub(super) sql: Option<String>,
}

impl Verdict {
    /// Nothing for an equal answer: what a person looks at is the rest.
    pub(super) fn write_line(&self, output: &mut impl Write) -> std::io::Result<()> {
        if matches!(self.outcome, Outcome::Equal) {
            return Ok(());
        }
        let (name, id, question) = (self.outcome.name(), &self.id, &self.question);
        writeln!(output, "{name:<11}  {id}  {question}")?;
        if let Some(reason) = self.outcome.reason() {
            let first = reason.lines().next().unwrap_or_default();
            writeln!(output, "             {first}")?;
        }
        match &self.sql {
            Some(sql) => writeln!(output, "             {sql}"),
            None => Ok(()),
        }
    }

    fn document(&self) -> Value {
        json!({
            "id": self.id,
            "category": self.category,
            "question": self.question,
            "outcome": self.outcome.name(),
            "reason": self.outcome.reason(),
            "sql": self.sql,
        })
    }
}

/// Answers that are equal, of all.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    equal: u32,
    questions: u32,
}

impl Count {
    fn percent(self) -> f64 {
        f64::from(self.equal) * 100.0 / f64::from(self.questions.max(1))
    }

    fn document(self) -> Value {
        json!({"equal": self.equal, "questions": self.questions, "percent": self.percent()})
    }
}

/// All verdicts.
#[derive(Debug, Default)]
pub(super) struct Report {
    verdicts: Vec<Verdict>,
    categories: BTreeMap<String, Count>,
    all: Count,
}

impl Report {
    pub(super) fn add(&mut self, verdict: Verdict) {
        let equal = u32::from(matches!(verdict.outcome, Outcome::Equal));
        let category = self.categories.entry(verdict.category.clone()).or_default();
        for count in [category, &mut self.all] {
            count.equal += equal;
            count.questions += 1;
        }
        self.verdicts.push(verdict);
    }

    pub(super) fn has_faulty_gold(&self) -> bool {
        self.verdicts
            .iter()
            .any(|verdict| matches!(verdict.outcome, Outcome::FaultyGold(_)))
    }

    pub(super) fn reaches(&self, percent_min: u8) -> bool {
        u64::from(self.all.equal) * 100 >= u64::from(self.all.questions) * u64::from(percent_min)
    }

    pub(super) fn write_table(&self, output: &mut impl Write) -> std::io::Result<()> {
        let rows = self
            .categories
            .iter()
            .map(|(name, count)| (name.as_str(), *count))
            .chain([("all", self.all)]);
        let width = self.categories.keys().map(|name| name.chars().count());
        let width = width.chain(["category".len()]).max().unwrap_or_default();
        writeln!(output, "{:<width$}  equal     of  percent", "category")?;
        for (name, count) in rows {
            let (equal, questions, percent) = (count.equal, count.questions, count.percent());
            writeln!(
                output,
                "{name:<width$}  {equal:>5}  {questions:>5}  {percent:>7.1}"
            )?;
        }
        Ok(())
    }

    pub(super) fn document(&self) -> Value {
        let categories: serde_json::Map<String, Value> = self
            .categories
            .iter()
            .map(|(name, count)| (name.clone(), count.document()))
            .collect();
        let questions: Vec<Value> = self.verdicts.iter().map(Verdict::document).collect();
        json!({"all": self.all.document(), "categories": categories, "questions": questions})
    }
}
