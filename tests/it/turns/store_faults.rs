//! Redis fails at each stage of a turn.

use std::time::Instant;

use db_chat::config::{Config, StorageKind};

use super::client::Client;
use super::rig::{GOOD_SQL, Point, QUESTION, Rig, fenced, held};
use crate::support::cut_proxy::CutProxy;
use crate::support::fake_provider::{Gate, Reply};
use crate::support::redis::RedisServer;
use crate::support::turns::PATIENCE;

/// A Redis and a proxy in front of it.
struct Store {
    proxy: CutProxy,
    redis: RedisServer,
}

impl Store {
    async fn start() -> Self {
        let redis = RedisServer::start().await;
        let proxy = CutProxy::start(redis.address()).await;
        Self { proxy, redis }
    }

    fn configure(&self, config: &mut Config) {
        config.conversations.storage = StorageKind::Redis;
        config.conversations.redis_url = Some(format!("redis://{}", self.proxy.address()).into());
        config.limits.store_timeout_ms = 1_000;
    }
}

/// Asks until it is answered; until then the store is the honest reason.
async fn ask_until_answered(client: &mut Client) {
    let started = Instant::now();
    loop {
        let transcript = client.ask(QUESTION).await;
        if transcript.last()["type"] == "chat_response" {
            transcript.assert_answered();
            return;
        }
        transcript.assert_failed("store_unavailable", true);
        assert!(started.elapsed() < PATIENCE, "the store did not come back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_gone_at_any_stage_ends_the_question_once_and_is_used_again_when_back() {
    let mut store = Store::start().await;
    let mut rig = Rig::start_with(|config| store.configure(config)).await;
    let mut client = rig.connect().await;
    client.ask(QUESTION).await.assert_answered();
    for point in [
        Point::Before,
        Point::SqlCall,
        Point::Execution,
        Point::ProseCall,
    ] {
        let transcript = rig
            .ask_while(&mut client, point, async |_| store.proxy.refuse().await)
            .await;
        transcript.assert_failed("store_unavailable", true);
        client.assert_quiet().await;

        store.proxy.resume().await;
        ask_until_answered(&mut client).await;
    }
    // Not only the network: the process itself, with all that it held.
    store.redis.kill().await;
    let transcript = client.ask(QUESTION).await;
    transcript.assert_failed("store_unavailable", true);
    store.redis.start_again().await;
    ask_until_answered(&mut client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_hangs_is_given_up_before_and_while_the_answer_is_stored() {
    let mut store = Store::start().await;
    let mut rig = Rig::start_with(|config| store.configure(config)).await;
    let mut client = rig.connect().await;
    client.ask(QUESTION).await.assert_answered();
    for point in [Point::Before, Point::ProseCall] {
        let transcript = rig
            .ask_while(&mut client, point, async |_| store.proxy.stall())
            .await;
        transcript.assert_failed("store_unavailable", true);
        let was_storing = transcript.stages().last() == Some(&"storing");
        assert_eq!(was_storing, point == Point::ProseCall);
        client.assert_quiet().await;

        store.proxy.resume().await;
        ask_until_answered(&mut client).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_an_answer_is_stored_only_the_store_is_needed() {
    let mut store = Store::start().await;
    let mut rig = Rig::start_with(|config| {
        store.configure(config);
        // Longer than what the test does meanwhile.
        config.limits.store_timeout_ms = 15_000;
    })
    .await;
    let mut client = rig.connect().await;

    let id = ask_until_storing(&rig, &mut client, &store).await;
    rig.provider.refuse().await;
    rig.postgres.refuse().await;
    store.proxy.resume().await;
    client.rest(&id).await.assert_answered();
    rig.provider.resume().await;
    rig.postgres.resume().await;

    let id = ask_until_storing(&rig, &mut client, &store).await;
    store.proxy.refuse().await;
    client
        .rest(&id)
        .await
        .assert_failed("store_unavailable", true);
    client.assert_quiet().await;
    store.proxy.resume().await;
    ask_until_answered(&mut client).await;
}

/// Leaves the turn waiting for the store to take the answer.
async fn ask_until_storing(rig: &Rig, client: &mut Client, store: &Store) -> String {
    let gate = Gate::new();
    rig.fake.push(Reply::text(&fenced(GOOD_SQL)));
    rig.fake.push(held(&gate, "There ", "are 3."));
    let id = client.send(QUESTION).await;
    gate.reached().await;
    store.proxy.stall();
    gate.open();
    client.until("status", "stage", "storing").await;
    id
}
