//! Every fault of `faults`, in every dialect, in the call that writes SQL and in the one that writes prose, through the whole
//! server: one final frame with the right code, as many calls as there may be, and nothing left behind.
//!
//! The cases of a dialect run at once, those that end in a timeout after the others. A case marks its question, and the provider
//! answers by the mark.

mod faults;
mod no_connection;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use self::faults::{FAULTS, Fault, Outcome, Patience};
use super::client::{Client, Transcript};
use super::rig::{GOOD_SQL, KEY, PROSE, fenced, is_prose};
use crate::providers::Dialect;
use crate::support::fake_provider::{FakeProvider, Reply, Request};
use crate::support::postgres::{TestDatabase, wait_for_sessions};
use crate::support::server::TestServer;
use crate::support::turns::PATIENCE;

#[tokio::test(flavor = "multi_thread")]
async fn anthropic_messages_with_every_fault_ends_each_question_once() {
    play_all(Dialect::Anthropic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chat_completions_with_every_fault_ends_each_question_once() {
    play_all(Dialect::Chat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openai_responses_with_every_fault_ends_each_question_once() {
    play_all(Dialect::Responses).await;
}

/// How often a case is played again whose fault was not reached.
const REPLAYS_MAX: usize = 5;

/// The calls of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Call {
    Sql,
    Prose,
}

/// A fault in one of the calls.
#[derive(Clone, Copy)]
struct Case {
    /// The place of the fault in the table.
    index: usize,
    call: Call,
}

impl Case {
    fn fault(self) -> &'static Fault {
        &FAULTS[self.index]
    }

    fn expected(self) -> &'static Outcome {
        match self.call {
            Call::Sql => &self.fault().sql,
            Call::Prose => &self.fault().prose,
        }
    }

    fn mark(self) -> String {
        format!("[case {} {:?}]", self.index, self.call)
    }

    /// The case that a request belongs to.
    fn of(request: &Request) -> Self {
        let text = request.body.to_string();
        let (_, rest) = text.split_once("[case ").expect("a marked question");
        let (index, rest) = rest.split_once(' ').expect("an index");
        Self {
            index: index.parse().expect("a number"),
            call: match rest.starts_with("Sql") {
                true => Call::Sql,
                false => Call::Prose,
            },
        }
    }
}

/// A server whose provider plays the faults.
struct Stage {
    fake: FakeProvider,
    server: TestServer,
    calls: Arc<Mutex<CallCounts>>,
}

/// How often each call of each case has come: by the place of the fault, the call that fails, and the call that came.
type CallCounts = HashMap<(usize, Call, Call), usize>;

impl Stage {
    async fn start(dialect: Dialect, database: &TestDatabase, patience: Patience) -> Self {
        let fake = FakeProvider::start().await;
        let calls = Arc::new(Mutex::new(HashMap::new()));
        let counted = Arc::clone(&calls);
        fake.answer_with(move |request| {
            let case = Case::of(request);
            let call = match is_prose(request) {
                true => Call::Prose,
                false => Call::Sql,
            };
            let mut counted = counted.lock().expect("the counts");
            let count = counted.entry((case.index, case.call, call)).or_insert(0);
            *count += 1;
            match call == case.call {
                true => (case.fault().reply)(*count - 1, call),
                false => good(call),
            }
        });
        let server = TestServer::build(|config| {
            config.database.url = Some(database.url().into());
            dialect.select(&mut config.llm);
            for provider in [&mut config.llm.anthropic, &mut config.llm.openai] {
                provider.base_url = fake.url();
                provider.api_key = Some(KEY.to_owned().into());
            }
            // Nobody is to fail because the machine is busy.
            config.limits.pool_wait_timeout_ms = 60_000;
            // All faults come at once, and none is to keep the others from being played.
            config.limits.llm_breaker_failures_max = u32::MAX;
            config.limits.llm_breaker_failure_percent_max = 100;
            if patience == Patience::Short {
                config.limits.llm_retries_max = 1;
                config.limits.llm_first_token_timeout_ms = 4_000;
                config.limits.llm_idle_timeout_ms = 4_000;
                config.limits.llm_total_timeout_ms = 12_000;
            }
        })
        .await;
        Self {
            fake,
            server,
            calls,
        }
    }

    fn count(&self, case: Case, call: Call) -> usize {
        let calls = self.calls.lock().expect("the counts");
        calls
            .get(&(case.index, case.call, call))
            .copied()
            .unwrap_or(0)
    }

    fn forget(&self, case: Case) {
        let mut calls = self.calls.lock().expect("the counts");
        calls.retain(|(index, call, _), _| (*index, *call) != (case.index, case.call));
    }

    async fn play(&self, case: Case) {
        let mut client = Client::connect(&self.server).await;
        let question = format!("How many customers are there? {}", case.mark());
        let mut transcript = client.ask(&question).await;
        for _ in 0..REPLAYS_MAX {
            if case.fault().patience == Patience::Long || self.count(case, case.call) > 0 {
                break;
            }
            // On a busy machine the good call before it ran out of time: the fault has not been played.
            self.forget(case);
            transcript = client.ask(&question).await;
        }
        client.assert_quiet().await;
        // Shown only if the test fails.
        println!("{} in the {:?} call", case.fault().name, case.call);
        self.check(case, &transcript);
        for frame in &transcript.frames {
            assert_tells_no_thoughts(frame);
        }
        let id = transcript.last()["conversation_id"]
            .as_str()
            .expect("an id");
        let path = format!("/api/chat/conversations/{id}/");
        let history = self.server.http.get(self.server.url(&path)).send().await;
        let history = history.expect("an answer").json().await.expect("JSON");
        assert_tells_no_thoughts(&history);
    }

    fn check(&self, case: Case, transcript: &Transcript) {
        let expected = case.expected();
        let last = transcript.last();
        match expected.ending {
            faults::Ending::Answered(words) => {
                let reply = transcript.assert_answered()["reply"].as_str();
                assert!(reply.is_some_and(|reply| reply.contains(words)), "{last}");
                let calls = self.count(case, Call::Sql) + self.count(case, Call::Prose);
                assert_eq!(last["usage"]["calls"], calls, "{last}");
            }
            faults::Ending::Declined(code) => {
                transcript.assert_declined(code);
            }
            faults::Ending::Failed(code) => {
                assert_eq!(last["type"], "error", "{last}");
                assert_eq!(last["code"], code, "{last}");
            }
        }
        let retry_after = expected.retry_after_ms.map_or(Value::Null, |ms| json!(ms));
        assert_eq!(last["retry_after_ms"], retry_after, "{last}");
        assert_eq!(self.count(case, case.call), expected.calls, "{last}");
        let others = match case.call {
            Call::Prose => self.count(case, Call::Sql),
            Call::Sql => self.count(case, Call::Prose),
        };
        let is_answered = matches!(expected.ending, faults::Ending::Answered(_));
        let expected_others = usize::from(case.call == Call::Prose || is_answered);
        assert_eq!(others, expected_others, "{last}");
        // Words that somebody has read are never written a second time.
        if case.call == Call::Prose && !is_answered && !transcript.prose().is_empty() {
            assert_eq!(expected.calls, 1, "{last}");
        }
    }
}

async fn play_all(dialect: Dialect) {
    let started = Instant::now();
    let database = TestDatabase::create(
        "CREATE TABLE customers (id int PRIMARY KEY); INSERT INTO customers VALUES (1), (2), (3);",
    )
    .await;
    let watcher = database.admin().await;
    let tasks_before = Handle::current().metrics().num_alive_tasks();

    let long = Stage::start(dialect, &database, Patience::Long).await;
    let short = Stage::start(dialect, &database, Patience::Short).await;
    let cases = (0..FAULTS.len())
        .flat_map(|index| [Call::Sql, Call::Prose].map(|call| Case { index, call }));
    let cases: Vec<Case> = cases.collect();
    for (stage, patience) in [(&long, Patience::Long), (&short, Patience::Short)] {
        let cases = cases
            .iter()
            .filter(|case| case.fault().patience == patience);
        join_all(cases.map(|case| stage.play(*case))).await;
    }

    let mut calls_count = 0;
    for stage in [long, short] {
        let Stage {
            fake, mut server, ..
        } = stage;
        calls_count += fake.requests().len();
        fake.all_replies_ended().await;
        wait_for_sessions(&watcher, "AND state <> 'idle'", 0).await;
        server.stop();
        server.ended().await.expect("a good end");
        drop(server);
        fake.all_connections_closed().await;
    }
    wait_for_sessions(&watcher, "", 0).await;
    let deadline = Instant::now() + PATIENCE;
    while Handle::current().metrics().num_alive_tasks() > tasks_before {
        assert!(
            Instant::now() < deadline,
            "{} tasks, {tasks_before} before",
            Handle::current().metrics().num_alive_tasks()
        );
        tokio::task::yield_now().await;
    }
    println!(
        "{dialect:?}: {} cases, {calls_count} calls, {:?}",
        cases.len(),
        started.elapsed()
    );
}

/// A reply as it should be.
fn good(call: Call) -> Reply {
    match call {
        Call::Sql => Reply::text(&fenced(GOOD_SQL)),
        Call::Prose => Reply::text(PROSE),
    }
}

/// What a model thinks is neither shown nor kept.
fn assert_tells_no_thoughts(document: &Value) {
    let text = document.to_string();
    assert!(!text.contains(faults::THOUGHTS), "{text}");
}
