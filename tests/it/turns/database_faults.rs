//! PostgreSQL fails at each stage of a turn.

use super::rig::{Point, QUESTION, Rig, SLOW_SQL, fenced};
use crate::support::fake_provider::Reply;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_cut_off_at_any_stage_ends_the_question_once_and_is_used_again_when_back()
 {
    let mut rig = Rig::start().await;
    let mut client = rig.connect().await;
    for (point, code) in [
        (Point::Before, Some("database_unavailable")),
        (Point::SqlCall, Some("database_unavailable")),
        (Point::Execution, Some("database_unavailable")),
        // Nothing is asked of it any more.
        (Point::ProseCall, None),
    ] {
        let transcript = rig
            .ask_while(&mut client, point, async |rig| rig.postgres.refuse().await)
            .await;
        match code {
            Some(code) => transcript.assert_failed(code, true),
            None => drop(transcript.assert_answered()),
        }
        client.assert_quiet().await;

        rig.postgres.resume().await;
        client.ask(QUESTION).await.assert_answered();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_under_a_query_costs_that_question_only() {
    let mut rig = Rig::start().await;
    let mut client = rig.connect().await;
    let transcript = rig
        .ask_while(&mut client, Point::Execution, async |rig| {
            rig.postgres.cut().await;
        })
        .await;
    transcript.assert_failed("database_unavailable", true);
    client.ask(QUESTION).await.assert_answered();
    // Idle connections that were lost meanwhile are noticed before a question is put on them.
    rig.postgres.cut().await;
    client.ask(QUESTION).await.assert_answered();
    client.assert_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_falls_silent_under_a_query_is_given_up_at_the_time_limit() {
    let mut rig = Rig::start_with(|config| config.limits.statement_timeout_ms = 2_000).await;
    let mut client = rig.connect().await;
    let transcript = rig
        .ask_while(&mut client, Point::Execution, async |rig| {
            rig.postgres.stall();
        })
        .await;
    // Silence and a slow query look alike from here.
    transcript.assert_declined("query_timeout");
    client.assert_quiet().await;
    rig.postgres.resume().await;
    client.ask(QUESTION).await.assert_answered();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_lets_nobody_in_is_given_up() {
    let mut rig = Rig::start().await;
    let mut client = rig.connect().await;
    client.ask(QUESTION).await.assert_answered();
    let transcript = rig
        .ask_while(&mut client, Point::SqlCall, async |rig| {
            rig.postgres.stall()
        })
        .await;
    transcript.assert_failed("database_unavailable", true);
    client.assert_quiet().await;
    rig.postgres.resume().await;
    client.ask(QUESTION).await.assert_answered();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_takes_too_long_is_not_tried_again() {
    let rig = Rig::start_with(|config| config.limits.statement_timeout_ms = 300).await;
    let mut client = rig.connect().await;
    rig.fake.push(Reply::text(&fenced(SLOW_SQL)));
    let transcript = client.ask(QUESTION).await;
    let answer = transcript.assert_declined("query_timeout");
    assert_eq!(answer["usage"]["calls"], 1);
    client.assert_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_every_connection_taken_is_told_to_come_back() {
    let mut rig = Rig::start_with(|config| {
        config.limits.pool_connections_max = 1;
        config.limits.pool_wait_timeout_ms = 200;
    })
    .await;
    let (mut first, mut second) = (rig.connect().await, rig.connect().await);
    let transcript = rig
        .ask_while(&mut first, Point::Execution, async |_| {
            let transcript = second.ask(QUESTION).await;
            transcript.assert_failed("database_busy", true);
        })
        .await;
    transcript.assert_answered();
    second.ask(QUESTION).await.assert_answered();
}
