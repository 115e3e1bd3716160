//! What the model calls of one turn cost, and whether there is room in the budgets for another.

use std::sync::Arc;

use super::schema_context::estimated_tokens;
use crate::config::{Limits, ModelPrice};
use crate::domain::usage::{ModelName, TokenUsage, TurnUsage};
use crate::llm::LlmRequest;
use crate::telemetry::metrics::Metrics;

/// Counts the calls of one turn.
#[derive(Debug)]
pub(super) struct Meter {
    metrics: Metrics,
    prices: Arc<[ModelPrice]>,
    turn_tokens_max: u64,
    conversation_tokens_max: u64,
    /// What the conversation had cost before this turn.
    spent_before: u64,
    tokens: TokenUsage,
    /// In the order in which they first answered.
    models: Vec<ModelName>,
    is_estimated: bool,
    cost_usd: f64,
    /// Whether a model was called whose price is not known.
    is_unpriced: bool,
}

/// A budget that has no room for another call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpentBudget {
    /// `turn_tokens_max`.
    Turn,
    /// `conversation_tokens_max`.
    Conversation,
}

impl Meter {
    /// Nothing has been called yet.
    pub(super) fn new(prices: Arc<[ModelPrice]>, limits: &Limits, metrics: Metrics) -> Self {
        Self {
            metrics,
            prices,
            turn_tokens_max: limits.turn_tokens_max,
            conversation_tokens_max: limits.conversation_tokens_max,
            spent_before: 0,
            tokens: TokenUsage::default(),
            models: Vec::new(),
            is_estimated: false,
            cost_usd: 0.0,
            is_unpriced: false,
        }
    }

    /// What the conversation had cost before this turn.
    pub(super) fn begin_after(&mut self, tokens_spent: u64) {
        self.spent_before = tokens_spent;
    }

    /// What all calls so far come to.
    pub(super) fn usage(&self) -> TurnUsage {
        let is_priced = self.tokens.calls > 0 && !self.is_unpriced;
        TurnUsage {
            tokens: self.tokens,
            models: self.models.clone(),
            is_estimated: self.is_estimated,
            // Sums of prices have no digits beyond a billionth that mean anything.
            cost_usd: is_priced.then(|| (self.cost_usd * 1e9).round() / 1e9),
        }
    }

    /// Begins to count a call, if the budgets have room for what it will read.
    ///
    /// # Errors
    /// The budget that is spent.
    pub(super) fn begin_call(
        &mut self,
        model: &str,
        request: &LlmRequest,
    ) -> Result<CallMeter<'_>, SpentBudget> {
        let texts = request.messages.iter().map(|message| message.text.as_str());
        let input_estimate: usize = texts
            .chain([request.system.as_str()])
            .map(estimated_tokens)
            .sum();
        let input_estimate = input_estimate as u64;
        let turn = self.tokens.total().saturating_add(input_estimate);
        if turn > self.turn_tokens_max {
            return Err(SpentBudget::Turn);
        }
        if self.spent_before.saturating_add(turn) > self.conversation_tokens_max {
            return Err(SpentBudget::Conversation);
        }
        let price = self.price(model);
        Ok(CallMeter {
            meter: self,
            price,
            priced: TokenUsage::default(),
            input_estimate,
            reported: TokenUsage {
                calls: 1,
                ..TokenUsage::default()
            },
            text: String::new(),
            written_estimate: 0,
            has_begun: false,
            is_complete: false,
        })
    }
}

impl Meter {
    fn price(&self, model: &str) -> Option<ModelPrice> {
        let price = self.prices.iter().find(|price| price.model == model);
        price.cloned()
    }

    /// Tells `/metrics`, whatever becomes of the turn. A counter that no provider reported is not zero, but there is nothing to
    /// add.
    fn count(&self, tokens: &TokenUsage) {
        for (kind, tokens) in [
            ("input", tokens.input_tokens),
            ("cached", tokens.cached_tokens),
            ("output", tokens.output_tokens),
        ] {
            if let Some(tokens) = tokens {
                self.metrics.llm_tokens(kind, tokens);
            }
        }
    }

    /// Adds tokens up to `until`, those up to `since` left out.
    fn add_cost(&mut self, price: Option<&ModelPrice>, since: &TokenUsage, until: &TokenUsage) {
        match price {
            Some(price) => self.cost_usd += cost_usd(price, until) - cost_usd(price, since),
            None => self.is_unpriced |= until.total() > since.total(),
        }
    }
}

/// Counts one call. What it has cost is added on every way out: a call that is broken off has cost something, too.
pub(super) struct CallMeter<'a> {
    meter: &'a mut Meter,
    /// Of the model that is at work.
    price: Option<ModelPrice>,
    /// Tokens of the models before it, which have their price already.
    priced: TokenUsage,
    input_estimate: u64,
    /// The provider's own counters so far.
    reported: TokenUsage,
    /// What the model has written so far.
    text: String,
    /// Tokens of the text that was handed out when the reply was whole.
    written_estimate: u64,
    has_begun: bool,
    is_complete: bool,
}

impl CallMeter<'_> {
    /// This model is at work from here on: what is counted next is at its price, and what was counted is not.
    pub(super) fn answering(&mut self, model: ModelName) {
        let price = self.price.as_ref();
        self.meter.add_cost(price, &self.priced, &self.reported);
        self.priced = self.reported;
        self.price = self.meter.price(&model.model);
        if !self.meter.models.contains(&model) {
            self.meter.models.push(model);
        }
    }

    /// The provider is at work, and bills from here on.
    pub(super) fn begin(&mut self) {
        self.has_begun = true;
    }

    /// The model has written something.
    pub(super) fn write(&mut self, piece: &str) {
        self.text.push_str(piece);
    }

    /// The provider has counted.
    pub(super) fn report(&mut self, usage: TokenUsage) {
        self.reported = usage;
    }

    /// The reply is whole; its text.
    pub(super) fn complete(&mut self) -> String {
        self.is_complete = true;
        self.written_estimate = estimated_tokens(&self.text) as u64;
        std::mem::take(&mut self.text)
    }

    /// The counters, and whether any of them is a guess.
    fn counted(&self) -> (TokenUsage, bool) {
        let mut tokens = self.reported;
        if !self.has_begun {
            return (tokens, false);
        }
        let mut is_estimated = false;
        if tokens.input_tokens.is_none() {
            tokens.input_tokens = Some(self.input_estimate);
            is_estimated = true;
        }
        let written = self.written_estimate + estimated_tokens(&self.text) as u64;
        let is_final = self.is_complete && tokens.output_tokens.is_some();
        // Until a reply is complete, a provider counts what it had written when it last counted.
        if !is_final {
            tokens.output_tokens = Some(tokens.output_tokens.unwrap_or_default().max(written));
            is_estimated = true;
        }
        (tokens, is_estimated)
    }
}

impl Drop for CallMeter<'_> {
    fn drop(&mut self) {
        let (tokens, is_estimated) = self.counted();
        self.meter.count(&tokens);
        self.meter.tokens.add(tokens);
        self.meter.is_estimated |= is_estimated;
        self.meter
            .add_cost(self.price.as_ref(), &self.priced, &tokens);
    }
}

fn cost_usd(price: &ModelPrice, tokens: &TokenUsage) -> f64 {
    let input = tokens.input_tokens.unwrap_or_default();
    let cached = tokens.cached_tokens.unwrap_or_default().min(input);
    let of = |tokens: u64, usd_per_million: f64| to_f64(tokens) * usd_per_million / 1e6;
    of(input - cached, price.input_usd)
        + of(cached, price.cached_usd)
        + of(tokens.output_tokens.unwrap_or_default(), price.output_usd)
}

/// Exact for all counts that a turn can come to.
fn to_f64(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::{LlmMessage, LlmRole};

    fn meter(prices: &[(&str, [f64; 3])], turn_max: u64, conversation_max: u64) -> Meter {
        let prices = prices
            .iter()
            .map(|(model, [input_usd, cached_usd, output_usd])| ModelPrice {
                model: (*model).to_owned(),
                input_usd: *input_usd,
                cached_usd: *cached_usd,
                output_usd: *output_usd,
            })
            .collect();
        let limits = Limits {
            turn_tokens_max: turn_max,
            conversation_tokens_max: conversation_max,
            ..Limits::default()
        };
        Meter::new(prices, &limits, Metrics::default())
    }

    /// Of 70 bytes, which are taken for 20 tokens.
    fn request() -> LlmRequest {
        LlmRequest {
            system: "s".repeat(35),
            cache_key: String::new(),
            messages: vec![LlmMessage {
                role: LlmRole::User,
                text: "q".repeat(35),
            }],
            output_tokens_max: 10,
        }
    }

    fn reported(input: u64, cached: Option<u64>, output: u64) -> TokenUsage {
        TokenUsage {
            calls: 1,
            input_tokens: Some(input),
            cached_tokens: cached,
            output_tokens: Some(output),
        }
    }

    #[test]
    fn what_a_provider_counts_is_taken_as_it_is_and_priced() {
        let mut meter = meter(&[("m", [2.0, 0.2, 10.0])], 10_000, 10_000);
        for _ in 0..2 {
            let mut call = meter.begin_call("m", &request()).unwrap();
            call.begin();
            call.write("much more text than the provider counted tokens");
            call.report(reported(1_000, Some(600), 5));
            call.complete();
        }
        let usage = meter.usage();
        assert_eq!(usage.tokens.calls, 2);
        assert_eq!(usage.tokens.cached_tokens, Some(1_200));
        assert_eq!(usage.tokens.total(), 2_010);
        assert!(!usage.is_estimated);
        assert_eq!(usage.cost_usd, Some(0.001_94));
    }

    #[test]
    fn what_no_provider_counts_is_estimated_and_marked() {
        let mut all = meter(&[], 10_000, 10_000);
        let mut call = all.begin_call("m", &request()).unwrap();
        call.begin();
        call.write(&"w".repeat(35));
        call.complete();
        drop(call);
        let usage = all.usage();
        assert_eq!(usage.tokens.input_tokens, Some(20));
        assert_eq!(usage.tokens.output_tokens, Some(10));
        assert_eq!(usage.tokens.cached_tokens, None);
        assert!(usage.is_estimated);
        assert_eq!(usage.cost_usd, None, "no price is known");

        // Broken off: the provider had only counted the beginning.
        let mut broken = meter(&[], 10_000, 10_000);
        let mut call = broken.begin_call("m", &request()).unwrap();
        call.begin();
        call.report(reported(99, None, 1));
        call.write(&"w".repeat(35));
        drop(call);
        let usage = broken.usage();
        assert_eq!(usage.tokens.input_tokens, Some(99));
        assert_eq!(usage.tokens.output_tokens, Some(10));
        assert!(usage.is_estimated);

        // Never begun: nothing was read.
        let mut refused = meter(&[], 10_000, 10_000);
        drop(refused.begin_call("m", &request()).unwrap());
        assert_eq!(refused.usage().tokens.input_tokens, None);
        assert!(!refused.usage().is_estimated);
    }

    #[test]
    fn each_model_that_answers_a_call_has_its_own_price() {
        let name = |model: &str| ModelName {
            provider: "p",
            model: model.to_owned(),
        };
        let prices = [("m", [1.0, 1.0, 10.0]), ("n", [2.0, 2.0, 20.0])];
        let mut meter = meter(&prices, 10_000, 10_000);
        let mut call = meter.begin_call("m", &request()).unwrap();
        call.answering(name("m"));
        call.begin();
        call.report(reported(1_000, None, 100));
        // It failed before its first word; the counters go on.
        call.answering(name("n"));
        call.report(reported(3_000, None, 300));
        call.complete();
        drop(call);
        let usage = meter.usage();
        assert_eq!(usage.models, [name("m"), name("n")]);
        assert_eq!(usage.tokens.total(), 3_300);
        assert_eq!(usage.cost_usd, Some(0.002 + 0.008));

        let mut call = meter.begin_call("m", &request()).unwrap();
        call.answering(name("without a price"));
        call.begin();
        call.report(reported(1, None, 1));
        call.complete();
        drop(call);
        assert_eq!(meter.usage().cost_usd, None);
    }

    #[test]
    fn a_budget_is_looked_at_before_each_call() {
        let mut turn = meter(&[], 100, 10_000);
        let mut call = turn.begin_call("m", &request()).unwrap();
        call.begin();
        call.report(reported(80, None, 1));
        call.complete();
        drop(call);
        assert_eq!(
            turn.begin_call("m", &request()).err(),
            Some(SpentBudget::Turn)
        );

        let mut conversation = meter(&[], 10_000, 100);
        conversation.begin_after(80);
        assert!(conversation.begin_call("m", &request()).is_ok());
        conversation.begin_after(81);
        assert_eq!(
            conversation.begin_call("m", &request()).err(),
            Some(SpentBudget::Conversation)
        );
    }
}
