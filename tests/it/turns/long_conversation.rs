//! Conversations that outgrow what a model is given.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use db_chat::config::{ProviderKind, StorageKind};
use serde_json::Value;

use super::clarify::history;
use super::client::Transcript;
use super::rig::{GOOD_SQL, PROSE, Rig, fenced, is_prose};
use crate::support::fake_provider::{Gate, Reply, Request, Stop};
use crate::support::redis::RedisServer;
use crate::support::turns::PATIENCE;

const NOTES: &str = "Asked about customers.";

/// Two turns are given; of three the older two go.
const MESSAGES_MAX: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn older_turns_are_summarised_once_and_the_summary_is_told_instead() {
    for redis in [None, Some(RedisServer::start().await)] {
        let rig = Rig::start_with(|config| {
            config.conversations.context_limit = MESSAGES_MAX;
            if let Some(redis) = &redis {
                config.conversations.storage = StorageKind::Redis;
                config.conversations.redis_url = Some(redis.url().into());
            }
        })
        .await;
        rig.fake
            .answer_with(|request| answer(request, Reply::text(NOTES)));
        let mut client = rig.connect().await;
        let first = client.ask("Question one?").await;
        let second = client.follow_up(&first, "Question two?").await;
        second.assert_answered();
        assert_eq!(summaries(&rig).len(), 0);
        let third = client.follow_up(&first, "Question three?").await;
        third.assert_answered();
        wait_for_summary(&rig, &first, NOTES).await;
        let told = summaries(&rig)[0].last_message().to_owned();
        assert!(told.contains("Question one?") && told.contains("Question two?"));
        assert!(told.contains(GOOD_SQL), "{told}");
        // Made of questions and queries: prose comes from rows.
        assert!(!told.contains("Question three?") && !told.contains(PROSE));

        let fourth = client.follow_up(&first, "Question four?").await;
        fourth.assert_answered();
        let messages = last_sql_call(&rig);
        assert_eq!(messages.len(), 5, "{messages:?}");
        assert!(messages[0].contains(NOTES));
        assert!(messages[2].ends_with("Question three?"));
        assert!(messages[4].ends_with("Question four?"));
        assert!(!messages.concat().contains("Question one?"));

        rig.fake
            .answer_with(|request| answer(request, Reply::text("Asked about more.")));
        let fifth = client.follow_up(&first, "Question five?").await;
        fifth.assert_answered();
        wait_for_summary(&rig, &first, "Asked about more.").await;
        let summaries = summaries(&rig);
        assert_eq!(
            summaries.len(),
            2,
            "one when it is due, none with each turn"
        );
        let told = summaries[1].last_message();
        assert!(told.contains(NOTES) && told.contains("Question four?"));
        assert!(!told.contains("Question two?"), "{told}");
        // Off the answer's path: no turn counts it.
        assert_eq!(fifth.last()["usage"]["calls"], 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_that_hangs_or_fails_costs_no_answer_and_ends_with_the_server() {
    let mut rig = Rig::start_with(|config| {
        config.conversations.context_limit = MESSAGES_MAX;
        config.limits.llm_first_token_timeout_ms = 120_000;
        config.limits.llm_idle_timeout_ms = 120_000;
    })
    .await;
    let fails = Arc::new(AtomicBool::new(true));
    let gate = Gate::new();
    let (failing, held) = (Arc::clone(&fails), gate.clone());
    rig.fake.answer_with(move |request| {
        let begun = Reply::script().begin().delta("Asked ").wait(&held);
        let summary = match failing.load(Ordering::SeqCst) {
            true => Reply::error(400, "invalid_request_error"),
            false => begun.finish(Stop::Complete),
        };
        answer(request, summary)
    });
    let mut client = rig.connect().await;
    let first = client.ask("Question one?").await;
    for question in ["Question two?", "Question three?"] {
        client.follow_up(&first, question).await.assert_answered();
    }
    // Two calls a question, and the one that failed.
    rig.fake.request(6).await;
    let fourth = client.follow_up(&first, "Question four?").await;
    fourth.assert_answered();
    assert_eq!(summaries(&rig).len(), 1, "not tried again with every turn");

    fails.store(false, Ordering::SeqCst);
    let fifth = client.follow_up(&first, "Question five?").await;
    fifth.assert_answered();
    gate.reached().await;
    let told = summaries(&rig)[1].last_message().to_owned();
    for number in ["one", "two", "three"] {
        assert!(told.contains(&format!("Question {number}?")), "{told}");
    }
    // It is still being made.
    let sixth = client.follow_up(&first, "Question six?").await;
    sixth.assert_answered();
    drop(client);
    rig.server.stop();
    rig.server.ended().await.expect("a clean end");
    rig.fake.abandoned(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_there_are_no_summaries() {
    let rig = Rig::start_with(|config| {
        config.llm.provider = ProviderKind::Offline;
        config.conversations.context_limit = 2;
    })
    .await;
    let mut client = rig.connect().await;
    let question = "How many customers are there?";
    let first = client.ask(question).await;
    for _ in 0..3 {
        client.follow_up(&first, question).await.assert_answered();
    }
    let id = first.last()["conversation_id"].as_str().expect("an id");
    assert_eq!(history(&rig, id).await.get("summary"), None);
    assert_eq!(rig.fake.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_pasted_what_a_model_reads_is_bounded() {
    let rig = Rig::start_with(|config| {
        config.conversations.context_limit = 100;
        config.limits.history_tokens_max = 1_000;
    })
    .await;
    rig.fake
        .answer_with(|request| answer(request, Reply::text(&"notes ".repeat(5_000))));
    let mut client = rig.connect().await;
    let pasted = "文".repeat(4_000);
    let first = client.ask(&pasted).await;
    for _ in 0..6 {
        client.follow_up(&first, &pasted).await.assert_answered();
    }
    for request in rig.fake.requests() {
        let bytes = request.body.to_string().len();
        // A question of 12 kB, for the prose with the one before; instructions; 3.5 bytes a token for the history and
        // three times that for what is summarised.
        assert!(bytes < 2 * 12_000 + 8_000 + 3 * 3_500, "{bytes} bytes");
    }
}

/// What the fake model says.
fn answer(request: &Request, summary: Reply) -> Reply {
    if is_summary(request) {
        return summary;
    }
    match is_prose(request) {
        true => Reply::text(PROSE),
        false => Reply::text(&fenced(GOOD_SQL)),
    }
}

fn is_summary(request: &Request) -> bool {
    request.system().starts_with("You keep notes")
}

fn summaries(rig: &Rig) -> Vec<Request> {
    let mut requests = rig.fake.requests();
    requests.retain(is_summary);
    requests
}

/// The texts of the last call that asked for SQL.
fn last_sql_call(rig: &Rig) -> Vec<String> {
    let requests = rig.fake.requests();
    let mut calls = requests.iter().rev();
    let call = calls.find(|request| !is_prose(request) && !is_summary(request));
    texts(call.expect("a call"))
}

/// The texts of a call's messages, whether they are marked for the cache or not.
pub(super) fn texts(request: &Request) -> Vec<String> {
    let messages = ["messages", "input"]
        .into_iter()
        .find_map(|name| request.body[name].as_array())
        .expect("messages");
    let text = |message: &Value| {
        let content = &message["content"];
        let text = content.as_str().or_else(|| content[0]["text"].as_str());
        text.expect("a text").to_owned()
    };
    messages.iter().map(text).collect()
}

async fn wait_for_summary(rig: &Rig, transcript: &Transcript, text: &str) {
    let id = transcript.last()["conversation_id"].as_str();
    let started = Instant::now();
    while history(rig, id.expect("an id")).await["summary"] != text {
        assert!(started.elapsed() < PATIENCE, "no summary {text}");
    }
}
