//! Stopping the server while people use it.

use crate::support::server::TestServer;
use crate::support::turns::{echoing, played};

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_server_ends_and_tells_its_sockets_to_come_back() {
    let mut server = TestServer::start(echoing()).await;
    let mut socket = server.connect().await;
    server.stop();
    assert_eq!(socket.close_code().await, Some(1001));
    server.ended().await.expect("a good end");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_in_flight_are_finished_and_nothing_new_begins() {
    let (run_turn, mut playbook) = played();
    let mut server = TestServer::start(run_turn).await;
    let mut socket = server.connect().await;
    socket.ask("q", None).await;
    let turn = playbook.next().await;
    let asking = server.post(r#"{"query": "over REST"}"#).send();
    let (over_rest, asking) = (playbook.next(), asking);
    let stopping = async {
        let over_rest = over_rest.await;
        server.stop();
        // The stop has arrived once the probe says so.
        loop {
            let ready = server.http.get(server.url("/readyz")).send().await;
            if ready.expect("a response").status() == 503 {
                break;
            }
        }
        over_rest.answer("REST").await;
    };
    let (response, ()) = tokio::join!(asking, stopping);
    assert_eq!(response.expect("a response").status(), 200);

    let refused = server.post(r#"{"query": "too late"}"#).send().await;
    assert_eq!(refused.expect("a response").status(), 503);
    let handshake = crate::support::web_socket::handshake(server.address);
    assert!(tokio_tungstenite::connect_async(handshake).await.is_err());
    socket.ask("too-late", None).await;
    let refusal = socket.frame().await;
    assert_eq!(refusal["code"], "shutting_down");
    assert_eq!(refusal["request_id"], "too-late");

    turn.answer("in time").await;
    assert_eq!(socket.frame().await["reply"], "in time");
    assert_eq!(socket.close_code().await, Some(1001));
    server.ended().await.expect("a good end");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_answered_in_time_is_cancelled_with_a_final_frame() {
    let (run_turn, mut playbook) = played();
    let mut server = TestServer::start_with(run_turn, |config| {
        config.limits.shutdown_timeout_ms = 50;
    })
    .await;
    let mut socket = server.connect().await;
    socket.ask("q", None).await;
    let turn = playbook.next().await;
    let asking = server.post(r#"{"query": "over REST"}"#).send();
    let stopping = async {
        let over_rest = playbook.next().await;
        server.stop();
        over_rest.cancelled().await;
    };
    let (response, ()) = tokio::join!(asking, stopping);
    assert_eq!(response.expect("a response").status(), 503);
    turn.cancelled().await;
    let frame = socket.frame().await;
    assert_eq!(frame["code"], "shutting_down");
    assert_eq!(frame["seq"], 1);
    assert_eq!(socket.close_code().await, Some(1001));
    server.ended().await.expect("a good end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_ignores_its_cancellation_does_not_keep_the_server() {
    let mut server = TestServer::start_with(
        std::sync::Arc::new(|_, events| {
            Box::pin(async move {
                let _open = events;
                std::future::pending().await
            })
        }),
        |config| config.limits.shutdown_timeout_ms = 50,
    )
    .await;
    let mut socket = server.connect().await;
    socket.ask("q", None).await;
    // The status of another frame proves that the question was taken.
    socket.text("{").await;
    assert_eq!(socket.frame().await["code"], "invalid_request");
    server.stop();
    assert_eq!(socket.frames_of("q").await[0]["code"], "shutting_down");
    server.ended().await.expect("a good end");
}
