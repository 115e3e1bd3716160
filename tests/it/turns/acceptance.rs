//! The questions that the product is measured by, on the demo database: the offline engine, a model that speaks
//! Anthropic's dialect and one that speaks OpenAI's give the rows that PostgreSQL gives to SQL written by hand.

use db_chat::app::demo::{self, DemoDatabase};
use db_chat::config::{Config, ProviderKind};
use tokio_postgres::Client as Session;

use super::client::{Client, Transcript};
use super::rig::{KEY, fenced, is_prose};
use crate::support::fake_provider::{FakeProvider, Reply, Request};
use crate::support::postgres::{self, as_psql_prints};
use crate::support::server::TestServer;

/// The SQL by hand runs as it is: in PostgreSQL directly, and through the guard where it is the model's.
const QUESTIONS: [(&str, &str); 7] = [
    (
        "How many customers are there?",
        "SELECT count(*) FROM public.customers",
    ),
    (
        "orders by status",
        "SELECT status, count(*) FROM public.orders GROUP BY 1 ORDER BY 2 DESC, 1",
    ),
    (
        "What are the top 5 products by revenue?",
        "SELECT p.name, sum(i.quantity * i.unit_price - i.discount) FROM public.order_items i
         JOIN public.products p ON p.id = i.product_id GROUP BY p.id ORDER BY 2 DESC, 1 LIMIT 5",
    ),
    (
        "average order value per month this year",
        "SELECT date_trunc('month', ordered_at)::date, avg(total_amount) FROM public.orders
         WHERE extract(year FROM ordered_at) = extract(year FROM now()) GROUP BY 1 ORDER BY 1",
    ),
    (
        "customers in Germany with more than 3 orders",
        "SELECT c.* FROM public.customers c WHERE c.country = 'Germany'
         AND (SELECT count(*) FROM public.orders o WHERE o.customer_id = c.id) > 3 ORDER BY c.id",
    ),
    (
        "tickets still open",
        "SELECT * FROM public.support_tickets WHERE closed_at IS NULL ORDER BY id",
    ),
    (
        "revenue last month",
        "SELECT sum(total_amount) FROM public.orders
         WHERE date_trunc('month', ordered_at) = date_trunc('month', now()) - interval '1 month'",
    ),
];

/// Asked after the last of them.
const FOLLOW_UP: (&str, &str) = (
    "and the month before?",
    "SELECT sum(total_amount) FROM public.orders
     WHERE date_trunc('month', ordered_at) = date_trunc('month', now()) - interval '2 months'",
);

/// Asks for what the policy hides, and what a model that was not told better would try.
const HIDDEN: (&str, &str) = (
    "What do the people who work here earn? Show me the salaries.",
    "SELECT name, salary FROM public.staff",
);

/// Names of what is hidden.
const HIDDEN_WORDS: [&str; 5] = ["staff", "salary", "job_title", "manager_id", "card_number"];

#[tokio::test(flavor = "multi_thread")]
async fn three_engines_give_the_rows_of_sql_written_by_hand() {
    let server = postgres::server().await;
    let demo = demo::create(server).await.expect("the demo database");
    let by_hand = postgres::connect(&server.admin_url("shop")).await;

    assert_answers_rightly(&demo, &by_hand, ProviderKind::Offline, |_| {}).await;
    for kind in [ProviderKind::Anthropic, ProviderKind::OpenAi] {
        let fake = FakeProvider::start().await;
        fake.answer_with(answer);
        let url = fake.url();
        assert_answers_rightly(&demo, &by_hand, kind, |config| {
            for provider in [&mut config.llm.anthropic, &mut config.llm.openai] {
                provider.base_url = url.clone();
                provider.api_key = Some(KEY.to_owned().into());
            }
        })
        .await;

        let requests = fake.requests();
        let sql_calls = requests.iter().filter(|request| !is_prose(request)).count();
        // Two for each answer; the last question took one and its two repairs.
        assert_eq!((sql_calls, requests.len()), (8 + 3, 16 + 3));
        for request in &requests[..16] {
            let told = request.body.to_string();
            for word in HIDDEN_WORDS {
                assert!(!told.contains(word), "the model was told of {word}");
            }
        }
    }
}

/// What the fake model says.
fn answer(request: &Request) -> Reply {
    if is_prose(request) {
        return Reply::text("This is what I found.");
    }
    let question = request.last_message();
    let mut known = QUESTIONS.iter().chain([&FOLLOW_UP]);
    let (_, sql) = known
        .find(|(known, _)| question.ends_with(known))
        .unwrap_or(&HIDDEN);
    Reply::text(&fenced(sql))
}

async fn assert_answers_rightly(
    demo: &DemoDatabase,
    by_hand: &Session,
    kind: ProviderKind,
    change: impl FnOnce(&mut Config),
) {
    let server = TestServer::build(|config| {
        config.database.url = Some(demo.url.clone());
        config.policy.allowed_tables = demo::ALLOWED_TABLES.to_owned();
        config.llm.provider = kind;
        change(config);
    })
    .await;
    let mut client = Client::connect(&server).await;
    let mut latest = None;
    for (question, sql) in QUESTIONS {
        let transcript = client.ask(question).await;
        assert_rows(&transcript, by_hand, kind, sql).await;
        latest = Some(transcript);
    }
    let latest = latest.expect("questions");
    let transcript = client.follow_up(&latest, FOLLOW_UP.0).await;
    assert_rows(&transcript, by_hand, kind, FOLLOW_UP.1).await;

    let transcript = client.ask(HIDDEN.0).await;
    let code = match kind {
        ProviderKind::Offline => "not_answerable",
        ProviderKind::Anthropic | ProviderKind::OpenAi => "query_refused",
    };
    transcript.assert_declined(code);
    for frame in &transcript.frames {
        let text = frame.to_string().to_lowercase();
        for word in HIDDEN_WORDS {
            assert!(!text.contains(word), "{kind:?}: {word} in {frame}");
        }
    }
    client.assert_quiet().await;
}

/// The Markdown table holds each cell as PostgreSQL prints it.
async fn assert_rows(transcript: &Transcript, by_hand: &Session, kind: ProviderKind, sql: &str) {
    let answer = transcript.assert_answered();
    let (_, rows) = as_psql_prints(by_hand, sql).await;
    assert!(!rows.is_empty(), "{sql}");
    let printed: Vec<String> = rows
        .iter()
        .map(|row| {
            let cells = row.iter().map(|cell| cell.as_deref().unwrap_or("NULL"));
            cells.map(|cell| format!("| {cell} ")).collect::<String>() + "|"
        })
        .collect();
    let table = answer["raw_result"].as_str().expect("a table");
    let answered: Vec<&str> = table.lines().skip(2).collect();
    let shown_max = db_chat::config::Limits::default().rows_max;
    assert_eq!(
        answered,
        printed[..printed.len().min(shown_max)],
        "{kind:?}: {sql}"
    );
    assert_eq!(answer["row_count"], answered.len());
    assert_eq!(answer["truncated"], printed.len() > shown_max);
    // Prose comes in pieces, and whole in the answer.
    assert_eq!(answer["reply"], transcript.prose());
}
