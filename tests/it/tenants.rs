//! Tenants in one database, kept apart by row-level security and a setting that db-chat makes from a token's claim.

use std::process::ExitCode;

use db_chat::auth::{Identity, Tickets};
use db_chat::cli::doctor::{self, DoctorArgs};
use db_chat::config::{Config, JwtConfig, JwtKeys, Limits, TenantSetting, TenantsConfig};
use db_chat::domain::principal::Principal;
use db_chat::domain::result::ResultSet;
use db_chat::domain::schema::{RowSecurity, Snapshot};
use db_chat::guard::policy::Policy;
use db_chat::postgres::pool::DatabasePool;
use db_chat::postgres::read_only::{self, ExecutionLimits};
use db_chat::postgres::row_scope::RowScope;
use db_chat::redis::RedisConnection;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::support::issuer::{SigningKey, from_now};
use super::support::postgres::{TestDatabase, checked, pool};
use super::support::redis::RedisServer;
use super::support::roles::printed;
use super::support::server::TestServer;

const SECRET: &str = "a secret of at least thirty-two bytes";

/// One invoice of the first tenant, two of the second, three of one whose name tries to leave its quotes. What each relation
/// but `invoices` and `countries` shows would be the rows of all, or is what a change can make so.
const SCHEMA: &str = r"
    CREATE TABLE invoices (id serial PRIMARY KEY, tenant text NOT NULL, total int NOT NULL);
    INSERT INTO invoices (tenant, total) VALUES ('acme', 10), ('globex', 20), ('globex', 21),
        ('a''; SET app.tenant = ''acme', 30), ('a''; SET app.tenant = ''acme', 31), ('a''; SET app.tenant = ''acme', 32);
    ALTER TABLE invoices ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON invoices USING (tenant = nullif(current_setting('app.tenant', true), ''));
    CREATE TABLE countries (code text);
    INSERT INTO countries VALUES ('DE'), ('FR');
    ALTER TABLE countries ENABLE ROW LEVEL SECURITY;
    CREATE POLICY everybodys ON countries USING (true);
    CREATE TABLE open_notes (tenant text, note text);
    CREATE VIEW all_invoices AS SELECT * FROM invoices;
    CREATE MATERIALIZED VIEW totals AS SELECT tenant, sum(total) FROM invoices GROUP BY 1;";

fn tenants() -> TenantsConfig {
    TenantsConfig {
        setting: TenantSetting::parse("app.tenant").expect("a name"),
        claim: "org".to_owned(),
    }
}

fn configure(config: &mut Config, url: &str) {
    config.database.url = Some(url.to_owned().into());
    config.auth.jwt = Some(JwtConfig {
        keys: JwtKeys::Secret(SECRET.into()),
        issuer: None,
        audience: None,
        clock_skew_seconds: 60,
    });
    config.auth.tenants = Some(tenants());
}

fn config(url: &str) -> Config {
    let mut config = db_chat::config::resolve(None, std::iter::empty(), &[]).expect("defaults");
    configure(&mut config, url);
    config
}

/// The URL of a role made by `db-chat grants` with these settings, which an administrator runs.
async fn granted(database: &TestDatabase, role: &str) -> String {
    let sql = printed(&config(&database.url()), role, false).await;
    let admin = database.admin().await;
    admin.batch_execute(&sql).await.expect(&sql);
    let password = format!("ALTER ROLE {role} PASSWORD 'p'");
    admin.batch_execute(&password).await.expect("a password");
    database.url_as(role, "p")
}

fn token(subject: &str, org: &Value) -> String {
    let claims = json!({"sub": subject, "exp": from_now(3_600), "org": org});
    SigningKey::secret(SECRET).token(None, &claims)
}

async fn call(server: &TestServer, token: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let url = server.url(path);
    let request = match &body {
        Some(body) => server.http.post(url).json(body),
        None => server.http.get(url),
    };
    let response = request.bearer_auth(token).send().await.expect("a response");
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or_default())
}

async fn ask(server: &TestServer, token: &str) -> (u16, Value) {
    let body = json!({"query": "How many invoices are there?"});
    call(server, token, "/api/chat/query/", Some(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tenant_s_questions_see_its_own_rows_and_nobody_else_s() {
    let database = TestDatabase::create(SCHEMA).await;
    let url = granted(&database, "tenants_a").await;
    let server = TestServer::build(|config| {
        configure(config, &url);
        // One connection: whatever a question left on it, the next would find.
        config.limits.pool_connections_max = 1;
    })
    .await;
    let hostile = "a'; SET app.tenant = 'acme";
    for (org, count) in [
        ("acme", 1),
        ("globex", 2),
        (hostile, 3),
        ("nobody", 0),
        ("acme", 1),
    ] {
        let (status, answer) = ask(&server, &token("ada", &json!(org))).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["rows"], json!([[count]]), "{org}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_belongs_to_no_tenant_is_told_so_and_gets_nothing() {
    let database = TestDatabase::create(SCHEMA).await;
    let url = granted(&database, "tenants_b").await;
    let server = TestServer::build(|config| configure(config, &url)).await;
    for org in [
        json!(null),
        json!(""),
        json!(["acme"]),
        json!({"id": "acme"}),
        json!(true),
        json!(1.5),
        json!("a\nb"),
        json!("x".repeat(257)),
    ] {
        let token = token("ada", &org);
        for (path, body) in [
            ("/api/chat/query/", Some(json!({"query": "q"}))),
            ("/api/chat/schema-info/", None),
            ("/api/chat/conversations/", None),
            ("/api/chat/ticket/", Some(json!({}))),
        ] {
            let (status, answer) = call(&server, &token, path, body).await;
            assert_eq!(
                (status, &answer["code"]),
                (403, &json!("tenant_missing")),
                "{path} {org}: {answer}"
            );
        }
    }
    // A whole number is a tenant too, and a wrong signature is not asked for its tenant.
    assert_eq!(ask(&server, &token("ada", &json!(7))).await.0, 200);
    let claims = json!({"sub": "ada", "exp": from_now(3_600)});
    let forged = SigningKey::secret("another secret of thirty-two bytes!!").token(None, &claims);
    assert_eq!(ask(&server, &forged).await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_person_can_be_a_tenant() {
    let database = TestDatabase::create(SCHEMA).await;
    let url = granted(&database, "tenants_g").await;
    let server = TestServer::build(|config| {
        configure(config, &url);
        let tenants = config.auth.tenants.as_mut().expect("tenants");
        "sub".clone_into(&mut tenants.claim);
    })
    .await;
    for (subject, count) in [("acme", 1), ("globex", 2), ("ada", 0)] {
        let (_, answer) = ask(&server, &token(subject, &json!("acme"))).await;
        assert_eq!(answer["rows"], json!([[count]]), "{subject}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_in_two_tenants_has_two_histories() {
    let database = TestDatabase::create(SCHEMA).await;
    let redis = RedisServer::start().await;
    let url = granted(&database, "tenants_c").await;
    let server = TestServer::build(|config| {
        configure(config, &url);
        config.conversations.redis_url = Some(redis.url().into());
        config.conversations.storage = db_chat::config::StorageKind::Redis;
    })
    .await;
    let [acme, globex] = ["acme", "globex"].map(|org| token("ada", &json!(org)));
    let (_, answer) = ask(&server, &acme).await;
    let id = answer["conversation_id"].as_str().expect("an id");
    let path = format!("/api/chat/conversations/{id}/");
    assert_eq!(call(&server, &acme, &path, None).await.0, 200);
    assert_eq!(call(&server, &globex, &path, None).await.0, 404);
    let (_, list) = call(&server, &globex, "/api/chat/conversations/", None).await;
    assert!(!list.to_string().contains(id), "{list}");
    let body = json!({"query": "How many invoices are there?", "conversation_id": id});
    let (status, answer) = call(&server, &globex, "/api/chat/query/", Some(body)).await;
    assert_eq!(
        (status, &answer["code"]),
        (404, &json!("conversation_not_found"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_keeps_its_tenant() {
    let redis = RedisServer::start().await;
    let mut config = config("postgresql://x@127.0.0.1:1/y");
    config.conversations.redis_url = Some(redis.url().into());
    let connection = RedisConnection::open(&config.conversations, &Limits::default()).await;
    let member = Principal::proved("jwt", "|ada").in_tenant("a:b");
    for place in [None, connection.expect("an address")] {
        let tickets = Tickets::new(place, "test:");
        let identity = Identity {
            principal: member.clone(),
            expires_at: None,
        };
        let ticket = tickets.issue(&identity).await.expect("a ticket");
        let redeemed = tickets.redeem(&ticket).await.expect("an answer");
        let redeemed = redeemed.expect("somebody");
        assert_eq!(redeemed.principal, member);
        assert_eq!(redeemed.principal.tenant(), Some("a:b"));
    }
}

async fn run(
    pool: &DatabasePool,
    snapshot: &Snapshot,
    sql: &str,
    scope: &RowScope,
) -> Result<ResultSet, db_chat::postgres::QueryError> {
    let limits = ExecutionLimits::from(&Limits::default());
    let sql = checked(sql, snapshot);
    read_only::run(pool, &sql, scope, &limits, &CancellationToken::new()).await
}

#[tokio::test]
async fn a_tenant_is_forgotten_with_its_query_and_cannot_be_forged() {
    let database = TestDatabase::create(SCHEMA).await;
    let pool = pool(&granted(&database, "tenants_d").await, 1);
    let snapshot = database.snapshot().await;
    let count = "SELECT count(*) FROM public.invoices";
    let scope = RowScope::of(
        Some(&tenants().setting),
        &Principal::anonymous().in_tenant("globex"),
    );
    let scope = scope.expect("a tenant");
    let cell = |result: ResultSet| result.rows[0][0].clone().expect("a number");
    let seen = run(&pool, &snapshot, count, &scope).await.expect("rows");
    assert_eq!(cell(seen), "2");
    // A query that fails leaves nothing behind either.
    let failing = "SELECT 1 / (total - total) FROM public.invoices";
    run(&pool, &snapshot, failing, &scope)
        .await
        .expect_err("22012");
    let all = run(&pool, &snapshot, count, &RowScope::Everybody).await;
    assert_eq!(cell(all.expect("rows")), "0", "no tenant, no rows");

    for sql in [
        "SELECT set_config('app.tenant', 'acme', true), count(*) FROM public.invoices",
        "SELECT count(*) FROM public.invoices, LATERAL (SELECT pg_catalog.set_config('app.tenant', 'acme', false)) s",
        "SET app.tenant = 'acme'",
        "SELECT current_setting('app.tenant')",
    ] {
        let draft = db_chat::domain::sql::DraftSql::new(sql);
        assert!(db_chat::guard::check(&draft, &snapshot).is_err(), "{sql}");
    }
    // Nor past the guard: the role may not call it.
    let client = super::support::roles::connect_as(&database.url_as("tenants_d", "p")).await;
    let forged = client
        .batch_execute("SELECT set_config('app.tenant', 'acme', true)")
        .await
        .expect_err("42501");
    assert_eq!(forged.code().map(|code| code.code()), Some("42501"));
}

fn names(snapshot: &Snapshot) -> Vec<&str> {
    let names = snapshot.relations.iter().map(|r| r.name.as_str());
    names.collect()
}

#[tokio::test]
async fn what_row_level_security_does_not_keep_apart_is_hidden() {
    let database = TestDatabase::create(SCHEMA).await;
    let admin = database.admin().await;
    let is_invoker_known = admin
        .query_one(
            "SELECT current_setting('server_version_num')::int >= 150000",
            &[],
        )
        .await
        .expect("a version")
        .get::<_, bool>(0);
    if is_invoker_known {
        admin
            .batch_execute(
                "CREATE VIEW own_invoices WITH (security_invoker = true) AS SELECT * FROM invoices;
                 CREATE VIEW own_through_all WITH (security_invoker = true) AS SELECT * FROM all_invoices;
                 CREATE VIEW notes_of_all WITH (security_invoker = true) AS SELECT note FROM open_notes, invoices",
            )
            .await
            .expect("views");
    }
    let kept_apart = match is_invoker_known {
        true => vec!["countries", "invoices", "own_invoices"],
        false => vec!["countries", "invoices"],
    };
    let url = granted(&database, "tenants_e").await;
    let policy = |least| {
        let policy = Policy::compile("public.*", "").expect("a policy");
        policy.with_tenants(Some(least))
    };
    let reader = super::support::roles::connect_as(&url).await;
    let catalog = db_chat::postgres::catalog::read(&reader)
        .await
        .expect("a catalog");
    let snapshot = policy(RowSecurity::Active).apply(catalog.clone());
    assert_eq!(names(&snapshot), kept_apart);

    // For a superuser no policy holds; what a role would see that it makes is known all the same.
    let as_admin = database.catalog().await;
    let snapshot = policy(RowSecurity::Active).apply(as_admin.clone());
    assert_eq!(names(&snapshot), Vec::<&str>::new());
    let snapshot = policy(RowSecurity::Enabled).apply(as_admin);
    assert_eq!(names(&snapshot), kept_apart);

    // Switching it off is seen at once.
    let change = "ALTER TABLE invoices DISABLE ROW LEVEL SECURITY";
    admin.batch_execute(change).await.expect(change);
    let fingerprint = db_chat::postgres::catalog::read_fingerprint(&reader).await;
    assert_ne!(fingerprint.expect("a fingerprint"), catalog.fingerprint);
    let catalog = db_chat::postgres::catalog::read(&reader)
        .await
        .expect("a catalog");
    let snapshot = policy(RowSecurity::Active).apply(catalog);
    assert_eq!(names(&snapshot), ["countries"]);
}

#[tokio::test]
async fn the_doctor_names_what_is_hidden_and_how_to_show_it() {
    let database = TestDatabase::create(SCHEMA).await;
    let config = config(&granted(&database, "tenants_f").await);
    let mut output = Vec::new();
    let code = doctor::run(DoctorArgs { json: true }, &config, &mut output).await;
    let report: Value = serde_json::from_slice(&output).expect("JSON");
    assert_eq!(code.expect("a report"), ExitCode::SUCCESS, "{report:#}");
    let finding = &report["findings"][0];
    assert_eq!(finding["code"], "no_row_security", "{report:#}");
    let message = finding["message"].as_str().expect("a message");
    assert!(
        message.contains("public.all_invoices, public.open_notes, public.totals")
            && message.contains("current_setting('app.tenant', true)"),
        "{message}"
    );
}
