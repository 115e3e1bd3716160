//! A question that is stopped, at each stage of its turn.

use serde_json::json;

use super::rig::{GOOD_SQL, QUESTION, Rig, SLOW_SQL, fenced, held, wait_for_sessions};
use crate::support::fake_provider::{Gate, Reply};

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
