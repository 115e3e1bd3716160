//! What a turn says that it has cost, and what it may cost.

use db_chat::config::{ModelPrice, ProviderKind};
use serde_json::{Value, json};

use super::rig::{GOOD_SQL, PROSE, QUESTION, Rig, fenced, is_prose};
use crate::support::fake_provider::{Reply, USAGE};

/// The model that the default settings name for OpenAI's dialect.
const MODEL: &str = "gpt-6-luna";

async fn rig(priced_model: &str) -> Rig {
    let price = ModelPrice {
        model: priced_model.to_owned(),
        input_usd: 2.0,
        cached_usd: 0.5,
        output_usd: 10.0,
    };
    Rig::start_with(|config| {
        config.llm.provider = ProviderKind::OpenAi;
        config.llm.prices = vec![price];
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_are_summed_over_the_turn_and_priced() {
    let rig = rig(MODEL).await;
    let mut client = rig.connect().await;
    let transcript = client.ask(QUESTION).await;
    let usage = &transcript.assert_answered()["usage"];
    // Two calls; 106 tokens at 2 dollars a million, 1,024 at 0.5 and 34 at 10.
    assert_eq!(
        (USAGE.input, USAGE.cached, USAGE.output),
        (1_130, 1_024, 34)
    );
    assert_eq!(
        *usage,
        json!({
            "calls": 2,
            "input_tokens": 2 * USAGE.input,
            "cached_tokens": 2 * USAGE.cached,
            "output_tokens": 2 * USAGE.output,
            "models": [format!("openai:{MODEL}")],
            "cost": {"amount": 0.002128, "currency": "USD"},
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_does_not_count_is_estimated_and_marked() {
    let rig = rig("another-model").await;
    let mut client = rig.connect().await;
    for (counters, input, output) in [
        ("", None, None),
        (r#","usage":{"completion_tokens":21}"#, None, Some(21)),
        (r#","usage":{"prompt_tokens":900}"#, Some(900), None),
    ] {
        for words in [fenced(GOOD_SQL), PROSE.to_owned()] {
            let choice = r#"{"index":0,"delta":{},"finish_reason":"stop"}"#;
            let end = format!("data: {{\"choices\":[{choice}]{counters}}}\n\ndata: [DONE]\n\n");
            rig.fake
                .push(Reply::script().begin().delta(&words).bytes(end));
        }
        let transcript = client.ask(QUESTION).await;
        let usage = &transcript.assert_answered()["usage"];
        assert_eq!(usage["estimated"], true, "{counters}: {usage}");
        assert_eq!(usage["calls"], 2);
        assert_eq!(usage["cached_tokens"], Value::Null);
        assert_eq!(usage.get("cost"), None, "no price is known: {usage}");
        for (name, reported, likely) in [
            ("input_tokens", input, 300..3_000),
            ("output_tokens", output, 10..60),
        ] {
            let counted: u64 = usage[name].as_u64().expect("a count");
            match reported {
                Some(each) => assert_eq!(counted, 2 * each, "{counters}: {name}"),
                None => assert!(likely.contains(&counted), "{counters}: {usage}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_stays_within_its_budget() {
    let rig = Rig::start_with(|config| config.limits.turn_tokens_max = 50).await;
    let mut client = rig.connect().await;
    let transcript = client.ask(QUESTION).await;
    transcript.assert_failed("turn_budget_exceeded", false);
    let body = json!({"query": QUESTION}).to_string();
    let response = rig.server.post(body).send().await.expect("a response");
    assert_eq!(response.status(), 429);
    assert!(rig.fake.requests().is_empty(), "no call over the budget");
    client.assert_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_told_about_without_the_model_where_the_budget_has_no_room_for_its_prose() {
    let rig = Rig::start_with(|config| {
        // Room for the SQL, not for the prose after it.
        config.limits.turn_tokens_max = USAGE.input + USAGE.output + 50;
    })
    .await;
    let mut client = rig.connect().await;
    let transcript = client.ask(QUESTION).await;
    let answer = transcript.assert_answered();
    assert_eq!(answer["rows"], json!([[3]]));
    let reply = answer["reply"].as_str().expect("a reply");
    assert!(reply.contains('3') && reply != PROSE, "{reply}");
    assert_eq!(transcript.prose(), reply);
    let warnings = answer["evidence"]["warnings"].to_string();
    assert!(warnings.contains("token budget is spent"), "{warnings}");
    assert_eq!(rig.fake.requests().len(), 1, "no call over the budget");
    client.assert_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_stays_within_its_budget_and_another_one_has_its_own() {
    let rig = Rig::start_with(|config| {
        config.limits.conversation_tokens_max = 2 * (USAGE.input + USAGE.output) + 50;
    })
    .await;
    let mut client = rig.connect().await;
    let first = client.ask(QUESTION).await;
    first.assert_answered();
    let second = client.follow_up(&first, QUESTION).await;
    second.assert_failed("conversation_budget_exceeded", false);
    assert_eq!(rig.fake.requests().len(), 2);
    client.ask(QUESTION).await.assert_answered();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_faults_an_answer_takes_two_calls_and_a_repair_one_more() {
    let rig = Rig::start().await;
    let mut client = rig.connect().await;
    let transcript = client.ask(QUESTION).await;
    assert_eq!(transcript.assert_answered()["usage"]["calls"], 2);
    let requests = rig.fake.requests();
    let kinds: Vec<bool> = requests.iter().map(is_prose).collect();
    assert_eq!(kinds, [false, true]);

    rig.fake.push(Reply::text("Certainly!"));
    let transcript = client.ask(QUESTION).await;
    assert_eq!(transcript.assert_answered()["usage"]["calls"], 3);
    assert_eq!(rig.fake.requests().len(), 5);
}
