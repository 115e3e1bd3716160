//! API keys, over REST and over the socket.

use db_chat::app::{Application, BuildError, Services};
use db_chat::telemetry::metrics::Metrics;
use reqwest::Method;

use super::{add_key, knock, outcome, refused};
use crate::support::server::TestServer;
use crate::support::turns::{echoing, played};
use crate::support::web_socket::{Socket, handshake};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_every_door_and_without_one_all_are_shut() {
    let mut key = String::new();
    let server = TestServer::start_with(echoing(), |config| {
        add_key(config, "other");
        key = add_key(config, "reporting");
    })
    .await;
    let bearer = format!("Bearer {key}");
    for headers in [
        [("authorization", bearer.as_str())],
        [("authorization", &format!("bearer   {key} "))],
        [("x-api-key", &key)],
    ] {
        assert_eq!(knock(&server, &headers).await.status(), 200, "{headers:?}");
    }
    for (method, path) in [
        (Method::POST, "/api/chat/query/"),
        (Method::POST, "/api/chat/ticket/"),
        (Method::GET, "/api/chat/schema-info"),
        (Method::GET, "/api/chat/conversations/"),
        (
            Method::DELETE,
            "/api/chat/conversations/0b7e1a52-9c1d-4d5e-8f60-718293a4b5c6/",
        ),
        // What is not there is not told to strangers either.
        (Method::GET, "/api/chat/nothing"),
    ] {
        let response = server.http.request(method, server.url(path)).send().await;
        let response = response.expect("a response");
        assert_eq!(
            response.headers()["www-authenticate"],
            "Bearer realm=\"db-chat\"",
            "{path}"
        );
        assert_eq!(
            outcome(response).await,
            (401, "authentication_required".to_owned())
        );
    }
    for path in ["/", "/static/page.js", "/healthz", "/readyz"] {
        let response = server.http.get(server.url(path)).send().await;
        assert_eq!(response.expect("a response").status(), 200, "{path}");
    }

    let stranger = handshake(server.address);
    assert_eq!(
        refused(stranger).await,
        (401, "authentication_required".to_owned())
    );
    let mut known = handshake(server.address);
    known
        .headers_mut()
        .insert("authorization", bearer.parse().expect("a header"));
    let mut socket = Socket::open_with(known).await;
    assert_eq!(socket.frame().await["stage"], "connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_exactly_one_valid_key_is_refused() {
    let mut key = String::new();
    let server = TestServer::start_with(echoing(), |config| key = add_key(config, "ada")).await;
    let (bearer, basic) = (format!("Bearer {key}"), format!("Basic {key}"));
    let longer = format!("Bearer {key}A");
    for headers in [
        vec![("authorization", "Bearer x")],
        vec![("authorization", "Bearer")],
        vec![("authorization", "Bearer ")],
        vec![("authorization", longer.as_str())],
        vec![("authorization", basic.as_str())],
        vec![("authorization", key.as_str())],
        vec![("x-api-key", "")],
        vec![("x-api-key", bearer.as_str())],
        vec![
            ("authorization", bearer.as_str()),
            ("x-api-key", key.as_str()),
        ],
        vec![
            ("authorization", bearer.as_str()),
            ("authorization", bearer.as_str()),
        ],
    ] {
        let response = knock(&server, &headers).await;
        let challenge = response.headers()["www-authenticate"]
            .to_str()
            .expect("text");
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
        let text = response.text().await.expect("a body");
        assert!(text.contains("invalid_credentials"), "{headers:?} {text}");
        assert!(!text.contains(&key), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_knows_whose_key_asked() {
    let mut key = String::new();
    let (run_turn, mut playbook) = played();
    let server = TestServer::start_with(run_turn, |config| key = add_key(config, "ada")).await;
    let asking = server
        .post(r#"{"query": "q"}"#)
        .header("x-api-key", &key)
        .send();
    let playing = async {
        let turn = playbook.next().await;
        assert_eq!(turn.turn.principal.as_str(), "key:ada");
        turn.answer("a").await;
    };
    let (response, ()) = tokio::join!(asking, playing);
    assert_eq!(response.expect("a response").status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_allowed_origins_may_send_credentials_and_read_refusals() {
    let origin = "https://app.example.com";
    let server = TestServer::start_with(echoing(), |config| {
        add_key(config, "ada");
        config.server.allowed_origins = vec![origin.to_owned()];
    })
    .await;
    let preflight = server
        .http
        .request(Method::OPTIONS, server.url("/api/chat/ticket/"))
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,content-type",
        )
        .send()
        .await
        .expect("a response");
    assert_eq!(preflight.status(), 204);
    let allowed = &preflight.headers()["access-control-allow-headers"];
    for name in ["authorization", "x-api-key", "content-type"] {
        assert!(
            allowed.to_str().expect("text").contains(name),
            "{allowed:?}"
        );
    }
    let refusal = knock(&server, &[("origin", origin)]).await;
    assert_eq!(refusal.status(), 401);
    assert_eq!(refusal.headers()["access-control-allow-origin"], origin);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_others_reach_refuses_to_let_everybody_in() {
    let try_start = async |change: &dyn Fn(&mut db_chat::config::Config)| {
        let mut config =
            db_chat::config::resolve(None, std::iter::empty(), &[]).expect("the defaults");
        config.server.bind = "0.0.0.0:0".to_owned();
        change(&mut config);
        let store = db_chat::conversations::open(&config.conversations, &config.limits, None);
        let services = Services {
            run_turn: echoing(),
            store: store.expect("a store"),
            schema: std::sync::Arc::new(|| Box::pin(std::future::pending())),
            checks: Vec::new(),
            redis: None,
            audit: None,
            background: db_chat::pipeline::background::Background::default(),
            feedback: None,
            metrics: Metrics::default(),
        };
        Application::assemble(&config, services)
    };
    let Err(error) = try_start(&|_| {}).await else {
        panic!("it listens");
    };
    assert!(
        matches!(error, BuildError::Unauthenticated { .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("DB_CHAT_ALLOW_UNAUTHENTICATED_ACCESS"),
        "{error}"
    );
    let with_key = try_start(&|config| drop(add_key(config, "ada"))).await;
    assert!(with_key.is_ok());
    let in_spite = try_start(&|config| config.auth.allow_unauthenticated = true).await;
    assert!(in_spite.is_ok());
    let here = try_start(&|config| config.server.bind = "127.0.0.1:0".to_owned()).await;
    assert!(here.is_ok());
}
