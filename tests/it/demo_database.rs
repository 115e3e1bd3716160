//! The demo database: large, recent, consistent, the same everywhere, and read by a role that sees only
//! what the demo's policy shows.

use std::collections::BTreeSet;

use db_chat::app::demo::{self, ALLOWED_TABLES, DemoDatabase};
use db_chat::app::private_postgres::PrivatePostgres;
use db_chat::guard::policy::Policy;
use db_chat::postgres::catalog;
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

/// Each counts the rows that break a promise.
const BROKEN_PROMISES: &[(&str, &str)] = &[
    (
        "an order's total is what its parts make",
        "SELECT count(*) FROM orders WHERE total_amount <> items_amount - discount_amount + shipping_amount",
    ),
    (
        "an order's items make its amount",
        "SELECT count(*) FROM orders o WHERE items_amount IS DISTINCT FROM
            (SELECT sum(line_total) FROM order_items i WHERE i.order_id = o.id)",
    ),
    (
        "an order is paid once, in full",
        "SELECT count(*) FROM orders o WHERE total_amount IS DISTINCT FROM
            (SELECT sum(amount) FROM payments p WHERE p.order_id = o.id AND p.status <> 'FAILED')",
    ),
    (
        "what comes back is refunded",
        "SELECT count(*) FROM orders o WHERE status = 'Delivered' AND
            (SELECT sum(refunded_amount) FROM payments p WHERE p.order_id = o.id) <>
            least(total_amount, coalesce((SELECT sum(refund_amount) FROM returns r
                JOIN order_items i ON i.id = r.order_item_id WHERE i.order_id = o.id), 0))",
    ),
    (
        "nobody orders before signing up",
        "SELECT count(*) FROM orders o JOIN customers c ON c.id = o.customer_id WHERE c.created_at > o.ordered_at",
    ),
    (
        "nothing is ordered before its launch",
        "SELECT count(*) FROM order_items i JOIN orders o ON o.id = i.order_id JOIN products p ON p.id = i.product_id
            WHERE p.launched_on > o.ordered_at::date",
    ),
    (
        "both addresses of an order are its customer's",
        "SELECT count(*) FROM orders o JOIN addresses a ON a.id IN (o.billing_address_id, o.shipping_address_id)
            WHERE a.customer_id <> o.customer_id",
    ),
    (
        "a parcel leaves after the order and arrives after it left",
        "SELECT count(*) FROM shipments s JOIN orders o ON o.id = s.order_id
            WHERE s.shipped_at < o.ordered_at OR s.delivered_at < s.shipped_at",
    ),
    (
        "a delivered order has a delivered parcel",
        "SELECT count(*) FROM orders o WHERE status = 'Delivered' AND NOT EXISTS
            (SELECT FROM shipments s WHERE s.order_id = o.id AND s.delivered_at IS NOT NULL)",
    ),
    (
        "nothing has happened later than now",
        "SELECT (SELECT count(*) FROM customers WHERE created_at > now())
            + (SELECT count(*) FROM orders WHERE ordered_at > now())
            + (SELECT count(*) FROM payments WHERE paid_at > now())
            + (SELECT count(*) FROM shipments WHERE greatest(shipped_at, delivered_at) > now())
            + (SELECT count(*) FROM returns WHERE returned_at > now())
            + (SELECT count(*) FROM reviews WHERE reviewed_at > now())
            + (SELECT count(*) FROM support_tickets WHERE greatest(opened_at, closed_at) > now())
            + (SELECT count(*) FROM products WHERE launched_on > current_date)",
    ),
    (
        "nothing has happened before the last 24 months",
        "SELECT count(*) FROM orders WHERE ordered_at < current_date - interval '24 months'",
    ),
    (
        "every month of the last 23 has orders",
        "SELECT 23 - count(DISTINCT date_trunc('month', ordered_at)) FROM orders
            WHERE ordered_at >= date_trunc('month', now()) - interval '23 months'
            AND ordered_at < date_trunc('month', now())",
    ),
    (
        "no foreign key was taken on trust",
        "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated",
    ),
];

#[tokio::test]
async fn the_shop_is_large_recent_and_adds_up() {
    let (postgres, _) = demo_database().await;
    let admin = connect(&postgres.admin_url("shop")).await.unwrap();

    let tables = "SELECT count(*) FROM pg_stat_user_tables";
    assert!(number(&admin, tables).await >= 12);
    let rows = "SELECT sum(reltuples)::bigint FROM pg_class
        WHERE relkind = 'r' AND relnamespace IN ('public'::regnamespace, 'logistics'::regnamespace)";
    assert!(number(&admin, rows).await >= 100_000);
    for (promise, broken) in BROKEN_PROMISES {
        assert_eq!(number(&admin, broken).await, 0, "{promise}");
    }
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn questions_about_the_shop_have_answers() {
    let (postgres, database) = demo_database().await;
    let reader = connect(&database.url).await.unwrap();
    for question in [
        "SELECT count(*) FROM (SELECT FROM customers c JOIN orders o ON o.customer_id = c.id
            WHERE c.country = 'Germany' GROUP BY c.id HAVING count(*) > 3) AS regulars",
        "SELECT count(*) FROM support_tickets WHERE status = 'Open'",
        "SELECT count(DISTINCT status) - 1 FROM orders",
        "SELECT count(*) FROM low_stock",
        "SELECT count(*) FROM customers WHERE NOT EXISTS (SELECT FROM orders WHERE customer_id = customers.id)",
    ] {
        assert!(number(&reader, question).await > 0, "{question}");
    }
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn every_machine_gets_the_same_shop() {
    // What does not move with the date, and is not cut off where today ends.
    let digest = "SELECT ('x' || left(md5(
            (SELECT string_agg(concat_ws('|', id, name, email, city, segment), E'\\n' ORDER BY id) FROM customers WHERE id < 4500)
            || (SELECT string_agg(concat_ws('|', id, name, price, cost, colors, attributes), E'\\n' ORDER BY id) FROM products)
        ), 15))::bit(60)::bigint";
    let mut digests = Vec::new();
    for _ in 0..2 {
        let (postgres, _) = demo_database().await;
        let admin = connect(&postgres.admin_url("shop")).await.unwrap();
        digests.push(number(&admin, digest).await);
        postgres.stop().await.unwrap();
    }
    assert_eq!(digests[0], digests[1]);
}

#[tokio::test]
async fn the_role_reads_what_the_policy_shows_and_nothing_else() {
    let (postgres, database) = demo_database().await;
    let reader = connect(&database.url).await.unwrap();

    let policy = Policy::compile(ALLOWED_TABLES, "").unwrap();
    let snapshot = policy.apply(catalog::read(&reader).await.unwrap());
    let shown: BTreeSet<String> = snapshot
        .relations
        .iter()
        .flat_map(|relation| {
            let columns = relation.visible_columns();
            columns.map(|column| format!("{}.{}.{}", relation.schema, relation.name, column.name))
        })
        .collect();
    assert!(shown.contains("public.payments.method"));
    assert!(!shown.contains("public.payments.card_number"));
    assert!(!shown.iter().any(|name| name.contains("salary")));

    let readable: String = reader
        .query_one(
            "SELECT string_agg(format('%s.%s.%s', n.nspname, c.relname, a.attname), ',')
            FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname IN ('public', 'logistics') AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped
            AND has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT')",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    let readable: BTreeSet<String> = readable.split(',').map(str::to_owned).collect();
    assert_eq!(readable, shown);

    // The role could do this by itself; it must not matter.
    let writable = "SET default_transaction_read_only = off";
    reader.batch_execute(writable).await.unwrap();
    for forbidden in [
        "SELECT salary FROM staff",
        "SELECT count(*) FROM staff",
        "SELECT card_number FROM payments",
        "SELECT * FROM payments",
        "SELECT payments FROM payments",
        "CREATE TABLE public.mine ()",
        "CREATE TEMP TABLE mine ()",
        "UPDATE orders SET note = ''",
        "DELETE FROM reviews",
    ] {
        let error = reader.batch_execute(forbidden).await.expect_err(forbidden);
        assert_eq!(
            error.code(),
            Some(&SqlState::INSUFFICIENT_PRIVILEGE),
            "{forbidden}"
        );
    }
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn each_role_enters_its_own_database_only() {
    let (postgres, database) = demo_database().await;
    for (url, own, other) in [
        (&database.url, "/shop?", "/db_chat_state?"),
        (&database.state_url, "/db_chat_state?", "/shop?"),
        (&database.url, "/shop?", "/postgres?"),
    ] {
        assert!(connect(url).await.is_ok());
        let trespass = url.expose_secret().replace(own, other).into();
        let Err(error) = connect(&trespass).await else {
            panic!("{other} is open");
        };
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
    }
    let state = connect(&database.state_url).await.unwrap();
    state
        .batch_execute("CREATE SCHEMA own; CREATE TABLE own.rows (); DROP SCHEMA own CASCADE")
        .await
        .unwrap();
    postgres.stop().await.unwrap();
}

async fn demo_database() -> (PrivatePostgres, DemoDatabase) {
    let postgres = PrivatePostgres::start().await.unwrap();
    let database = demo::create(&postgres).await.unwrap();
    (postgres, database)
}

async fn connect(url: &SecretString) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url.expose_secret(), NoTls).await?;
    #[expect(clippy::disallowed_methods, reason = "ends with its client")]
    tokio::spawn(connection);
    Ok(client)
}

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.expect(sql).get(0)
}
