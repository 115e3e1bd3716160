//! `db-chat doctor` and the server's own check of its role, against real roles.

use std::process::ExitCode;

use db_chat::app::{Application, BuildError};
use db_chat::cli::doctor::{DoctorArgs, run};
use db_chat::config::Config;
use serde_json::Value;
use tokio_postgres::Client;

use super::grants::{POLICY, SCHEMA};
use super::support::postgres::TestDatabase;
use super::support::roles::{config, granted};

async fn doctor(config: &Config) -> (ExitCode, Value) {
    let mut output = Vec::new();
    let code = run(DoctorArgs { json: true }, config, &mut output)
        .await
        .expect("a report");
    (code, serde_json::from_slice(&output).expect("JSON"))
}

fn codes(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().expect("findings");
    let mut codes: Vec<&str> = findings
        .iter()
        .map(|finding| finding["code"].as_str().expect("a code"))
        .collect();
    codes.dedup();
    codes
}

/// Runs what the report prints, as a superuser would.
async fn apply(report: &Value, admin: &Client) {
    for finding in report["findings"].as_array().expect("findings") {
        for fix in finding["fixes"].as_array().expect("fixes") {
            let fix = fix.as_str().expect("a statement");
            admin.batch_execute(fix).await.expect(fix);
        }
    }
}

/// Opens something for a role that was safe: the finding appears, and the printed statements make it go away.
async fn check(role: &str, open: &str, expected: &str, is_unsafe: bool) {
    let database = TestDatabase::create(SCHEMA).await;
    let url = granted(&database, role, POLICY).await;
    let config = config(&url, POLICY);
    let (code, report) = doctor(&config).await;
    assert_eq!(codes(&report), Vec::<&str>::new(), "{report:#}");
    assert_eq!(code, ExitCode::SUCCESS);

    let admin = database.admin().await;
    let open = open.replace("<role>", role);
    admin.batch_execute(&open).await.expect(&open);
    let (code, report) = doctor(&config).await;
    assert_eq!(codes(&report), [expected], "{open}: {report:#}");
    assert_eq!(report["safe"], !is_unsafe);
    assert_eq!(code, ExitCode::from(u8::from(is_unsafe)), "{open}");

    apply(&report, &admin).await;
    let (code, report) = doctor(&config).await;
    assert_eq!(codes(&report), Vec::<&str>::new(), "{open}: {report:#}");
    assert_eq!(code, ExitCode::SUCCESS);
}

macro_rules! each_finding_appears_and_goes_away {
    ($($name:ident: $open:literal => $code:literal, $is_unsafe:literal;)+) => {
        $(#[tokio::test]
        async fn $name() {
            check(stringify!($name), $open, $code, $is_unsafe).await;
        })+
    };
}

each_finding_appears_and_goes_away! {
    attributes_are_found: r#"ALTER ROLE <role> BYPASSRLS CREATEROLE"# => "attribute", true;
    power_roles_are_found_though_not_inherited: "GRANT pg_read_all_data TO <role>" => "power_role", true;
    power_roles_behind_a_group_are_found:
        "CREATE ROLE group_behind; GRANT pg_write_all_data TO group_behind; GRANT group_behind TO <role>" => "power_role", true;
    rights_of_a_group_are_found_though_not_inherited:
        "CREATE ROLE group_rights; GRANT DELETE ON orders TO group_rights; GRANT group_rights TO <role>" => "write", true;
    owning_is_found: "CREATE TABLE theirs (); ALTER TABLE theirs OWNER TO <role>" => "owner", true;
    writing_is_found: "GRANT INSERT, TRUNCATE ON orders TO <role>" => "write", true;
    writing_of_columns_is_found: "GRANT UPDATE (note) ON orders TO <role>" => "write", true;
    writing_by_everyone_is_found: "GRANT DELETE ON orders TO PUBLIC" => "write", true;
    sequences_are_found: "GRANT USAGE ON SEQUENCE orders_id_seq TO <role>" => "write", true;
    creating_in_a_schema_is_found: "GRANT CREATE ON SCHEMA public TO PUBLIC" => "create", true;
    creating_schemas_is_found:
        "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO <role>', current_database()); END $$" => "create", true;
    temporary_tables_are_found:
        "DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO PUBLIC', current_database()); END $$" => "temporary", true;
    security_definer_functions_are_found:
        "CREATE FUNCTION leak() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT word FROM secrets'" => "function", true;
    aggregates_over_such_functions_are_found:
        "CREATE FUNCTION step2(a text, v text) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT word FROM public.secrets';
         REVOKE EXECUTE ON FUNCTION step2 FROM PUBLIC; CREATE AGGREGATE top(text) (SFUNC = step2, STYPE = text)"
        => "function", true;
    links_to_other_servers_are_found: "CREATE EXTENSION dblink" => "function", true;
    builtins_that_write_are_found: "GRANT EXECUTE ON FUNCTION lo_creat(int), lo_unlink(oid) TO PUBLIC" => "writing_builtin", true;
    builtins_that_wait_are_advice: "GRANT EXECUTE ON FUNCTION pg_sleep(float8) TO PUBLIC" => "builtin", false;
    hidden_tables_are_found: "GRANT SELECT ON secrets TO PUBLIC" => "read_beyond_policy", true;
    hidden_columns_are_found: "GRANT SELECT (ssn) ON people TO <role>" => "read_beyond_policy", true;
    whole_tables_with_hidden_columns_are_found:
        "GRANT SELECT ON people TO PUBLIC; GRANT SELECT (name) ON people TO PUBLIC" => "read_beyond_policy", true;
    views_of_hidden_columns_are_found:
        "CREATE VIEW numbers AS SELECT id, ssn FROM people; CREATE VIEW above AS SELECT * FROM numbers; GRANT SELECT ON above TO <role>"
        => "view_of_hidden_column", true;
    views_of_hidden_tables_are_advice:
        "CREATE VIEW words AS SELECT count(*) FROM secrets; GRANT SELECT ON words TO <role>" => "view_beyond_policy", false;
    missing_defaults_are_advice: "ALTER ROLE <role> RESET default_transaction_read_only" => "defaults", false;
}

#[tokio::test]
async fn a_superuser_is_unsafe_and_the_text_says_so() {
    let database = TestDatabase::create(SCHEMA).await;
    let config = config(&database.url(), POLICY);
    let (code, report) = doctor(&config).await;
    assert_eq!(codes(&report)[0], "superuser");
    assert_eq!(code, ExitCode::from(1));
    let mut output = Vec::new();
    run(DoctorArgs { json: false }, &config, &mut output)
        .await
        .expect("a report");
    let text = String::from_utf8(output).expect("text");
    for part in [
        "ok      database: test_",
        "ok      provider: offline",
        "ok      store: memory",
        "UNSAFE  superuser",
        "Not safe",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_reported() {
    let config = config("postgresql://x@127.0.0.1:1/y?sslmode=disable", POLICY);
    let (code, report) = doctor(&config).await;
    assert_eq!(code, ExitCode::from(1));
    let part = &report["parts"][0];
    assert_eq!(part["reachable"], false, "{report:#}");
    let fault = part["fault"].as_str().expect("advice");
    assert!(fault.starts_with("nothing listens"), "{fault}");
    assert_eq!(report["parts"][1]["reachable"], true);
}

#[tokio::test]
async fn a_store_that_is_away_is_reported() {
    let database = TestDatabase::create(SCHEMA).await;
    let flags = [
        ("DATABASE_URL".to_owned(), database.url()),
        ("REDIS_URL".to_owned(), "redis://127.0.0.1:1".to_owned()),
    ];
    let config = db_chat::config::resolve(None, std::iter::empty(), &flags).expect("settings");
    let (code, report) = doctor(&config).await;
    assert_eq!(code, ExitCode::from(1));
    assert_eq!(report["parts"][2]["detail"], "redis");
    assert_eq!(report["parts"][2]["reachable"], false, "{report:#}");
}

#[tokio::test]
async fn what_of_the_url_is_wrong_is_named() {
    let database = TestDatabase::create(SCHEMA).await;
    let good = granted(&database, "reader_of_advice", POLICY).await;
    let (name, _) = good
        .rsplit_once('/')
        .and_then(|(_, rest)| rest.split_once('?'))
        .expect("a name and options");
    for (url, expected) in [
        (good.replace(":p@", ":wrong@"), "the password"),
        (
            good.replace(name, "missing"),
            "has no database of that name",
        ),
        (
            good.replace("127.0.0.1", "missing.invalid"),
            "cannot be found",
        ),
    ] {
        assert_ne!(url, good);
        let (_, report) = doctor(&config(&url, POLICY)).await;
        let part = &report["parts"][0];
        let fault = part["fault"].as_str().expect("advice");
        assert!(fault.contains(expected), "{url}: {part}");
        assert!(!part.to_string().contains("wrong@"), "{part}");
    }
}

async fn built(url: &str, bind: &str, allow_unsafe_role: bool) -> Result<Application, BuildError> {
    let mut config = config(url, POLICY);
    config.server.bind = bind.to_owned();
    config.auth.allow_unauthenticated = true;
    config.database.allow_unsafe_role = allow_unsafe_role;
    Application::build(config).await
}

#[tokio::test]
async fn a_server_that_others_reach_refuses_a_role_that_could_write() {
    let database = TestDatabase::create(SCHEMA).await;
    let Err(error) = built(&database.url(), "0.0.0.0:0", false).await else {
        panic!("it listens");
    };
    let text = error.to_string();
    assert!(matches!(error, BuildError::UnsafeRole { .. }), "{text}");
    assert!(text.contains("DB_CHAT_ALLOW_UNSAFE_ROLE"), "{text}");

    assert!(built(&database.url(), "127.0.0.1:0", false).await.is_ok());
    assert!(built(&database.url(), "0.0.0.0:0", true).await.is_ok());
    let reader = granted(&database, "served_reader", POLICY).await;
    assert!(built(&reader, "0.0.0.0:0", false).await.is_ok());
    let grant = "GRANT UPDATE (note) ON orders TO served_reader";
    database
        .admin()
        .await
        .batch_execute(grant)
        .await
        .expect(grant);
    assert!(built(&reader, "0.0.0.0:0", false).await.is_err());
}

#[tokio::test]
async fn a_database_that_is_away_does_not_keep_the_server_from_starting() {
    let url = "postgresql://x@127.0.0.1:1/y?sslmode=disable";
    assert!(built(url, "0.0.0.0:0", false).await.is_ok());
}
