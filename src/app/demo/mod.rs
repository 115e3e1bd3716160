//! The demo database: a shop with two years of orders, and the roles that db-chat uses on it.
//!
//! In: a private server. Out: a filled database, the URL of a role that can read only what the demo's
//! policy shows, and the URL of db-chat's own database beside it. It must not know who asks.
//!
//! The rows are made by SQL, the same ones on every machine; only their dates move along, so that
//! "last month" always has something in it. See `people.sql` for how.

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::NoTls;

use super::private_postgres::{PrivatePostgres, random_password};

/// What the demo lets be seen, as `ALLOWED_TABLES` takes it: all but the staff and the card numbers.
/// `grants.sql` draws the same line a second time, in the database.
pub const ALLOWED_TABLES: &str = "public.*,logistics.*,!public.staff,!public.payments.card_number";

/// The shop.
const SHOP_DATABASE: &str = "shop";

/// Whom db-chat asks as: may read what the policy shows and do nothing else.
const SHOP_READER: &str = "shop_reader";

/// db-chat's own database, and the role that owns it.
const STATE_NAME: &str = "db_chat_state";

/// In this order, in one transaction, so that every "now" in them is the same.
const SHOP_SQL: [&str; 6] = [
    include_str!("schema.sql"),
    include_str!("people.sql"),
    include_str!("goods.sql"),
    include_str!("sales.sql"),
    include_str!("service.sql"),
    include_str!("grants.sql"),
];

/// Where the demo is.
#[derive(Debug, Clone)]
pub struct DemoDatabase {
    /// The shop, as a role that may only read.
    pub url: SecretString,
    /// An empty database that db-chat owns, for its audit log.
    pub state_url: SecretString,
}

/// The demo database could not be made: a fault of ours, or the server went away.
#[derive(Debug, thiserror::Error)]
#[error("the demo database was not created: {step} failed")]
pub struct DemoError {
    step: &'static str,
    #[source]
    source: tokio_postgres::Error,
}

/// Fills the server with the demo, some 156,000 rows: about five seconds on two busy cores.
///
/// # Errors
/// A statement fails; it can be tried again on a new server only.
pub async fn create(postgres: &PrivatePostgres) -> Result<DemoDatabase, DemoError> {
    let reader_password = random_password();
    let state_password = random_password();

    let roles = format!(
        "CREATE ROLE {SHOP_READER} LOGIN NOINHERIT PASSWORD '{}';
         CREATE ROLE {STATE_NAME} LOGIN NOINHERIT PASSWORD '{}';",
        reader_password.expose_secret(),
        state_password.expose_secret(),
    );
    // PUBLIC may connect to every new database and make temporary tables there; these are for one role each.
    let doors = format!(
        "REVOKE ALL ON DATABASE {SHOP_DATABASE}, {STATE_NAME}, postgres FROM PUBLIC;
         GRANT CONNECT ON DATABASE {SHOP_DATABASE} TO {SHOP_READER};
         COMMENT ON DATABASE {SHOP_DATABASE} IS 'A shop for home, garden and travel';"
    );
    run(
        &postgres.admin_url("postgres"),
        "creating the databases",
        &[
            &roles,
            // CREATE DATABASE does not share a transaction with anything.
            &format!("CREATE DATABASE {SHOP_DATABASE}"),
            &format!("CREATE DATABASE {STATE_NAME} OWNER {STATE_NAME}"),
            &doors,
        ],
    )
    .await?;

    let mut statements = vec!["BEGIN", "SET LOCAL work_mem = '64MB'"];
    statements.extend(SHOP_SQL);
    statements.extend(["COMMIT", "ANALYZE"]);
    run(
        &postgres.admin_url(SHOP_DATABASE),
        "making the shop's rows",
        &statements,
    )
    .await?;

    Ok(DemoDatabase {
        url: postgres.url(SHOP_READER, &reader_password, SHOP_DATABASE),
        state_url: postgres.url(STATE_NAME, &state_password, STATE_NAME),
    })
}

/// Runs texts of ours, one after the other, on one connection.
async fn run(url: &SecretString, step: &'static str, texts: &[&str]) -> Result<(), DemoError> {
    let work = async {
        let (client, connection) = tokio_postgres::connect(url.expose_secret(), NoTls).await?;
        let statements = async {
            for text in texts {
                client.batch_execute(text).await?;
            }
            Ok(())
        };
        tokio::select! {
            done = statements => done,
            // The connection ends first only when it fails; the statements then see it, too.
            Err(error) = connection => Err(error),
        }
    };
    work.await.map_err(|source| DemoError { step, source })
}
