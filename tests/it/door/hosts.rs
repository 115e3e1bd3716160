//! The names that the server may be called under: DNS rebinding.

use super::{knock, outcome, refused};
use crate::support::server::TestServer;
use crate::support::turns::echoing;
use crate::support::web_socket::handshake;

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_was_made_to_lead_here_opens_no_door() {
    let server = TestServer::start_with(echoing(), |config| {
        config.server.allowed_hosts = vec!["chat.example.com".to_owned()];
    })
    .await;
    let port = server.address.port();
    let not_allowed = (421, "host_not_allowed".to_owned());
    // The page is of the same origin by now: only the name tells.
    let evil = format!("evil.test:{port}");
    let origin = format!("http://{evil}");
    for headers in [
        vec![("host", evil.as_str())],
        vec![("host", &evil), ("origin", &origin)],
    ] {
        assert_eq!(outcome(knock(&server, &headers).await).await, not_allowed);
    }
    let mut request = handshake(server.address);
    request
        .headers_mut()
        .insert("host", evil.parse().expect("a header"));
    request
        .headers_mut()
        .insert("origin", origin.parse().expect("a header"));
    assert_eq!(refused(request).await, not_allowed);

    for host in [
        "localhost",
        "127.0.0.1",
        "[::1]",
        "192.0.2.7",
        "chat.example.com",
    ] {
        let (host, origin) = (format!("{host}:{port}"), format!("http://{host}:{port}"));
        let headers = [("host", host.as_str()), ("origin", origin.as_str())];
        assert_eq!(knock(&server, &headers).await.status(), 200, "{host}");
    }
}
