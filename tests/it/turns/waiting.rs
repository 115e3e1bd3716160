//! Questions that wait for the model, are turned away because of it, or are answered by another one.

use db_chat::config::{Config, FallbackConfig, ModelPrice, ProviderKind};
use serde_json::{Value, json};

use super::rig::{GOOD_SQL, KEY, PROSE, QUESTION, Rig, fenced, held, is_prose};
use crate::support::fake_provider::{FakeProvider, Gate, Reply, USAGE};

fn one_place(config: &mut Config) {
    config.limits.llm_concurrent_calls_max = 1;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_waits_for_the_model_says_so_and_is_answered_in_its_turn() {
    let rig = Rig::start_with(one_place).await;
    let (mut first, mut second) = (rig.connect().await, rig.connect().await);
    let gate = Gate::new();
    rig.fake.push(held(&gate, "```sql\n", GOOD_SQL));
    let first_id = first.send(QUESTION).await;
    gate.reached().await;
    let second_id = second.send(QUESTION).await;
    second.until("status", "stage", "waiting").await;
    assert_eq!(rig.fake.requests().len(), 1);
    gate.open();
    let transcript = second.rest(&second_id).await;
    // Once it has its place, it does again what it was about to do.
    assert_eq!(transcript.stages()[0], "generating");
    transcript.assert_answered();
    first.rest(&first_id).await.assert_answered();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_has_waited_too_long_is_told_when_to_come_back() {
    let rig = Rig::start_with(|config| {
        one_place(config);
        config.limits.llm_queue_timeout_ms = 1;
        config.limits.llm_idle_timeout_ms = 60_000;
    })
    .await;
    let (mut first, mut second) = (rig.connect().await, rig.connect().await);
    let gate = Gate::new();
    rig.fake.push(held(&gate, "```sql\n", GOOD_SQL));
    let first_id = first.send(QUESTION).await;
    gate.reached().await;
    let transcript = second.ask(QUESTION).await;
    transcript.assert_failed("provider_busy", true);
    assert_eq!(transcript.last()["retry_after_ms"], 5_000);

    let body = json!({"query": QUESTION}).to_string();
    let response = rig.server.post(body).send().await.expect("a response");
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "5");
    let body: Value = response.json().await.expect("JSON");
    assert_eq!(body["retry_after_ms"], 5_000);
    gate.open();
    first.rest(&first_id).await.assert_answered();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_model_is_told_at_once_to_everybody_with_the_time_to_come_back() {
    let rig = Rig::start_with(|config| {
        config.limits.llm_breaker_failures_max = 1;
        config.limits.llm_breaker_open_ms = 60_000;
    })
    .await;
    let (mut first, mut second) = (rig.connect().await, rig.connect().await);
    rig.fake.push(Reply::error(529, "overloaded_error"));
    let transcript = first.ask(QUESTION).await;
    transcript.assert_failed("provider_unavailable", true);
    let transcript = second.ask(QUESTION).await;
    transcript.assert_failed("provider_unavailable", true);
    let wait = transcript.last()["retry_after_ms"].as_u64();
    assert!(
        wait.is_some_and(|wait| (1..=60_000).contains(&wait)),
        "{wait:?}"
    );
    assert_eq!(rig.fake.requests().len(), 1);

    let response = rig.server.http.get(rig.server.url("/readyz")).send().await;
    let body: Value = response.expect("a response").json().await.expect("JSON");
    assert_eq!(body["checks"][2]["name"], "provider");
    assert_eq!(body["checks"][2]["status"], "down", "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_the_provider_asks_for_reaches_the_person() {
    let rig = Rig::start().await;
    let mut client = rig.connect().await;
    let reply = Reply::error(429, "rate_limit_error");
    rig.fake.push(reply.header("retry-after", "42"));
    let transcript = client.ask(QUESTION).await;
    transcript.assert_failed("provider_rate_limited", true);
    assert_eq!(transcript.last()["retry_after_ms"], 42_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_model_answers_when_the_first_cannot_and_the_answer_says_so() {
    let fallback = FakeProvider::start().await;
    fallback.answer_with(|request| match is_prose(request) {
        true => Reply::text(PROSE),
        false => Reply::text(&fenced(GOOD_SQL)),
    });
    let url = fallback.url();
    let rig = Rig::start_with(|config| {
        config.llm.fallback = Some(FallbackConfig {
            provider: ProviderKind::OpenAi,
            model: Some("model-2".to_owned()),
        });
        config.llm.openai.base_url = url;
        config.llm.openai.api_key = Some(KEY.to_owned().into());
        config.llm.anthropic.model = "model-1".to_owned();
        config.llm.prices = [("model-1", 1.0), ("model-2", 3.0)]
            .map(|(model, usd)| ModelPrice {
                model: model.to_owned(),
                input_usd: usd,
                cached_usd: usd,
                output_usd: usd,
            })
            .to_vec();
    })
    .await;
    let mut client = rig.connect().await;

    let answer = client.ask(QUESTION).await.assert_answered().clone();
    assert_eq!(answer["usage"]["models"], json!(["anthropic:model-1"]));
    assert_eq!(answer["usage"]["calls"], 2);
    // Each call reads and writes as many tokens as another.
    let of_one = (USAGE.input + USAGE.output) as f64 / 1e6;
    assert_cost(answer_cost(&answer), 2.0 * of_one);

    // The SQL by the one, the prose by the other.
    rig.fake.push(Reply::text(&fenced(GOOD_SQL)));
    rig.fake.push(Reply::error(529, "overloaded_error"));
    let transcript = client.ask(QUESTION).await;
    let answer = transcript.assert_answered();
    let both = json!(["anthropic:model-1", "openai:model-2"]);
    assert_eq!(answer["usage"]["models"], both);
    assert_eq!(answer["usage"]["calls"], 3);
    assert_cost(answer_cost(answer), of_one + 3.0 * of_one);
    assert_eq!(transcript.prose(), PROSE);

    let readiness = async || -> (u16, Value) {
        let response = rig.server.http.get(rig.server.url("/readyz")).send().await;
        let response = response.expect("a response");
        (
            response.status().as_u16(),
            response.json().await.expect("JSON"),
        )
    };
    let (status, body) = readiness().await;
    assert_eq!((status, &body["status"]), (200, &json!("ready")));
    let checks = body["checks"].as_array().expect("checks");
    let check = checks.iter().find(|check| check["name"] == "fallback");
    let check = check.expect("the fallback");
    assert_eq!(
        (&check["kind"], &check["model"]),
        (&json!("openai"), &json!("model-2"))
    );
}

fn answer_cost(answer: &Value) -> f64 {
    answer["usage"]["cost"]["amount"].as_f64().expect("a price")
}

/// To a billionth of a dollar, as far as an amount goes.
fn assert_cost(amount: f64, expected: f64) {
    assert!((amount - expected).abs() < 1.5e-9, "{amount}, {expected}");
}
