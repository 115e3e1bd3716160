//! Each way of ending a question from outside, at each place where a turn can be: the model's connection is closed, PostgreSQL has been
//! told, and nobody hears of the question again. How long it took is printed; that it happens at all is what is held here, since no
//! limit on time would hold on every machine.

use std::time::Instant;

use db_chat::config::Config;
use tokio_postgres::Client as Session;

use super::client::Client;
use super::rig::{GOOD_SQL, QUESTION, Rig, SLOW_SQL, fenced, held, wait_for_sessions};
use crate::support::fake_provider::{Gate, Reply};

/// Where a turn stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    SqlCall,
    /// In the queue of the model, behind somebody else's question.
    Queue,
    /// Between two tries of a call.
    Backoff,
    Execution,
    ProseCall,
}

const PLACES: [Place; 5] = [
    Place::SqlCall,
    Place::Queue,
    Place::Backoff,
    Place::Execution,
    Place::ProseCall,
];

/// A question that stands at its place.
struct Standing {
    rig: Rig,
    watcher: Session,
    client: Client,
    request_id: String,
    /// Somebody else's question, which takes the model's only place and must not be touched.
    neighbour: Option<(Client, String, Gate)>,
}

async fn stand_at(place: Place, change: impl FnOnce(&mut Config)) -> Standing {
    let rig = Rig::start_with(|config| {
        config.limits.llm_idle_timeout_ms = 60_000;
        config.limits.llm_retries_max = 2;
        if place == Place::Queue {
            config.limits.llm_concurrent_calls_max = 1;
        }
        change(config);
    })
    .await;
    let watcher = rig.database.admin().await;
    let mut client = rig.connect().await;
    let gate = Gate::new();
    let mut neighbour = None;
    let request_id = match place {
        Place::SqlCall => {
            rig.fake.push(held(&gate, "```sql\n", GOOD_SQL));
            let id = client.send(QUESTION).await;
            gate.reached().await;
            id
        }
        Place::Queue => {
            let mut other = rig.connect().await;
            rig.fake.push(held(&gate, "```sql\n", GOOD_SQL));
            let other_id = other.send(QUESTION).await;
            gate.reached().await;
            neighbour = Some((other, other_id, gate));
            let id = client.send(QUESTION).await;
            client.until("status", "stage", "waiting").await;
            id
        }
        Place::Backoff => {
            let failure = Reply::error(529, "overloaded_error");
            rig.fake.push(failure.header("retry-after", "9"));
            let id = client.send(QUESTION).await;
            rig.fake.request(0).await;
            rig.fake.all_replies_ended().await;
            id
        }
        Place::Execution => {
            rig.fake.push(Reply::text(&fenced(SLOW_SQL)));
            let id = client.send(QUESTION).await;
            client.until("status", "stage", "executing").await;
            let running = "state = 'active' AND query LIKE 'FETCH%'";
            wait_for_sessions(&watcher, running, 1).await;
            id
        }
        Place::ProseCall => {
            rig.fake.push(Reply::text(&fenced(GOOD_SQL)));
            rig.fake.push(held(&gate, "There ", "are 3."));
            let id = client.send(QUESTION).await;
            client.until("llm_token", "token", "There ").await;
            id
        }
    };
    Standing {
        rig,
        watcher,
        client,
        request_id,
        neighbour,
    }
}

/// Nothing of the question is at work any more, neither at the model nor at the database.
async fn assert_stopped(rig: &Rig, watcher: &Session, place: Place, since: Instant, how: &str) {
    match place {
        Place::SqlCall | Place::ProseCall => rig.fake.abandoned(1).await,
        Place::Execution => wait_for_sessions(watcher, "state = 'active'", 0).await,
        // There is no connection to be closed; what must not happen is looked at in the end.
        Place::Queue | Place::Backoff => {}
    }
    println!("{how} at {place:?}: stopped after {:?}", since.elapsed());
}

/// A neighbour is answered as if nothing had happened, and no call was made for the question that had stopped.
async fn assert_undisturbed(rig: &Rig, neighbour: Option<(Client, String, Gate)>, place: Place) {
    if let Some((mut other, id, gate)) = neighbour {
        gate.open();
        other.rest(&id).await.assert_answered();
        assert_eq!(rig.fake.requests().len(), 2, "{place:?}");
    }
    if place == Place::Backoff {
        assert_eq!(rig.fake.requests().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stop_button_stops_a_question_wherever_it_is() {
    for place in PLACES {
        let mut standing = stand_at(place, |_| {}).await;
        let since = Instant::now();
        standing.client.cancel(&standing.request_id).await;
        let transcript = standing.client.rest(&standing.request_id).await;
        transcript.assert_failed("cancelled", true);
        let neighbour = standing.neighbour.take();
        let Standing { rig, watcher, .. } = &standing;
        assert_stopped(rig, watcher, place, since, "button").await;
        assert_undisturbed(rig, neighbour, place).await;
        standing.client.assert_quiet().await;
        standing.client.ask(QUESTION).await.assert_answered();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_closes_stops_its_question_wherever_it_is() {
    for place in PLACES {
        let standing = stand_at(place, |_| {}).await;
        let Standing {
            rig,
            watcher,
            client,
            neighbour,
            ..
        } = standing;
        let since = Instant::now();
        client.leave().await;
        assert_stopped(&rig, &watcher, place, since, "closed socket").await;
        if place == Place::Queue {
            // The neighbour's place goes to whoever asks now, not to the question that is gone.
            let mut next = rig.connect().await;
            let id = next.send(QUESTION).await;
            next.until("status", "stage", "waiting").await;
            let (mut other, other_id, gate) = neighbour.expect("a neighbour");
            gate.open();
            other.rest(&other_id).await.assert_answered();
            next.rest(&id).await.assert_answered();
            assert_eq!(rig.fake.requests().len(), 4);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_stops_a_question_wherever_it_is() {
    for place in PLACES {
        let mut standing = stand_at(place, |config| {
            config.limits.shutdown_timeout_ms = 1;
        })
        .await;
        let since = Instant::now();
        standing.rig.server.stop();
        let transcript = standing.client.rest(&standing.request_id).await;
        transcript.assert_failed("shutting_down", true);
        let Standing { rig, watcher, .. } = &standing;
        assert_stopped(rig, watcher, place, since, "shutdown").await;
        standing.rig.server.ended().await.expect("a good end");
        standing.rig.fake.all_replies_ended().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_stops_a_question_wherever_it_is() {
    for (place, code) in [
        (Place::SqlCall, "provider_timeout"),
        (Place::Queue, "provider_busy"),
        // A pause beyond the deadline is not begun: the call ends with what it has seen.
        (Place::Backoff, "provider_unavailable"),
        (Place::Execution, "query_timeout"),
        (Place::ProseCall, "provider_timeout"),
    ] {
        let mut standing = stand_at(place, |config| {
            let limits = &mut config.limits;
            match place {
                Place::Queue => limits.llm_queue_timeout_ms = 500,
                Place::Execution => limits.statement_timeout_ms = 500,
                Place::SqlCall | Place::Backoff | Place::ProseCall => {
                    limits.llm_total_timeout_ms = 1_000;
                }
            }
        })
        .await;
        let since = Instant::now();
        let transcript = standing.client.rest(&standing.request_id).await;
        match place {
            Place::Execution => {
                transcript.assert_declined(code);
            }
            Place::SqlCall | Place::Queue | Place::Backoff | Place::ProseCall => {
                transcript.assert_failed(code, true);
            }
        }
        let neighbour = standing.neighbour.take();
        let Standing { rig, watcher, .. } = &standing;
        assert_stopped(rig, watcher, place, since, "deadline").await;
        assert_undisturbed(rig, neighbour, place).await;
        standing.client.assert_quiet().await;
    }
}
