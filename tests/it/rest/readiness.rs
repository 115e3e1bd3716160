//! `/readyz`: what it says of each dependency.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn readiness_tells_the_state_of_each_dependency() {
    let asked = Arc::new(AtomicUsize::new(0));
    let down = |name, is_required| {
        let asked = Arc::clone(&asked);
        Check {
            name,
            is_required,
            instead: None,
            kind: None,
            model: None,
            probe: Some(Arc::new(move || {
                asked.fetch_add(1, Ordering::SeqCst);
                Box::pin(async {
                    Err(WireError::new(
                        ErrorCode::DatabaseUnavailable,
                        "It is away.",
                    ))
                })
            })),
        }
    };
    let up = || Check {
        name: "store",
        is_required: true,
        instead: None,
        kind: Some("memory"),
        model: None,
        probe: Some(Arc::new(|| Box::pin(async { Ok(()) }))),
    };
    let off = || Check {
        name: "audit",
        is_required: false,
        instead: None,
        kind: None,
        model: None,
        probe: None,
    };
    let replaceable = || Check {
        instead: Some("fallback"),
        ..down("provider", true)
    };
    let standing_in = || Check {
        name: "fallback",
        is_required: false,
        ..up()
    };
    for (checks, status, word) in [
        (vec![up(), off()], 200, "ready"),
        (vec![up(), down("audit", false)], 200, "degraded"),
        (vec![up(), down("database", true)], 503, "not_ready"),
        (vec![up(), replaceable(), standing_in()], 200, "degraded"),
        (
            vec![up(), replaceable(), down("fallback", false)],
            503,
            "not_ready",
        ),
    ] {
        let server = TestServer::start_checked(echoing(), checks, |_| {}).await;
        let response = server
            .http
            .get(server.url("/readyz"))
            .send()
            .await
            .expect("a response");
        assert_eq!(response.status(), status);
        let body: Value = response.json().await.expect("JSON");
        assert_eq!(body["status"], word);
        assert_eq!(body["checks"][0]["status"], "up");
        assert_eq!(body["checks"][0]["kind"], "memory");
        let health = server
            .http
            .get(server.url("/healthz/"))
            .send()
            .await
            .expect("a response");
        assert_eq!(health.status(), 200);
        let health: Value = health.json().await.expect("JSON");
        assert_eq!(health["demo"], false);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 5);
}
