//! Faults below HTTP: nobody listens, or whoever does speaks no TLS.

use super::super::rig::{Point, QUESTION, Rig};
use crate::providers::Dialect;

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
