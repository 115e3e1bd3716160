//! What every dialect has to do with a reply that goes well.

use std::time::Duration;

use db_chat::domain::usage::TokenUsage;
use db_chat::llm::{FinishReason, LlmDelta};
use futures_util::StreamExt;

use super::{call, collect, config, connect, connect_with, for_each_dialect, request};
use crate::support::fake_provider::{Gate, LineEnd, Reply, Stop, USAGE, within};

#[tokio::test]
async fn a_reply_arrives_whole_with_its_counters_and_its_reason() {
    for_each_dialect(async |kind, fake| {
        fake.push(Reply::text("There are 3 in Zürich – 😀."));
        let provider = connect(kind, &fake);
        let reply = call(&provider).await.unwrap();
        assert_eq!(reply.text, "There are 3 in Zürich – 😀.");
        assert_eq!(reply.finish, Some(FinishReason::Complete));
        let expected = TokenUsage {
            calls: 1,
            input_tokens: Some(USAGE.input),
            cached_tokens: Some(USAGE.cached),
            output_tokens: Some(USAGE.output),
        };
        assert_eq!(reply.usage, Some(expected));
        assert_eq!(provider.model(), "model-1");
        assert!(!provider.name().is_empty());
    })
    .await;
}

#[tokio::test]
async fn words_are_handed_out_while_the_provider_is_still_writing() {
    for_each_dialect(async |kind, fake| {
        let gate = Gate::new();
        let reply = Reply::script().begin().delta("first ").wait(&gate);
        fake.push(reply.delta("second").finish(Stop::Complete));
        let provider = connect(kind, &fake);
        let mut stream = within("a reply to begin", provider.stream(request()))
            .await
            .unwrap();
        let first = loop {
            match within("the first word", stream.next())
                .await
                .unwrap()
                .unwrap()
            {
                LlmDelta::Text(text) => break text,
                LlmDelta::Usage(_) => {}
                finish @ LlmDelta::Finish(_) => panic!("{finish:?} before the first word"),
            }
        };
        assert_eq!(first, "first ");
        gate.open();
        let (rest, error) = collect(stream).await;
        assert!(error.is_none(), "{error:?}");
        assert_eq!(rest.text, "second");
    })
    .await;
}

#[tokio::test]
async fn a_call_returns_as_soon_as_the_model_is_at_work() {
    for_each_dialect(async |kind, fake| {
        let gate = Gate::new();
        let reply = Reply::script().begin().thinking("hmm").wait(&gate);
        fake.push(reply.delta("done").finish(Stop::Complete));
        let provider = connect(kind, &fake);
        let stream = within("a reply to begin", provider.stream(request()))
            .await
            .unwrap();
        gate.reached().await;
        gate.open();
        assert_eq!(collect(stream).await.0.text, "done");
    })
    .await;
}

#[tokio::test]
async fn thinking_pings_comments_and_unknown_events_are_not_part_of_the_answer() {
    for_each_dialect(async |kind, fake| {
        let reply = Reply::script()
            .comment()
            .begin()
            .ping()
            .thinking("secret ")
            .thinking("thoughts")
            .unknown()
            .delta("The ")
            .ping()
            .delta("answer")
            .thinking("more of them")
            .comment()
            .delta(".")
            .finish(Stop::Complete);
        fake.push(reply);
        let reply = call(&connect(kind, &fake)).await.unwrap();
        assert_eq!(reply.text, "The answer.");
    })
    .await;
}

#[tokio::test]
async fn every_line_end_cut_and_mark_gives_the_same_reply() {
    for_each_dialect(async |kind, fake| {
        let provider = connect(kind, &fake);
        let text = "Größe „42“ 😀";
        for piece_bytes in [1, 2, 3, 7, 1_000] {
            for line_end in [LineEnd::Lf, LineEnd::CrLf, LineEnd::Cr] {
                let reply = Reply::text(text).line_end(line_end).pieces_of(piece_bytes);
                fake.push(reply.clone());
                assert_eq!(call(&provider).await.unwrap().text, text, "{reply:?}");
                fake.push(reply.byte_order_mark());
                assert_eq!(call(&provider).await.unwrap().text, text, "with a mark");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_was_cut_by_the_cap_says_so() {
    for_each_dialect(async |kind, fake| {
        fake.push(
            Reply::script()
                .begin()
                .delta("SELECT coun")
                .finish(Stop::TokensMax),
        );
        let reply = call(&connect(kind, &fake)).await.unwrap();
        assert_eq!(reply.text, "SELECT coun");
        assert_eq!(reply.finish, Some(FinishReason::TokensMax));
    })
    .await;
}

#[tokio::test]
async fn a_refusal_is_told_from_an_answer_and_keeps_its_words() {
    for_each_dialect(async |kind, fake| {
        let stop = Stop::Refusal("I cannot help with that.".to_owned());
        fake.push(Reply::script().begin().finish(stop));
        let reply = call(&connect(kind, &fake)).await.unwrap();
        assert_eq!(reply.text, "");
        let words = Some("I cannot help with that.".to_owned());
        assert_eq!(reply.finish, Some(FinishReason::Refused(words)));
    })
    .await;
}

#[tokio::test]
async fn a_reply_of_thinking_alone_is_complete_and_empty() {
    for_each_dialect(async |kind, fake| {
        let reply = Reply::script().begin().thinking("too long");
        fake.push(reply.finish(Stop::TokensMax));
        let reply = call(&connect(kind, &fake)).await.unwrap();
        assert_eq!(reply.text, "");
        assert_eq!(reply.finish, Some(FinishReason::TokensMax));
    })
    .await;
}

#[tokio::test]
async fn comments_keep_a_slow_reply_alive() {
    for_each_dialect(async |kind, fake| {
        let limits = db_chat::config::Limits {
            // The idle timeout is short, the deadline for the whole reply is what ends it: comments reset the first, not the second.
            llm_idle_timeout_ms: 1_000,
            llm_first_token_timeout_ms: 20_000,
            llm_total_timeout_ms: 1_500,
            ..db_chat::config::Limits::default()
        };
        let reply = Reply::script()
            .begin()
            .delta("still ")
            .drip_comments(Duration::from_millis(50));
        fake.push(reply);
        let provider = connect_with(&config(kind, &fake.url()), &limits);
        let error = call(&provider).await.unwrap_err().to_string();
        assert!(error.contains("no complete reply within 1.5s"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn dropping_a_reply_closes_the_connection_at_once() {
    for_each_dialect(async |kind, fake| {
        fake.push(Reply::script().begin().delta("endless").stall());
        let provider = connect(kind, &fake);
        let stream = within("a reply to begin", provider.stream(request()))
            .await
            .unwrap();
        assert_eq!(fake.open_connections(), 1);
        drop(stream);
        fake.abandoned(1).await;
        fake.all_connections_closed().await;
    })
    .await;
}

#[tokio::test]
async fn dropping_a_call_that_has_no_answer_yet_closes_the_connection_at_once() {
    for_each_dialect(async |kind, fake| {
        fake.push(Reply::script().stall());
        let provider = connect(kind, &fake);
        let mut calling = provider.stream(request());
        tokio::select! {
            _ = &mut calling => panic!("there was no answer"),
            _ = fake.request(0) => {}
        }
        drop(calling);
        fake.abandoned(1).await;
        fake.all_connections_closed().await;
    })
    .await;
}

#[tokio::test]
async fn a_finished_reply_holds_no_connection_even_if_nobody_drops_it() {
    for_each_dialect(async |kind, fake| {
        // The provider has said everything and leaves the body open.
        fake.push(
            Reply::script()
                .begin()
                .delta("done")
                .finish(Stop::Complete)
                .stall(),
        );
        let provider = connect(kind, &fake);
        let mut stream = within("a reply to begin", provider.stream(request()))
            .await
            .unwrap();
        while !matches!(
            within("the next delta", stream.next()).await,
            Some(Ok(LlmDelta::Finish(_)))
        ) {}
        fake.all_connections_closed().await;
        assert!(stream.next().await.is_none());
    })
    .await;
}
