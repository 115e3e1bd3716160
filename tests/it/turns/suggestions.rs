//! Questions that are suggested after an answer.

use db_chat::config::ProviderKind;
use serde_json::{Value, json};

use super::rig::{Rig, fenced};
use crate::support::fake_provider::Reply;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_suggested_can_be_answered_even_without_a_model() {
    let rig = Rig::start_with(|config| config.llm.provider = ProviderKind::Offline).await;
    let mut client = rig.connect().await;
    let first = client.ask("How many plans are there?").await;
    let suggestions = &first.assert_answered()["suggestions"];
    assert_eq!(
        *suggestions,
        json!(["Break it down by tier", "Show it by month"])
    );
    for suggestion in suggestions.as_array().expect("a list") {
        let first = client.ask("How many plans are there?").await;
        let suggestion = suggestion.as_str().expect("a text");
        let transcript = client.follow_up(&first, suggestion).await;
        let answer = transcript.assert_answered();
        assert_eq!(answer["row_count"], 2, "{suggestion}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn suggestions_follow_from_the_query_and_take_no_call() {
    let rig = Rig::start().await;
    let mut client = rig.connect().await;
    for (sql, expected) in [
        (
            "SELECT count(*) FROM public.plans WHERE tier = 'gold'",
            json!(["Show it by month", "What about basic?"]),
        ),
        (
            "SELECT tier, count(*) FROM public.plans GROUP BY tier",
            Value::Null,
        ),
        ("SELECT id, tier FROM public.plans", Value::Null),
        ("SELECT count(*) FROM public.customers", Value::Null),
    ] {
        rig.fake.push(Reply::text(&fenced(sql)));
        let transcript = client.ask("How many?").await;
        let answer = transcript.assert_answered();
        assert_eq!(answer["suggestions"], expected, "{sql}");
        assert_eq!(answer["usage"]["calls"], 2);
    }
}
