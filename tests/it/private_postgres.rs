//! The throwaway server: it answers, keeps strangers out, and leaves nothing behind.

use std::path::Path;
use std::time::Duration;

use db_chat::app::private_postgres::PrivatePostgres;
use secrecy::{ExposeSecret, SecretString};

#[tokio::test]
async fn a_private_server_answers_on_a_port_of_its_own() {
    let first = PrivatePostgres::start().await.unwrap();
    let second = PrivatePostgres::start().await.unwrap();
    assert_ne!(first.port(), second.port());
    assert_eq!(ask(&first.admin_url("postgres")).await.unwrap(), "UTC");
    assert_eq!(ask(&second.admin_url("postgres")).await.unwrap(), "UTC");
    first.stop().await.unwrap();
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let postgres = PrivatePostgres::start().await.unwrap();
    let url = postgres.url("postgres", &"guess".into(), "postgres");
    let error = ask(&url).await.unwrap_err();
    assert_eq!(
        error.code(),
        Some(&tokio_postgres::error::SqlState::INVALID_PASSWORD)
    );
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn stopping_leaves_neither_server_nor_directory() {
    let postgres = PrivatePostgres::start().await.unwrap();
    let (directory, url) = (
        postgres.directory().to_owned(),
        postgres.admin_url("postgres"),
    );
    assert!(directory.exists());
    postgres.stop().await.unwrap();
    assert!(!directory.exists());
    assert!(ask(&url).await.is_err());
}

#[tokio::test]
async fn dropping_leaves_neither_server_nor_directory() {
    let postgres = PrivatePostgres::start().await.unwrap();
    let (directory, url) = (
        postgres.directory().to_owned(),
        postgres.admin_url("postgres"),
    );
    drop(postgres);
    wait_until_gone(&directory).await;
    assert!(ask(&url).await.is_err());
}

async fn ask(url: &SecretString) -> Result<String, tokio_postgres::Error> {
    let (client, connection) =
        tokio_postgres::connect(url.expose_secret(), tokio_postgres::NoTls).await?;
    tokio::select! {
        row = client.query_one("SELECT current_setting('TimeZone')", &[]) => Ok(row?.get(0)),
        ended = connection => match ended {
            Ok(()) => panic!("the connection ended before its client"),
            Err(error) => Err(error),
        },
    }
}

async fn wait_until_gone(directory: &Path) {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    let gone = async {
        while directory.exists() {
            look.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone)
        .await
        .unwrap_or_else(|_| panic!("{} stays", directory.display()));
}
