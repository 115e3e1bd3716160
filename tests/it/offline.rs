//! The offline engine on the demo database: its answers are those of SQL written by hand, and the guard lets them through.

use chrono::{NaiveDate, Utc};
use db_chat::app::demo;
use db_chat::app::private_postgres::PrivatePostgres;
use db_chat::domain::schema::Snapshot;
use db_chat::guard::{self, policy::Policy};
use db_chat::offline::{Draft, PastTurn, draft, sample_questions};
use db_chat::postgres::catalog;
use secrecy::ExposeSecret;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use tokio_util::task::TaskTracker;

#[tokio::test]
async fn the_demo_questions_are_answered_like_sql_written_by_hand() {
    let shop = Shop::open().await;
    for (questions, by_hand) in [
        (vec!["How many customers are there?"], "SELECT count(*) FROM customers"),
        (
            vec!["orders by status"],
            "SELECT status, count(*) FROM orders GROUP BY 1 ORDER BY 2 DESC, 1",
        ),
        (
            vec!["What are the top 5 products by revenue?"],
            "SELECT p.name, sum(quantity * unit_price - discount) FROM order_items i JOIN products p ON p.id = i.product_id
             GROUP BY p.id ORDER BY 2 DESC, 1 LIMIT 5",
        ),
        (
            vec!["average order value per month this year"],
            "SELECT date_trunc('month', ordered_at)::date, avg(total_amount) FROM orders
             WHERE extract(year FROM ordered_at) = extract(year FROM now()) GROUP BY 1 ORDER BY 1",
        ),
        (
            vec!["customers in Germany with more than 3 orders"],
            "SELECT c.* FROM customers c WHERE country = 'Germany'
             AND (SELECT count(*) FROM orders o WHERE o.customer_id = c.id) > 3 ORDER BY id",
        ),
        (
            vec!["tickets still open"],
            "SELECT * FROM support_tickets WHERE closed_at IS NULL ORDER BY id",
        ),
        (
            vec!["revenue last month"],
            "SELECT sum(total_amount) FROM orders WHERE date_trunc('month', ordered_at)
             = date_trunc('month', now()) - interval '1 month'",
        ),
        (
            vec!["revenue last month", "and the month before?"],
            "SELECT sum(total_amount) FROM orders WHERE date_trunc('month', ordered_at)
             = date_trunc('month', now()) - interval '2 months'",
        ),
        (
            vec!["revenue last month", "and last year?", "only in Germany", "by month instead"],
            "SELECT date_trunc('month', ordered_at)::date, sum(total_amount) FROM orders o
             JOIN customers c ON c.id = o.customer_id WHERE c.country = 'Germany'
             AND date_trunc('year', ordered_at) = date_trunc('year', now()) - interval '1 year' GROUP BY 1 ORDER BY 1",
        ),
        (
            vec!["customers who never ordered"],
            "SELECT * FROM customers WHERE id NOT IN (SELECT customer_id FROM orders) ORDER BY id",
        ),
        (
            vec!["top 3 products by average rating"],
            "SELECT p.name, avg(rating) FROM reviews r JOIN products p ON p.id = r.product_id
             GROUP BY p.id ORDER BY 2 DESC, 1, p.id LIMIT 3",
        ),
        (
            vec!["how many shipments are in transit?"],
            "SELECT count(*) FROM shipments WHERE status = 'In Transit'",
        ),
        (
            vec!["how many customers ordered this year"],
            "SELECT count(DISTINCT customer_id) FROM orders WHERE date_trunc('year', ordered_at) = date_trunc('year', now())",
        ),
        (
            vec!["how many customers who ordered this year"],
            "SELECT count(DISTINCT customer_id) FROM orders WHERE date_trunc('year', ordered_at) = date_trunc('year', now())",
        ),
        (
            vec!["how many products ordered last month"],
            "SELECT count(DISTINCT product_id) FROM order_items i JOIN orders o ON o.id = i.order_id
             WHERE date_trunc('month', ordered_at) = date_trunc('month', now()) - interval '1 month'",
        ),
        (
            vec!["average price of products ordered last month"],
            "SELECT avg(price) FROM products WHERE id IN (SELECT product_id FROM order_items i JOIN orders o ON o.id = i.order_id
             WHERE date_trunc('month', ordered_at) = date_trunc('month', now()) - interval '1 month')",
        ),
        (
            vec!["revenue from customers who signed up last year"],
            "SELECT sum(total_amount) FROM orders o JOIN customers c ON c.id = o.customer_id
             WHERE date_trunc('year', created_at) = date_trunc('year', now()) - interval '1 year'",
        ),
        (
            vec!["how many payments of orders placed last month"],
            "SELECT count(*) FROM payments p JOIN orders o ON o.id = p.order_id
             WHERE date_trunc('month', ordered_at) = date_trunc('month', now()) - interval '1 month'",
        ),
        (
            vec!["how many shipments of orders placed last month"],
            "SELECT count(*) FROM shipments s JOIN orders o ON o.id = s.order_id
             WHERE date_trunc('month', ordered_at) = date_trunc('month', now()) - interval '1 month'",
        ),
        (
            vec!["how many orders last year and this year"],
            "SELECT count(*) FROM orders WHERE date_trunc('year', ordered_at) >= date_trunc('year', now()) - interval '1 year'",
        ),
        (
            vec!["how many orders in March and April"],
            "SELECT count(*) FROM orders WHERE extract(month FROM ordered_at) IN (3, 4) AND ordered_at >= now() - interval '1 year'",
        ),
        (
            vec!["how many customers with more than 2 orders over 100"],
            "SELECT count(*) FROM customers c WHERE (SELECT count(*) FROM orders o WHERE customer_id = c.id AND total_amount > 100) > 2",
        ),
        (
            vec!["total of orders by status"],
            "SELECT status, sum(total_amount) FROM orders GROUP BY 1 ORDER BY 2 DESC, 1",
        ),
        (
            vec!["how many customers named Jonas"],
            "SELECT count(*) FROM customers WHERE name LIKE 'Jonas %'",
        ),
        (
            vec!["how many orders in the last 7 days"],
            "SELECT count(*) FROM orders WHERE ordered_at >= current_date - 6 AND ordered_at < current_date + 1",
        ),
        (
            vec!["how many orders in the last year"],
            "SELECT count(*) FROM orders WHERE ordered_at >= current_date - interval '1 year' AND ordered_at < current_date + 1",
        ),
        (
            vec!["how many customers in Berlin"],
            "SELECT count(*) FROM customers WHERE city = 'Berlin'",
        ),
    ] {
        let answered = shop.rows(&shop.answer(&questions)).await;
        assert_eq!(answered, shop.rows(by_hand).await, "{questions:?}");
    }
}

#[tokio::test]
async fn what_is_hidden_or_not_understood_is_declined_without_a_trace() {
    let shop = Shop::open().await;
    for question in [
        "What are the salaries?",
        "average salary of staff",
        "show the staff",
        "card numbers of payments",
        "customers who bought twice in Berlin on Tuesday",
        "delete all customers",
        "orders by customers who signed up this year",
        "reviews by customers who signed up in 2025",
        "customers who bought products in March",
        "orders in March and April 2025",
        "average rating of products in Grills",
        "revenue from Grills in Germany",
        "orders at Christmas",
        "how many orders have reviews",
        "orders with reviews",
        "orders without customers from Germany",
        "customers with more than 3 orders in Germany",
        "total stock",
        "how many colors",
        "customers born in March",
    ] {
        let Draft::Cannot {
            reason,
            suggestions,
        } = draft(question, &[], &shop.snapshot, shop.today)
        else {
            panic!("answered: {question}");
        };
        assert_eq!(suggestions.len(), 3, "{question}");
        for word in ["staff", "salary", "card_number"] {
            let repeated = question.contains(word);
            assert!(repeated || !reason.contains(word), "{reason}");
            assert!(
                suggestions.iter().all(|s| !s.contains(word)),
                "{suggestions:?}"
            );
        }
    }
}

#[tokio::test]
async fn every_sample_question_runs() {
    let shop = Shop::open().await;
    let samples = sample_questions(&shop.snapshot, 12);
    assert_eq!(samples.len(), 12);
    for sample in &samples {
        assert!(
            !shop.rows(&shop.answer(&[sample])).await.is_empty(),
            "{sample}"
        );
    }
}

/// The demo database with what its policy shows.
struct Shop {
    client: Client,
    snapshot: Snapshot,
    today: NaiveDate,
    _server: PrivatePostgres,
}

impl Shop {
    async fn open() -> Self {
        let server = PrivatePostgres::start().await.unwrap();
        demo::create(&server).await.unwrap();
        let url = server.admin_url("shop");
        let (client, connection) = tokio_postgres::connect(url.expose_secret(), NoTls)
            .await
            .unwrap();
        // Ends with the client.
        TaskTracker::new().spawn(connection);
        let catalog = catalog::read(&client).await.unwrap();
        let policy = Policy::compile(demo::ALLOWED_TABLES, "").unwrap();
        Self {
            snapshot: policy.apply(catalog),
            client,
            today: Utc::now().date_naive(),
            _server: server,
        }
    }

    /// The SQL of the last question, as the guard lets it through.
    fn answer(&self, questions: &[&str]) -> String {
        let (last, before) = questions.split_last().unwrap();
        let history: Vec<PastTurn<'_>> = before
            .iter()
            .map(|question| PastTurn {
                question,
                sql: Some("SELECT 1"),
            })
            .collect();
        match draft(last, &history, &self.snapshot, self.today) {
            Draft::Sql { sql, .. } => guard::check(&sql, &self.snapshot)
                .unwrap()
                .as_str()
                .to_owned(),
            Draft::Cannot { reason, .. } => panic!("{last}: {reason}"),
        }
    }

    /// Rows as text.
    async fn rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let messages = self.client.simple_query(sql).await.unwrap();
        messages
            .iter()
            .filter_map(|message| {
                let SimpleQueryMessage::Row(row) = message else {
                    return None;
                };
                let cells = 0..row.len();
                Some(cells.map(|at| row.get(at).map(str::to_owned)).collect())
            })
            .collect()
    }
}
