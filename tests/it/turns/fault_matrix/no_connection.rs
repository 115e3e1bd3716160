//! Faults below HTTP: nobody listens, or whoever does speaks no TLS, or cannot be trusted.

use super::super::client::Client;
use super::super::rig::{GOOD_SQL, KEY, Point, QUESTION, Rig, fenced};
use super::{Call, good};
use crate::providers::Dialect;
use crate::support::fake_provider::{FakeProvider, Gate, Reply, Stop};
use crate::support::postgres::TestDatabase;
use crate::support::serve_process::ServeProcess;
use crate::support::tls_front::{Authority, TlsFront};

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_refuses_connections_ends_the_question_once_in_every_dialect() {
    for dialect in Dialect::ALL {
        println!("dialect: {dialect:?}");
        let mut rig = Rig::start_with(|config| {
            dialect.select(&mut config.llm);
            config.limits.llm_retries_max = 1;
        })
        .await;
        let mut client = rig.connect().await;
        for (point, calls) in [(Point::Before, 0), (Point::Execution, 1)] {
            let calls_before = rig.fake.requests().len();
            let transcript = rig
                .ask_while(&mut client, point, async |rig| rig.provider.refuse().await)
                .await;
            transcript.assert_failed("provider_unavailable", true);
            assert_eq!(transcript.prose(), "");
            client.assert_quiet().await;
            assert_eq!(rig.fake.requests().len() - calls_before, calls);
            rig.fake.all_connections_closed().await;
            rig.provider.resume().await;
            client.ask(QUESTION).await.assert_answered();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_speaks_no_tls_ends_the_question_once_in_every_dialect() {
    for dialect in Dialect::ALL {
        println!("dialect: {dialect:?}");
        let rig = Rig::start_with(|config| {
            dialect.select(&mut config.llm);
            config.limits.llm_retries_max = 1;
            for provider in [&mut config.llm.anthropic, &mut config.llm.openai] {
                provider.base_url = provider.base_url.replace("http://", "https://");
            }
        })
        .await;
        let mut client = rig.connect().await;
        let transcript = client.ask(QUESTION).await;
        transcript.assert_failed("provider_unavailable", true);
        client.assert_quiet().await;
        assert_eq!(rig.fake.accepted_connections(), 2);
        assert_eq!(rig.fake.requests().len(), 0);
        rig.fake.all_connections_closed().await;
    }
}

/// A process of its own, since whom to trust is a matter of the process.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_with_a_certificate_of_a_stranger_ends_the_question_once_in_every_dialect() {
    let (known, stranger) = (Authority::new(), Authority::new());
    let trusted = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(trusted.path(), &known.pem).expect("a certificate");
    let trusted = trusted.path().to_str().expect("a path");
    let database = TestDatabase::create("CREATE TABLE customers (id int)").await;
    let database_url = database.url();
    for dialect in Dialect::ALL {
        println!("dialect: {dialect:?}");
        let fake = FakeProvider::start().await;
        let front = TlsFront::start(fake.address(), &stranger).await;
        let base_url = front.url();
        let (provider, api) = dialect.setting_values();
        let process = ServeProcess::start(&[
            ("SSL_CERT_FILE", trusted),
            ("DATABASE_URL", &database_url),
            ("LLM_PROVIDER", provider),
            ("OPENAI_API", api),
            ("OPENAI_API_KEY", KEY),
            ("OPENAI_BASE_URL", &base_url),
            ("ANTHROPIC_API_KEY", KEY),
            ("ANTHROPIC_BASE_URL", &base_url),
            ("DB_CHAT_LLM_RETRIES_MAX", "1"),
        ])
        .await;
        let mut client = Client::connect_to(process.address).await;

        // In the call for SQL …
        let transcript = client.ask(QUESTION).await;
        transcript.assert_failed("provider_unavailable", true);
        assert_eq!(
            (front.refused_count(2).await, fake.requests().len()),
            (2, 0)
        );

        // … in the one for prose …
        front.present(&known);
        let gate = Gate::new();
        let sql = Reply::script().header("connection", "close").begin();
        let sql = sql.wait(&gate).delta(&fenced(GOOD_SQL));
        fake.push(sql.finish(Stop::Complete));
        let id = client.send(QUESTION).await;
        gate.reached().await;
        front.present(&stranger);
        gate.open();
        let transcript = client.rest(&id).await;
        transcript.assert_failed("provider_unavailable", true);
        assert!(transcript.stages().contains(&"narrating"));
        assert_eq!(
            (front.refused_count(4).await, fake.requests().len()),
            (4, 1)
        );

        // … and not at all.
        front.present(&known);
        fake.push(good(Call::Sql));
        fake.push(good(Call::Prose));
        client.ask(QUESTION).await.assert_answered();
        client.assert_quiet().await;
        fake.all_replies_ended().await;
    }
}
