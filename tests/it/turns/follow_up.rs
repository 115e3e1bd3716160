//! What the model is told of the conversation so far.

use db_chat::config::ProviderKind;
use serde_json::json;

use super::rig::{GOOD_SQL, QUESTION, Rig, fenced, held, is_prose};
use crate::support::fake_provider::{Gate, Reply};

const NAMES_SQL: &str = "SELECT name FROM public.customers ORDER BY name";

#[tokio::test(flavor = "multi_thread")]
async fn a_follow_up_carries_questions_and_queries_but_no_rows_and_no_prose() {
    for provider in [ProviderKind::Anthropic, ProviderKind::OpenAi] {
        let rig = Rig::start_with(|config| config.llm.provider = provider).await;
        let mut client = rig.connect().await;
        rig.fake.push(Reply::text(&fenced(NAMES_SQL)));
        rig.fake
            .push(Reply::text("They are Ada Lovelace and her friends."));
        let first = client.ask("Who are the customers?").await;
        assert_eq!(
            first.assert_answered()["rows"],
            json!([["Ada Lovelace"], ["Grace Hopper"], ["Linus"]])
        );
        let second = client.follow_up(&first, QUESTION).await;
        second.assert_answered();
        assert_eq!(
            second.last()["conversation_id"],
            first.last()["conversation_id"]
        );

        let [sql_first, prose_first, sql_second, prose_second] = &rig.fake.requests()[..] else {
            panic!("two calls a question");
        };
        assert!(is_prose(prose_first) && is_prose(prose_second));
        // The whole call: system, messages, everything.
        let told = sql_second.body.to_string();
        assert!(told.contains("Who are the customers?"), "{told}");
        assert!(told.contains("ORDER BY"), "{told}");
        for word in ["Lovelace", "Hopper", "friends"] {
            assert!(!told.contains(word), "{word} in {told}");
        }
        assert!(prose_first.body.to_string().contains("Lovelace"));
        assert!(!prose_second.body.to_string().contains("Lovelace"));
        // Or no prompt cache would ever hit.
        assert_eq!(sql_first.system(), sql_second.system());
        assert_eq!(prose_first.system(), prose_second.system());

        // Another conversation knows nothing of this one.
        client.ask(QUESTION).await.assert_answered();
        let told = rig.fake.request(4).await.body.to_string();
        assert!(!told.contains("Who are the customers?"), "{told}");
        assert_eq!(rig.fake.request(4).await.system(), sql_first.system());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_failed_is_no_part_of_the_conversation_and_one_that_was_stopped_is_marked()
{
    let rig = Rig::start().await;
    let mut client = rig.connect().await;
    let first = client.ask(QUESTION).await;
    first.assert_answered();

    rig.fake.push(Reply::text(&fenced(GOOD_SQL)));
    rig.fake.push(Reply::script().begin().delta("There ").cut());
    let failed = client.follow_up(&first, "Which one failed?").await;
    failed.assert_failed("provider_unavailable", true);

    let gate = Gate::new();
    rig.fake.push(held(&gate, "```sql\n", GOOD_SQL));
    let conversation_id = &first.last()["conversation_id"];
    client
        .say(&json!({"query": "Which one was stopped?", "request_id": "stopped", "conversation_id": conversation_id}))
        .await;
    gate.reached().await;
    client.cancel("stopped").await;
    client
        .rest("stopped")
        .await
        .assert_failed("cancelled", true);

    let calls_before = rig.fake.requests().len();
    client.follow_up(&first, QUESTION).await.assert_answered();
    let told = rig.fake.request(calls_before).await.body.to_string();
    assert_eq!(told.matches(QUESTION).count(), 2, "{told}");
    assert!(!told.contains("Which one failed?"), "{told}");
    let stopped = told.find("Which one was stopped?").expect("the question");
    assert!(told[stopped..].contains("stopped this question before it was answered"));
    let prose = rig.fake.request(calls_before + 1).await;
    let told = prose.last_message();
    assert!(
        told.contains("Which one was stopped? (stopped before"),
        "{told}"
    );
}
