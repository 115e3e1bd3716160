//! Whether providers' prompt caches can hit: what is sent again is sent with the same bytes.

use super::long_conversation::texts;
use super::rig::{Rig, is_prose};
use crate::providers::Dialect;
use crate::support::fake_provider::Request;

#[tokio::test(flavor = "multi_thread")]
async fn twenty_turns_of_two_conversations_share_their_beginning_and_only_ever_append() {
    for dialect in Dialect::ALL {
        let rig = Rig::start_with(|config| {
            dialect.select(&mut config.llm);
            config.conversations.context_limit = 100;
        })
        .await;
        let mut client = rig.connect().await;
        let mut firsts = Vec::new();
        for turn in 0..10 {
            for conversation in 0..2 {
                let question = format!("Question {turn} of conversation {conversation}?");
                let transcript = match firsts.get(conversation) {
                    None => client.ask(&question).await,
                    Some(first) => client.follow_up(first, &question).await,
                };
                transcript.assert_answered();
                if turn == 0 {
                    firsts.push(transcript);
                }
            }
        }
        let requests = rig.fake.requests();
        assert_eq!(
            requests.len(),
            2 * 20,
            "two calls for each answered question"
        );
        let (prose, sql): (Vec<Request>, Vec<Request>) = requests.into_iter().partition(is_prose);
        for calls in [&prose, &sql] {
            for call in calls {
                assert_eq!(call.system(), calls[0].system());
                assert_eq!(up_to_messages(call), up_to_messages(&calls[0]));
            }
        }
        for conversation in 0..2 {
            let calls: Vec<&Request> = sql.iter().skip(conversation).step_by(2).collect();
            assert_eq!(calls.len(), 10);
            for pair in calls.windows(2) {
                let (before, after) = (texts(pair[0]), texts(pair[1]));
                assert!(after.starts_with(&before), "{before:?}\nthen {after:?}");
                assert_eq!(after.len(), before.len() + 2);
            }
        }
        for call in &sql {
            if dialect == Dialect::Anthropic {
                assert_marks(call);
            } else {
                let key = &call.body["prompt_cache_key"];
                assert!(key.is_string() && *key == sql[0].body["prompt_cache_key"]);
            }
        }
    }
}

/// The bytes of a call before the first message that is not the instructions.
fn up_to_messages(call: &Request) -> String {
    let body = call.body.to_string();
    let first_message = body.find(r#"{"role":"user""#).expect("a question");
    body[..first_message].to_owned()
}

/// Instructions and schema, and the end of what the next call repeats.
fn assert_marks(call: &Request) {
    let body = call.body.to_string();
    let messages = call.body["messages"].as_array().expect("messages");
    let marks = body.matches("cache_control").count();
    assert_eq!(marks, if messages.len() > 1 { 2 } else { 1 }, "{body}");
    assert!(call.body["system"][0]["cache_control"].is_object());
    if let [.., said, _] = messages.as_slice() {
        assert_eq!(said["role"], "assistant");
        assert!(said["content"][0]["cache_control"].is_object(), "{said}");
    }
}
