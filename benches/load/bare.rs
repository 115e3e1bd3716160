//! The least that a relay of the same stack does: for each question a status, and two calls, as db-chat makes them, the first for a
//! query, the second token by token to the socket. No guard, no bounds, no resume, no memory. The query goes nowhere, or, where a
//! database is named, to PostgreSQL through deadpool-postgres, in a read-only transaction.

use std::net::TcpListener;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use actix_ws::{Message, Session};
use deadpool_postgres::{Manager, Pool};
use eventsource_stream::Eventsource;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio_postgres::NoTls;
use tokio_util::task::TaskTracker;

use crate::{client, process, provider};

pub(crate) const ROLE: &str = "serve-bare-relay";

/// As many as db-chat has.
const DATABASE_CONNECTIONS_MAX: usize = 16;

/// How calls are made, by one worker thread.
#[derive(Clone)]
struct Upstream {
    http: reqwest::Client,
    url: String,
    /// Of all workers together.
    database: Option<Pool>,
}

/// Arguments: where the provider is, and the database if there is to be one.
pub(crate) async fn run(arguments: &[String]) {
    // Nothing here is encrypted, but reqwest wants to know how it would be.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = format!("{}/v1/messages", arguments[0]);
    let database = arguments.get(1).map(|url| {
        let manager = Manager::new(url.parse().unwrap(), NoTls);
        let pool = Pool::builder(manager).max_size(DATABASE_CONNECTIONS_MAX);
        pool.build().unwrap()
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = HttpServer::new(move || {
        let http = reqwest::Client::builder()
            .no_proxy()
            .tcp_nodelay(true)
            .build()
            .unwrap();
        let upstream = Upstream {
            http,
            url: url.clone(),
            database: database.clone(),
        };
        App::new()
            .app_data(web::Data::new(upstream))
            .route(client::PATH, web::get().to(upgrade))
    })
    // As db-chat does it.
    .tcp_nodelay(true)
    .disable_signals()
    .listen(listener)
    .unwrap()
    .run();
    let handle = server.handle();
    let tasks = TaskTracker::new();
    let stop = process::announce(&tasks, address);
    tasks.spawn(async move {
        stop.cancelled().await;
        handle.stop(false).await;
    });
    server.await.unwrap();
}

async fn upgrade(
    request: HttpRequest,
    body: web::Payload,
    upstream: web::Data<Upstream>,
) -> Result<HttpResponse, actix_web::Error> {
    let (response, mut session, mut messages) = actix_ws::handle(&request, body)?;
    actix_web::rt::spawn(async move {
        send(&mut session, &json!({"type": "status"})).await;
        while let Some(Ok(message)) = messages.recv().await {
            if let Message::Text(question) = message {
                relay(&upstream, &question, &mut session).await;
            }
        }
        let _ = session.close(None).await;
    });
    Ok(response)
}

async fn relay(upstream: &Upstream, question: &str, session: &mut Session) {
    send(
        session,
        &json!({"type": "status", "stage": "understanding"}),
    )
    .await;
    let mut sql = String::new();
    let mut reply = call(upstream, question).await;
    while let Some(text) = next_text(&mut reply).await {
        sql.push_str(&text);
    }
    let rows = match &upstream.database {
        Some(database) => ask(database, &sql).await,
        None => 0,
    };
    let mut reply = call(upstream, &format!("{} {question}", provider::PROSE_MARK)).await;
    while let Some(text) = next_text(&mut reply).await {
        send(session, &json!({"type": "llm_token", "token": text})).await;
    }
    let response = json!({"type": "chat_response", "sql_query": sql, "row_count": rows});
    send(session, &response).await;
}

/// Runs the query between its fences; how many rows it has.
async fn ask(database: &Pool, reply: &str) -> usize {
    let sql = reply.trim_start_matches("```sql").trim_end_matches("```");
    let mut client = database.get().await.unwrap();
    let transaction = client.build_transaction().read_only(true);
    let transaction = transaction.start().await.unwrap();
    let rows = transaction.query(sql, &[]).await.unwrap();
    transaction.rollback().await.unwrap();
    rows.len()
}

/// The data of each event.
type Reply = futures_util::stream::BoxStream<'static, String>;

async fn call(upstream: &Upstream, prompt: &str) -> Reply {
    let body = json!({"stream": true, "messages": [{"role": "user", "content": prompt}]});
    let request = upstream.http.post(&upstream.url).json(&body);
    let response = request.send().await.unwrap();
    let events = response.bytes_stream().eventsource();
    events.map(|event| event.unwrap().data).boxed()
}

/// The next piece of a reply's text, until its end.
async fn next_text(reply: &mut Reply) -> Option<String> {
    while let Some(data) = reply.next().await {
        let event: Value = serde_json::from_str(&data).unwrap();
        if let Some(text) = event["delta"]["text"].as_str() {
            return Some(text.to_owned());
        }
    }
    None
}

async fn send(session: &mut Session, frame: &Value) {
    // Fails only when the client is gone.
    let _ = session.text(frame.to_string()).await;
}
