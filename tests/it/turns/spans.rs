//! Spans reach an OpenTelemetry collector, and hold nothing of what was asked or found.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use super::client::Client;
use super::rig::{KEY, PROSE, QUESTION, fenced};
use crate::support::fake_provider::{FakeProvider, Reply};
use crate::support::postgres::TestDatabase;
use crate::support::serve_process::ServeProcess;
use crate::support::tls_front::{Authority, TlsFront};
use crate::support::turns::PATIENCE;

/// One request as it came.
struct Exported {
    head: String,
    body: Vec<u8>,
}

/// Answers one request with 200.
async fn collect(listener: &TcpListener) -> Exported {
    let (stream, _) = listener.accept().await.expect("a connection");
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let read = stream.read_line(&mut head).await.expect("a line");
        assert_ne!(read, 0, "cut off: {head}");
    }
    let head = head.to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length = length.expect("a length").parse().expect("a number");
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.expect("a body");
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    stream.write_all(answer).await.expect("written");
    Exported { head, body }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_spans_of_a_question_reach_the_collector_by_the_end() {
    let collector = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", collector.local_addr().expect("an address"));
    the_spans_of_a_question_arrive(&collector, &endpoint, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn they_reach_it_over_tls_where_the_system_trusts_its_certificate() {
    let collector = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let authority = Authority::new();
    let target = collector.local_addr().expect("an address");
    let front = TlsFront::start(target, &authority).await;
    let folder = tempfile::tempdir().expect("a folder");
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, &authority.pem).expect("written");
    let roots = roots.to_str().expect("a path");
    let trusted = [("SSL_CERT_FILE", roots)];
    the_spans_of_a_question_arrive(&collector, &front.url(), &trusted).await;
}

async fn the_spans_of_a_question_arrive(
    collector: &TcpListener,
    endpoint: &str,
    variables: &[(&str, &str)],
) {
    let database = TestDatabase::create("CREATE TABLE customers AS SELECT 1 AS id").await;
    let fake = FakeProvider::start().await;
    let (url, base_url) = (database.url(), fake.url());
    let mut settings: Vec<(&str, &str)> = vec![
        ("DATABASE_URL", &url),
        ("LLM_PROVIDER", "anthropic"),
        ("ANTHROPIC_API_KEY", KEY),
        ("ANTHROPIC_BASE_URL", &base_url),
        // Spans are exported whatever the log leaves out.
        ("DB_CHAT_LOG", "error"),
        // Nothing is sent before the end.
        ("OTEL_BSP_SCHEDULE_DELAY", "3600000"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
    ];
    settings.extend_from_slice(variables);
    let mut process = ServeProcess::start(&settings).await;
    let mut client = Client::connect_to(process.address).await;
    fake.push(Reply::text(&fenced("SELECT id FROM public.customers")));
    fake.push(Reply::text(PROSE));
    let answered = client.ask(QUESTION).await;
    answered.assert_answered();
    client.leave().await;
    let both = async { tokio::join!(collect(collector), process.stop()) };
    let exported = tokio::time::timeout(PATIENCE, both).await;
    let (exported, ()) = exported.expect("spans in time");

    let head = &exported.head;
    assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf"));
    // Texts stand in Protobuf as they are.
    let text = String::from_utf8_lossy(&exported.body);
    let request_id = answered.last()["request_id"].as_str().expect("an id");
    for word in [
        "db-chat",
        "connection",
        "turn",
        "stage",
        "executing",
        "answered",
        request_id,
    ] {
        assert!(text.contains(word), "{word} in {text}");
    }
    for word in [QUESTION, "public.customers", PROSE, KEY] {
        assert!(!text.contains(word), "{word} in {text}");
    }
}
