//! An instance stops while its clients follow questions that another one answers.

use super::support::{CONVERSATION, Instance, checked_prose, resume, say};
use crate::support::fake_provider::{FakeProvider, Gate, Reply, Stop};
use crate::support::postgres::TestDatabase;
use crate::support::redis::RedisServer;
use crate::support::serve_process::ServeProcess;
use crate::support::web_socket::Socket;

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stops_does_not_wait_for_what_another_one_answers() {
    let gate = Gate::new();
    let fake = FakeProvider::start().await;
    let held = gate.clone();
    fake.answer_with(
        move |request| match request.system().starts_with("You tell a person") {
            true => {
                let begun = Reply::script().begin().delta("There ").delta("are ");
                begun.wait(&held).delta("3.").finish(Stop::Complete)
            }
            false => Reply::text("```sql\nSELECT count(*) AS customers FROM public.customers\n```"),
        },
    );
    let database = TestDatabase::create(
        "CREATE TABLE customers (id int PRIMARY KEY); INSERT INTO customers VALUES (1), (2), (3); ANALYZE",
    )
    .await;
    let redis = RedisServer::start().await;
    let (database_url, redis_url, fake_url) = (database.url(), redis.url(), fake.url());
    let settings = [
        ("DATABASE_URL", database_url.as_str()),
        ("REDIS_URL", &redis_url),
        ("LLM_PROVIDER", "anthropic"),
        ("ANTHROPIC_API_KEY", "sk-none"),
        ("ANTHROPIC_BASE_URL", &fake_url),
        // Longer than the test waits for a process to end.
        ("DB_CHAT_SHUTDOWN_TIMEOUT_MS", "120000"),
    ];
    let mut answers = ServeProcess::start(&settings).await;
    let mut stops = ServeProcess::start(&settings).await;
    let mut asker = Socket::open(answers.address).await;
    asker.ask("q", Some(CONVERSATION)).await;
    while asker.frame().await["token"] != "are " {}
    let mut follower = Socket::open(stops.address).await;
    resume(&mut follower, "q", 0).await;
    let mut seen = 0;
    loop {
        let frame = follower.frame().await;
        seen += 1;
        assert_eq!(frame["seq"], seen);
        if frame["token"] == "are " {
            break;
        }
    }

    let (closed, ()) = tokio::join!(follower.close_code(), stops.stop());
    assert_eq!(closed, Some(1001));
    let mut follower = Socket::open(answers.address).await;
    resume(&mut follower, "q", seen).await;
    gate.open();
    let frames = follower.frames_of("q").await;
    checked_prose(&frames, seen + 1);
    assert_eq!(frames.last().expect("frames")["type"], "chat_response");
    answers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_stops_ends_its_own_questions_before_it_closes() {
    let redis = RedisServer::start().await;
    let mut one = Instance::start(&redis.url()).await;
    let mut two = Instance::start(&redis.url()).await;
    let (mut at_one, mut at_two) = (one.server.connect().await, two.server.connect().await);
    at_one.ask("elsewhere", None).await;
    let elsewhere = one.playbook.next().await;
    at_two.ask("here", None).await;
    let here = two.playbook.next().await;
    resume(&mut at_two, "elsewhere", 0).await;
    say(&elsewhere, "a").await;
    assert_eq!(at_two.frame().await["token"], "a");
    two.server.stop();
    // The stop has arrived once new questions are refused; until then they are answered.
    loop {
        at_two.ask("new", None).await;
        tokio::select! {
            turn = two.playbook.next() => {
                turn.answer("new").await;
                at_two.frames_of("new").await;
            }
            frame = at_two.frame() => {
                assert_eq!(frame["code"], "shutting_down");
                break;
            }
        }
    }
    say(&elsewhere, "b").await;
    assert_eq!(at_two.frame().await["token"], "b");
    here.answer("here").await;
    assert_eq!(at_two.frames_of("here").await[0]["reply"], "here");
    assert_eq!(at_two.close_code().await, Some(1001));
    two.server.ended().await.expect("a good end");
    elsewhere.answer("a b").await;
    let frames = at_one.frames_of("elsewhere").await;
    assert_eq!(frames.last().expect("frames")["reply"], "a b");
}
