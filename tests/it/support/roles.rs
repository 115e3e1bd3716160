//! Roles made by what `db-chat grants` prints.

use db_chat::cli::grants::{GrantsArgs, run};
use db_chat::config::Config;
use tokio_postgres::Client;

use super::postgres::TestDatabase;

pub(crate) fn config(url: &str, allowed_tables: &str) -> Config {
    let flags = [
        ("DATABASE_URL".to_owned(), url.to_owned()),
        ("ALLOWED_TABLES".to_owned(), allowed_tables.to_owned()),
    ];
    db_chat::config::resolve(None, std::iter::empty(), &flags).expect("settings")
}

/// What the command prints.
pub(crate) async fn printed(config: &Config, role: &str, drop: bool) -> String {
    let args = GrantsArgs {
        role: role.to_owned(),
        connections: None,
        drop,
    };
    let mut output = Vec::new();
    run(args, config, &mut output).await.expect("SQL");
    String::from_utf8(output).expect("text")
}

/// Makes the role and gives it a password; its URL.
pub(crate) async fn granted(database: &TestDatabase, role: &str, allowed_tables: &str) -> String {
    let sql = printed(&config(&database.url(), allowed_tables), role, false).await;
    let admin = database.admin().await;
    for _ in 0..2 {
        admin
            .batch_execute(&sql)
            .await
            .unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
    }
    let password = format!("ALTER ROLE \"{role}\" PASSWORD 'p'");
    admin.batch_execute(&password).await.expect("a password");
    database.url_as(role, "p")
}

pub(crate) async fn connect_as(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .expect("a connection");
    tokio_util::task::TaskTracker::new().spawn(connection);
    client
}
