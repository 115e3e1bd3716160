//! The printed SQL, run as an administrator would run it, and the role that it makes.

use std::time::Duration;

use db_chat::config::Limits;
use db_chat::guard::policy::Policy;
use db_chat::postgres::grants::ReaderRole;
use db_chat::postgres::read_only::{self, ExecutionLimits};
use db_chat::postgres::row_scope::RowScope;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use super::support::postgres::{TestDatabase, checked, pool, server_alone};
use super::support::roles::{config, connect_as, granted, printed};

pub(crate) const POLICY: &str =
    "public.*, \"Odd \"\"schema\".*, !public.secrets, !public.people.ssn";

/// Names that try to leave their quotes, an enum in a schema of its own, and things that PUBLIC may use.
pub(crate) const SCHEMA: &str = r#"
    CREATE SCHEMA "Odd ""schema";
    CREATE SCHEMA kinds;
    CREATE TYPE kinds.mood AS ENUM ('good', 'bad');
    CREATE TABLE people (id int PRIMARY KEY, name text, ssn text, mood kinds.mood DEFAULT 'good');
    INSERT INTO people VALUES (1, 'Ann', '123-45-6789'), (2, 'Ben', '987-65-4321');
    CREATE TABLE orders (id serial PRIMARY KEY, person int REFERENCES people, note text);
    INSERT INTO orders (person, note) SELECT 1 + i % 2, 'n' || i FROM generate_series(1, 10) i;
    CREATE TABLE secrets (word text);
    INSERT INTO secrets VALUES ('xyzzy');
    GRANT ALL ON secrets TO PUBLIC;
    CREATE TABLE "Odd ""schema"."$db_chat$; it's \ " ("select" int, "a""b" text);
    CREATE FUNCTION all_secrets() RETURNS SETOF secrets LANGUAGE sql SECURITY DEFINER AS 'SELECT * FROM public.secrets';
    CREATE FUNCTION step(a text, v text) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT word FROM public.secrets';
    CREATE AGGREGATE any_secret(text) (SFUNC = step, STYPE = text);
    CREATE VIEW names AS SELECT id, name FROM people;
"#;

#[tokio::test]
async fn the_role_reads_what_the_policy_shows_and_postgresql_refuses_all_else() {
    let database = TestDatabase::create(SCHEMA).await;
    let url = granted(&database, "reader_a", POLICY).await;
    let client = connect_as(&url).await;
    for sql in [
        "SELECT id, name, mood = 'good'::kinds.mood FROM public.people",
        "SELECT count(*) FROM public.orders",
        "SELECT * FROM public.names",
        r#"SELECT "a""b" FROM "Odd ""schema"."$db_chat$; it's \ ""#,
    ] {
        client.batch_execute(sql).await.expect(sql);
    }
    // The role can change its own defaults; nothing must depend on them.
    client
        .batch_execute("SET default_transaction_read_only = off; SET statement_timeout = 0")
        .await
        .expect("settings of its own");
    for sql in [
        "SELECT ssn FROM public.people",
        "SELECT * FROM public.people",
        "SELECT p FROM public.people p",
        "SELECT * FROM public.secrets",
        "SELECT public.all_secrets()",
        "SELECT public.any_secret(name) FROM public.people",
        "SELECT query FROM pg_stat_activity",
        "INSERT INTO public.orders (note) VALUES ('x')",
        "UPDATE public.orders SET note = ''",
        "DELETE FROM public.secrets",
        "TRUNCATE public.orders",
        "SELECT nextval('public.orders_id_seq')",
        "SELECT * FROM public.orders FOR UPDATE",
        "CREATE TABLE public.mine ()",
        "CREATE TEMP TABLE mine ()",
        "CREATE SCHEMA mine",
        "SELECT lo_creat(-1)",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT pg_logical_emit_message(false, 'a', 'b')",
        "SELECT pg_sleep(0)",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_notify('a', 'b')",
        "SELECT set_config('work_mem', '1GB', false)",
        "SELECT query_to_xml('SELECT 1', true, true, '')",
        "SELECT pg_read_file('PG_VERSION')",
        "SET ROLE postgres",
    ] {
        let error = client.batch_execute(sql).await.expect_err(sql);
        let code = error.code().map(|code| code.code().to_owned());
        assert_eq!(code.as_deref(), Some("42501"), "{sql}: {error:?}");
    }
}

#[tokio::test]
async fn the_role_is_bounded_and_has_no_attribute_or_password() {
    let database = TestDatabase::create(SCHEMA).await;
    let sql = printed(&config(&database.url(), POLICY), "reader_b", false).await;
    assert!(!sql.to_uppercase().contains(" PASSWORD '"), "{sql}");
    let admin = database.admin().await;
    admin.batch_execute(&sql).await.expect(&sql);
    let row = admin
        .query_one(
            "SELECT rolsuper OR rolinherit OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls,
                    rolconnlimit, rolpassword IS NULL, (SELECT string_agg(s, ' ' ORDER BY s) FROM unnest(setconfig) s)
               FROM pg_authid JOIN pg_db_role_setting ON setrole = pg_authid.oid WHERE rolname = 'reader_b'",
            &[],
        )
        .await
        .expect("the role");
    assert!(!row.get::<_, bool>(0));
    assert_eq!(row.get::<_, i32>(1), 32);
    assert!(row.get::<_, bool>(2));
    let settings: String = row.get(3);
    assert_eq!(
        settings,
        "default_transaction_read_only=on idle_in_transaction_session_timeout=5000ms lock_timeout=15000ms \
         search_path=pg_catalog statement_timeout=15000ms temp_file_limit=1GB work_mem=16MB"
    );
}

#[tokio::test]
async fn db_chat_itself_works_as_the_role() {
    let database = TestDatabase::create(SCHEMA).await;
    let url = granted(&database, "reader_c", POLICY).await;
    let policy = Policy::compile(POLICY, "").expect("a policy");
    let pool = pool(&url, 1);
    let snapshot = policy.apply(database.catalog().await);
    let limits = ExecutionLimits::from(&Limits::default());
    for sql in [
        "SELECT name, mood FROM people WHERE mood = 'good'::kinds.mood ORDER BY id",
        "SELECT p.name, count(*) FROM people p JOIN orders o ON o.person = p.id GROUP BY p.name",
    ] {
        let sql = checked(sql, &snapshot);
        let result = read_only::run(
            &pool,
            &sql,
            &RowScope::Everybody,
            &limits,
            &CancellationToken::new(),
        )
        .await
        .expect("rows");
        assert_eq!(result.rows.len(), 2);
    }
    // The same connection again: resetting it needs no right that was taken away.
    assert_eq!(pool.connections_count(), 1);
    pool.close().await;
}

#[tokio::test]
async fn a_narrower_policy_takes_rights_away_and_so_does_what_was_granted_by_hand() {
    let database = TestDatabase::create(SCHEMA).await;
    granted(&database, "reader_d", "public.*").await;
    let admin = database.admin().await;
    admin
        .batch_execute(
            "GRANT INSERT, UPDATE (note) ON orders TO reader_d; GRANT CREATE ON SCHEMA public TO reader_d;
             GRANT pg_read_all_data TO reader_d",
        )
        .await
        .expect("rights");
    let url = granted(&database, "reader_d", "public.people, !public.people.ssn").await;
    let client = connect_as(&url).await;
    client
        .batch_execute("SELECT name FROM public.people; SET default_transaction_read_only = off")
        .await
        .expect("still allowed");
    for sql in [
        "SELECT ssn FROM public.people",
        "SELECT 1 FROM public.orders",
        "INSERT INTO public.orders (id) VALUES (99)",
        "UPDATE public.orders SET note = ''",
        "CREATE TABLE public.mine ()",
        "SET ROLE pg_read_all_data",
    ] {
        let error = client.batch_execute(sql).await.expect_err(sql);
        assert_eq!(error.code().map(|c| c.code()), Some("42501"), "{sql}");
    }
}

#[tokio::test]
async fn other_roles_keep_what_public_loses() {
    let database = TestDatabase::create(SCHEMA).await;
    let admin = database.admin().await;
    admin
        .batch_execute("CREATE ROLE app_e LOGIN PASSWORD 'p'")
        .await
        .expect("a role");
    granted(&database, "reader_e", POLICY).await;
    let app = connect_as(&database.url_as("app_e", "p")).await;
    for sql in [
        "SELECT pg_advisory_unlock(1)",
        "SELECT set_config('a.b', 'c', false)",
        "SELECT lo_unlink(lo_creat(-1))",
        "SELECT public.all_secrets()",
        "INSERT INTO public.secrets VALUES ('y')",
        "CREATE TEMP TABLE mine ()",
    ] {
        app.batch_execute(sql).await.expect(sql);
    }
}

#[tokio::test]
async fn drop_leaves_nothing_of_the_role() {
    let database = TestDatabase::create_in(server_alone().await, SCHEMA).await;
    let admin = database.admin().await;
    let builtins = "SELECT count(*) FROM pg_proc p WHERE p.oid < 16384 AND NOT EXISTS (SELECT FROM pg_init_privs i
        WHERE i.classoid = 'pg_proc'::regclass AND i.objoid = p.oid) AND NOT EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        WHERE a.grantee = 0)";
    let closed = |admin: Client| async move {
        let count: i64 = admin
            .query_one(builtins, &[])
            .await
            .expect("a count")
            .get(0);
        count
    };
    assert_eq!(closed(database.admin().await).await, 0);
    granted(&database, "reader_f", POLICY).await;
    assert!(closed(database.admin().await).await > 50);
    let sql = printed(&config(&database.url(), POLICY), "reader_f", true).await;
    for _ in 0..2 {
        admin
            .batch_execute(&sql)
            .await
            .unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
    }
    assert_eq!(closed(database.admin().await).await, 0);
    let roles = "SELECT count(*) FROM pg_roles WHERE rolname = 'reader_f'";
    assert_eq!(
        admin
            .query_one(roles, &[])
            .await
            .expect("a count")
            .get::<_, i64>(0),
        0
    );
    let temporary =
        "SELECT count(*) FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) a
        WHERE datname = current_database() AND a.grantee = 0 AND a.privilege_type = 'TEMPORARY'";
    assert_eq!(
        admin
            .query_one(temporary, &[])
            .await
            .expect("a count")
            .get::<_, i64>(0),
        1
    );
    let restricted = "SELECT has_function_privilege('pg_monitor', 'lo_import(text)', 'EXECUTE')";
    assert!(
        !admin
            .query_one(restricted, &[])
            .await
            .expect("an answer")
            .get::<_, bool>(0)
    );
}

#[tokio::test]
async fn a_role_that_owns_something_or_is_a_superuser_is_left_alone() {
    let database = TestDatabase::create(SCHEMA).await;
    let admin = database.admin().await;
    admin
        .batch_execute(
            "CREATE ROLE app_g; CREATE TABLE theirs (); ALTER TABLE theirs OWNER TO app_g",
        )
        .await
        .expect("an owner");
    for role in ["app_g", "postgres"] {
        for drop in [false, true] {
            let sql = printed(&config(&database.url(), POLICY), role, drop).await;
            let error = admin.batch_execute(&sql).await.expect_err(role);
            assert_eq!(error.code().map(|c| c.code()), Some("P0001"), "{error:?}");
            admin.batch_execute("ROLLBACK").await.expect("an end");
        }
    }
}

#[tokio::test]
async fn a_role_s_name_may_be_odd() {
    let database = TestDatabase::create(SCHEMA).await;
    let name = "o'dd $db_chat$ \\ ro-le";
    let role = ReaderRole::new(name, 3, &Limits::default()).expect("a name");
    let policy = Policy::compile(POLICY, "").expect("a policy");
    let snapshot = policy.apply(database.catalog().await);
    let admin = database.admin().await;
    for sql in [
        role.grants_sql(&snapshot),
        role.drop_sql(&snapshot.database),
    ] {
        let done = tokio::time::timeout(Duration::from_secs(60), admin.batch_execute(&sql)).await;
        done.expect("an end in time").expect(&sql);
    }
}

#[tokio::test]
async fn nothing_that_the_guard_lets_through_is_taken_from_the_role() {
    let database = TestDatabase::create(SCHEMA).await;
    granted(&database, "reader_i", POLICY).await;
    let names: Vec<&str> = include_str!("../../src/guard/builtins/functions.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::split_whitespace)
        .collect();
    let taken = "SELECT array_agg(p.oid::regprocedure::text) FROM pg_proc p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname = ANY ($1)
          AND NOT has_function_privilege('reader_i', p.oid, 'EXECUTE')";
    let row = database.admin().await.query_one(taken, &[&names]).await;
    let taken: Option<Vec<String>> = row.expect("an answer").get(0);
    assert_eq!(taken, None);
}
