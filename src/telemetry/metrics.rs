//! What `/metrics` tells: counters, gauges and histograms in the text format of OpenMetrics 1.0, which Prometheus reads.
//!
//! Labels are drawn from closed sets of our own (stages, codes, providers), never from a question, a row or a name, so that the number of
//! series is bounded and nothing secret gets out.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds of the buckets for what takes between a moment and a whole turn, in seconds.
const SECONDS: [f64; 14] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 120.0,
];

/// The process's own numbers. Cheap to clone; clones count into the same series.
#[derive(Clone)]
pub struct Metrics(Arc<Series>);

struct Series {
    registry: Registry,
    connections: Gauge,
    outbox_bytes: Gauge,
    turns_in_flight: Gauge,
    turn_tasks: Gauge,
    turns: Family<Outcome, Counter>,
    stage_seconds: Family<StageName, Histogram, fn() -> Histogram>,
    first_token_seconds: Histogram,
    turn_seconds: Histogram,
    rejections: Family<Code, Counter>,
    llm_retries: Family<Provider, Counter>,
    llm_tokens: Family<TokenKind, Counter>,
    pool_wait_seconds: Histogram,
}

/// How a turn ended: `answered`, `clarified`, or the code of its error; and the last stage that it reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
    stage: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageName {
    stage: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Code {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Provider {
    provider: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenKind {
    kind: &'static str,
}

impl Metrics {
    /// Series that all stand at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut series = Series {
            registry: Registry::with_prefix("db_chat"),
            connections: Gauge::default(),
            outbox_bytes: Gauge::default(),
            turns_in_flight: Gauge::default(),
            turn_tasks: Gauge::default(),
            turns: Family::default(),
            stage_seconds: Family::new_with_constructor(seconds),
            first_token_seconds: seconds(),
            turn_seconds: seconds(),
            rejections: Family::default(),
            llm_retries: Family::default(),
            llm_tokens: Family::default(),
            pool_wait_seconds: seconds(),
        };
        series.register();
        Self(Arc::new(series))
    }

    /// A connection was accepted; it counts as open until what is returned is dropped.
    pub fn connection_opened(&self) -> Held {
        Held::new(&self.0.connections, 1)
    }

    /// Bytes wait for a slow client until what is returned is dropped.
    pub fn outbox_holds(&self, bytes: usize) -> Held {
        Held::new(
            &self.0.outbox_bytes,
            i64::try_from(bytes).unwrap_or(i64::MAX),
        )
    }

    /// A turn was started; it counts as in flight until what is returned is dropped.
    pub fn turn_started(&self) -> Held {
        Held::new(&self.0.turns_in_flight, 1)
    }

    /// So many tasks run turns, follow them or copy their logs.
    pub fn turn_tasks(&self, count: usize) {
        self.0
            .turn_tasks
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A turn ended after `took`, in `stage`, with an error code, `answered` or `clarified`.
    pub fn turn_ended(&self, outcome: &'static str, stage: &'static str, took: Duration) {
        self.0
            .turns
            .get_or_create(&Outcome { outcome, stage })
            .inc();
        self.0.turn_seconds.observe(took.as_secs_f64());
    }

    /// A stage was left after `took`.
    pub fn stage_ended(&self, stage: &'static str, took: Duration) {
        self.0
            .stage_seconds
            .get_or_create(&StageName { stage })
            .observe(took.as_secs_f64());
    }

    /// The first token of a turn's prose came `after` the question was accepted.
    pub fn first_token(&self, after: Duration) {
        self.0.first_token_seconds.observe(after.as_secs_f64());
    }

    /// The guard rejected a query.
    pub fn query_rejected(&self, code: &'static str) {
        self.0.rejections.get_or_create(&Code { code }).inc();
    }

    /// A model call failed and is tried again.
    pub fn llm_retried(&self, provider: &'static str) {
        self.0
            .llm_retries
            .get_or_create(&Provider { provider })
            .inc();
    }

    /// What one model call read (`input`, of which `cached`) and wrote (`output`), in tokens, whatever became of its turn.
    pub fn llm_tokens(&self, kind: &'static str, tokens: u64) {
        self.0
            .llm_tokens
            .get_or_create(&TokenKind { kind })
            .inc_by(tokens);
    }

    /// A question waited for a database connection.
    pub fn pool_waited(&self, took: Duration) {
        self.0.pool_wait_seconds.observe(took.as_secs_f64());
    }

    /// All series as text.
    ///
    /// # Errors
    /// None that a `String` can make.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0.registry)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Series {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "connections",
            "Open WebSocket connections",
            self.connections.clone(),
        );
        registry.register(
            "outbox_bytes",
            "Bytes that wait for slow clients",
            self.outbox_bytes.clone(),
        );
        registry.register(
            "turns_in_flight",
            "Questions that are being answered",
            self.turns_in_flight.clone(),
        );
        registry.register(
            "turn_tasks",
            "Tasks that answer questions, carry their frames to a client or copy them for other instances",
            self.turn_tasks.clone(),
        );
        registry.register(
            "turns",
            "Questions by how they ended and the last stage they reached",
            self.turns.clone(),
        );
        registry.register(
            "turn_duration_seconds",
            "From accepted question to final frame",
            self.turn_seconds.clone(),
        );
        registry.register(
            "stage_duration_seconds",
            "Time spent in each stage",
            self.stage_seconds.clone(),
        );
        registry.register(
            "first_token_seconds",
            "From accepted question to the first word of the answer",
            self.first_token_seconds.clone(),
        );
        registry.register(
            "guard_rejections",
            "Queries that the guard refused, by code",
            self.rejections.clone(),
        );
        registry.register(
            "llm_retries",
            "Model calls that were tried again",
            self.llm_retries.clone(),
        );
        registry.register(
            "llm_tokens",
            "Tokens of all model calls by kind; cached ones are part of the input",
            self.llm_tokens.clone(),
        );
        registry.register(
            "pool_wait_seconds",
            "Waiting for a database connection",
            self.pool_wait_seconds.clone(),
        );
    }
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

/// Part of a gauge, given back when this is dropped.
#[derive(Debug)]
#[must_use = "the gauge falls again when this is dropped"]
pub struct Held {
    gauge: Gauge,
    amount: i64,
}

impl Held {
    fn new(gauge: &Gauge, amount: i64) -> Self {
        gauge.inc_by(amount);
        Self {
            gauge: gauge.clone(),
            amount,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.gauge.dec_by(self.amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_stands_under_its_name_and_label() {
        let metrics = Metrics::new();
        metrics.query_rejected("table_not_allowed");
        metrics.clone().query_rejected("table_not_allowed");
        metrics.llm_tokens("input", 12);
        let held = metrics.connection_opened();
        let text = metrics.encode().unwrap();
        assert!(
            text.contains("db_chat_guard_rejections_total{code=\"table_not_allowed\"} 2"),
            "{text}"
        );
        assert!(text.contains("db_chat_llm_tokens_total{kind=\"input\"} 12"));
        assert!(text.contains("db_chat_connections 1"));
        assert!(text.ends_with("# EOF\n"));
        drop(held);
        assert!(metrics.encode().unwrap().contains("db_chat_connections 0"));
    }
}
