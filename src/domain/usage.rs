//! What the calls of one turn cost, in the provider's own count where there is one, and who answered them.

use std::fmt;

/// A model of a provider, spelled `provider:model`, as the settings spell it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelName {
    /// The provider's short name, e.g. `anthropic`.
    pub provider: &'static str,
    /// The model's name as the provider knows it.
    pub model: String,
}

impl fmt::Display for ModelName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.provider, self.model)
    }
}

/// Tokens of one or more model calls. A counter that no provider reported stays `None`: unknown is not zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenUsage {
    /// Model calls made, retries included.
    pub calls: u32,
    /// Tokens read by the model, cached ones included.
    pub input_tokens: Option<u64>,
    /// The part of the input that came from the provider's prompt cache.
    pub cached_tokens: Option<u64>,
    /// Tokens written by the model, thinking included.
    pub output_tokens: Option<u64>,
}

impl TokenUsage {
    /// Adds another call's counters to these.
    pub fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.input_tokens = sum(self.input_tokens, other.input_tokens);
        self.cached_tokens = sum(self.cached_tokens, other.cached_tokens);
        self.output_tokens = sum(self.output_tokens, other.output_tokens);
    }

    /// Tokens read and written, as far as they are known.
    #[must_use]
    pub fn total(&self) -> u64 {
        let (input, output) = (self.input_tokens, self.output_tokens);
        input
            .unwrap_or_default()
            .saturating_add(output.unwrap_or_default())
    }
}

/// What a turn comes to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TurnUsage {
    /// Tokens of all its calls.
    pub tokens: TokenUsage,
    /// The models that answered, in the order in which they first did.
    pub models: Vec<ModelName>,
    /// Whether some of the counters are guesses by the length of the texts, because a server did not say.
    pub is_estimated: bool,
    /// US dollars, by the operator's prices; `None` without calls, or where the price of a model is not known.
    pub cost_usd: Option<f64>,
}

fn sum(left: Option<u64>, right: Option<u64>) -> Option<u64> {
    match (left, right) {
        (None, other) | (other, None) => other,
        (Some(left), Some(right)) => Some(left.saturating_add(right)),
    }
}
