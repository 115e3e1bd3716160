//! What a provider can make the process hold: measured at a process of its own, since this one holds what the fake sends.

use super::client::Client;
use super::rig::{GOOD_SQL, KEY, PROSE, QUESTION, fenced};
use crate::providers::Dialect;
use crate::support::fake_provider::{FakeProvider, Reply, Stop};
use crate::support::postgres::TestDatabase;
use crate::support::serve_process::ServeProcess;

/// What the process may hold on top of what it holds after a good answer. A reply's text may be 256 KiB here, one event 2 MiB.
const GROWTH_BYTES_MAX: usize = 16 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn fifty_megabytes_of_anything_are_not_held() {
    let database = TestDatabase::create("CREATE TABLE customers (id int)").await;
    let database_url = database.url();
    for dialect in Dialect::ALL {
        let fake = FakeProvider::start().await;
        let base_url = fake.url();
        let (provider, api) = dialect.setting_values();
        let process = ServeProcess::start(&[
            ("DATABASE_URL", &database_url),
            ("LLM_PROVIDER", provider),
            ("OPENAI_API", api),
            ("OPENAI_API_KEY", KEY),
            ("OPENAI_BASE_URL", &base_url),
            ("ANTHROPIC_API_KEY", KEY),
            ("ANTHROPIC_BASE_URL", &base_url),
            ("DB_CHAT_LLM_REPLY_BYTES_MAX", "262144"),
        ])
        .await;
        let mut client = Client::connect_to(process.address).await;
        fake.push(Reply::text(&fenced(GOOD_SQL)));
        fake.push(Reply::text(PROSE));
        client.ask(QUESTION).await.assert_answered();
        let bytes_before = process.memory_peak_bytes();

        let piece = "x".repeat(64 << 10);
        let begun = || Reply::script().begin().delta("There ");
        for (what, reply) in [
            ("words", begun().deltas(&piece, 800)),
            ("thoughts", begun().thoughts(&piece, 800)),
            (
                "one event",
                begun().bytes(format!("data: {}", piece.repeat(800))),
            ),
            (
                "comments",
                begun().bytes(format!(": {piece}\n").repeat(800)),
            ),
        ] {
            fake.push(Reply::text(&fenced(GOOD_SQL)));
            fake.push(reply.finish(Stop::Complete));
            let transcript = client.ask(QUESTION).await;
            transcript.assert_failed("provider_unavailable", true);
            client.assert_quiet().await;
            fake.all_replies_ended().await;
            let growth = process.memory_peak_bytes() - bytes_before;
            println!("{dialect:?}, {what}: {} KiB", growth >> 10);
            assert!(growth < GROWTH_BYTES_MAX, "{dialect:?}, {what}: {growth}");
        }
    }
}
