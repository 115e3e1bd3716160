//! A question that is stopped, at each stage of its turn.

use db_chat::config::StorageKind;
use serde_json::json;

use super::clarify::history;
use super::rig::{GOOD_SQL, QUESTION, Rig, SLOW_SQL, fenced, held, wait_for_sessions};
use crate::support::fake_provider::{Gate, Reply};
use crate::support::redis::RedisServer;

#[tokio::test(flavor = "multi_thread")]
async fn stopping_a_question_stops_the_model_and_the_query() {
    let rig = Rig::start().await;
    let mut client = rig.connect().await;

    let gate = Gate::new();
    rig.fake.push(held(&gate, "```sql\n", GOOD_SQL));
    let id = client.send(QUESTION).await;
    gate.reached().await;
    client.cancel(&id).await;
    client.rest(&id).await.assert_failed("cancelled", true);
    rig.fake.abandoned(1).await;

    let watcher = rig.database.admin().await;
    rig.fake.push(Reply::text(&fenced(SLOW_SQL)));
    let id = client.send(QUESTION).await;
    client.until("status", "stage", "executing").await;
    let running = "state = 'active' AND query LIKE 'FETCH%'";
    wait_for_sessions(&watcher, running, 1).await;
    client.cancel(&id).await;
    client.rest(&id).await.assert_failed("cancelled", true);
    wait_for_sessions(&watcher, "state = 'active'", 0).await;

    let gate = Gate::new();
    rig.fake.push(Reply::text(&fenced(GOOD_SQL)));
    rig.fake.push(held(&gate, "There ", "are 3."));
    let id = client.send(QUESTION).await;
    client.until("llm_token", "token", "There ").await;
    client.cancel(&id).await;
    client.rest(&id).await.assert_failed("cancelled", true);
    rig.fake.abandoned(2).await;

    client.ask(QUESTION).await.assert_answered();
    client.assert_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_until_a_question_was_stopped_is_kept_and_marked() {
    for redis in [None, Some(RedisServer::start().await)] {
        let rig = Rig::start_with(|config| {
            if let Some(redis) = &redis {
                config.conversations.storage = StorageKind::Redis;
                config.conversations.redis_url = Some(redis.url().into());
            }
        })
        .await;
        let mut client = rig.connect().await;
        let gate = Gate::new();
        rig.fake.push(Reply::text(&fenced(GOOD_SQL)));
        rig.fake.push(held(&gate, "There ", "are 3."));
        let id = client.send(QUESTION).await;
        client.until("llm_token", "token", "There ").await;
        client.cancel(&id).await;
        let stopped = client.rest(&id).await;
        stopped.assert_failed("cancelled", true);

        let conversation_id = stopped.last()["conversation_id"].as_str().expect("an id");
        let turns = history(&rig, conversation_id).await["turns"].take();
        assert_eq!(turns.as_array().map(Vec::len), Some(1), "{turns}");
        assert_eq!(turns[0]["outcome"], "stopped");
        assert_eq!(turns[0]["reply"], "There ");
        assert_eq!(turns[0]["query"], QUESTION);
        assert!(turns[0]["sql_query"].is_string(), "{turns}");
        client.follow_up(&stopped, QUESTION).await.assert_answered();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_goes_away_and_does_not_come_back_stops_its_question() {
    let rig = Rig::start_with(|config| config.limits.resume_seconds = 1).await;
    let watcher = rig.database.admin().await;
    let mut client = rig.connect().await;
    rig.fake.push(Reply::text(&fenced(SLOW_SQL)));
    client.send(QUESTION).await;
    let running = "state = 'active' AND query LIKE 'FETCH%'";
    wait_for_sessions(&watcher, running, 1).await;
    drop(client);
    wait_for_sessions(&watcher, "state = 'active'", 0).await;

    let mut client = rig.connect().await;
    rig.fake.push(held(&Gate::new(), "```sql\n", GOOD_SQL));
    client.send(QUESTION).await;
    client.until("status", "stage", "generating").await;
    rig.fake.request(1).await;
    drop(client);
    rig.fake.abandoned(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_closed_stops_its_question() {
    let rig = Rig::start().await;
    let body = json!({"query": QUESTION}).to_string();
    for (index, accept) in ["application/json", "text/event-stream"]
        .into_iter()
        .enumerate()
    {
        let gate = Gate::new();
        rig.fake.push(held(&gate, "```sql\n", GOOD_SQL));
        let asking = rig.server.post(body.clone()).header("accept", accept);
        let reading = async { asking.send().await?.text().await };
        tokio::select! {
            answer = reading => panic!("answered without SQL: {answer:?}"),
            () = gate.reached() => {}
        }
        rig.fake.abandoned(index + 1).await;
    }
}
