//! What PostgreSQL says about values stays inside: no frame carries it, and neither does the call that writes SQL.
//! That no frame holds a driver's words, a host or a key is watched by `client` in every test of this folder.

use super::rig::{QUESTION, Rig, fenced};
use crate::support::fake_provider::Reply;

#[tokio::test(flavor = "multi_thread")]
async fn values_in_an_error_of_postgresql_reach_neither_the_person_nor_the_model() {
    let rig = Rig::start().await;
    let mut client = rig.connect().await;
    for sql in [
        // The value stands in the message …
        "SELECT count(*) FROM public.customers WHERE name::int > 3",
        "SELECT count(*) FROM public.customers WHERE name::date > date '2026-01-01'",
        // … and in DETAIL.
        "SELECT count(*) FROM public.customers WHERE ('{' || name)::json IS NULL",
    ] {
        let calls_before = rig.fake.requests().len();
        rig.fake.push(Reply::text(&fenced(sql)));
        let transcript = client.ask(QUESTION).await;
        transcript.assert_answered();
        assert!(transcript.stages().contains(&"repairing"), "{sql}");
        for frame in &transcript.frames {
            assert!(!frame.to_string().contains("Ada"), "{frame}");
        }
        let repair = rig.fake.request(calls_before + 1).await;
        assert!(repair.last_message().contains("SQLSTATE 22"), "{repair:?}");
        let told = repair.body.to_string();
        for word in ["Ada", "Lovelace", "Grace", "Linus"] {
            assert!(!told.contains(word), "{word} in {told}");
        }
    }
}
