//! What db-chat sees of a database's structure.

use std::time::Duration;

use db_chat::domain::schema::{Catalog, NamedTypeKind, Relation, RelationKind};
use db_chat::guard::policy::Policy;
use db_chat::postgres::QueryError;
use db_chat::postgres::catalog::{self, CatalogCache};

use crate::support::postgres::{TestDatabase, pool, server_alone};

const SHOP: &str = r#"
    CREATE SCHEMA "Odd Schema";
    CREATE TYPE "Odd Schema".shipping AS ENUM ('In Transit', 'on hold', 'it''s');
    CREATE DOMAIN grade AS text CHECK (VALUE IN ('A', 'B', 'C'));
    CREATE DOMAIN good_grade AS grade CHECK (VALUE <> 'C') CHECK (VALUE IN ('A', 'B'));
    CREATE TABLE people (
        id int PRIMARY KEY, email text UNIQUE, boss int REFERENCES people, "Full Name" varchar(40) NOT NULL);
    CREATE UNIQUE INDEX people_name ON people ("Full Name", boss);
    CREATE UNIQUE INDEX people_some ON people (boss) WHERE boss > 0;
    COMMENT ON TABLE people IS 'Who works here';
    COMMENT ON COLUMN people.boss IS 'Their boss';
    CREATE TABLE "Odd Schema"."Parcel" (
        id bigint, person int REFERENCES people, dropped text,
        state "Odd Schema".shipping, states "Odd Schema".shipping[], mark grade, best good_grade, marks grade[],
        size varchar(10) CHECK (size IN ('small', 'very large')),
        level int CHECK (level = 1 OR level = 2 OR level = 3 OR level IS NULL),
        price numeric(12,2), tags text[] CHECK (tags <@ ARRAY['x', 'y']),
        old text, PRIMARY KEY (person, id));
    ALTER TABLE "Odd Schema"."Parcel" ADD CHECK (old IN ('a')) NOT VALID;
    ALTER TABLE "Odd Schema"."Parcel" DROP COLUMN dropped;
    CREATE VIEW busy AS SELECT person, count(*) AS parcels FROM "Odd Schema"."Parcel" GROUP BY 1;
    CREATE MATERIALIZED VIEW busy_then AS SELECT * FROM busy;
    CREATE TABLE events (at date NOT NULL, person int REFERENCES people) PARTITION BY RANGE (at);
    CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY LIST (person);
    CREATE TABLE events_2026_rest PARTITION OF events_2026 DEFAULT;
    CREATE FOREIGN DATA WRAPPER nothing;
    CREATE SERVER elsewhere FOREIGN DATA WRAPPER nothing;
    CREATE FOREIGN TABLE remote (id int) SERVER elsewhere;
    CREATE TEMP TABLE fleeting (id int);
    INSERT INTO people SELECT i, i::text, NULL, 'n' || i FROM generate_series(1, 300) i;
    INSERT INTO events SELECT '2025-02-03', 1 FROM generate_series(1, 100);
    INSERT INTO events SELECT '2026-02-03', i FROM generate_series(1, 50) i;
    ANALYZE people; ANALYZE events_2025; ANALYZE events_2026_rest;
"#;

fn relation<'a>(catalog: &'a Catalog, schema: &str, name: &str) -> &'a Relation {
    let of_name = |r: &&Relation| r.schema == schema && r.name == name;
    let found = catalog.relations.iter().find(of_name);
    found.unwrap_or_else(|| panic!("{schema}.{name} is missing"))
}

#[tokio::test]
async fn relations_of_every_kind_are_seen_with_their_estimates() {
    let catalog = TestDatabase::create(SHOP).await.catalog().await;
    let seen: Vec<(String, RelationKind, Option<i64>)> = catalog
        .relations
        .iter()
        .map(|r| (format!("{}.{}", r.schema, r.name), r.kind, r.estimated_rows))
        .collect();
    let expected = [
        ("Odd Schema.Parcel", RelationKind::Table, None),
        ("public.busy", RelationKind::View, None),
        ("public.busy_then", RelationKind::MaterializedView, None),
        ("public.events", RelationKind::PartitionedTable, Some(150)),
        ("public.events_2025", RelationKind::Partition, Some(100)),
        ("public.events_2026", RelationKind::Partition, Some(50)),
        ("public.events_2026_rest", RelationKind::Partition, Some(50)),
        ("public.people", RelationKind::Table, Some(300)),
        ("public.remote", RelationKind::ForeignTable, None),
    ];
    let expected = expected.map(|(name, kind, rows)| (name.to_owned(), kind, rows));
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn keys_and_foreign_keys_are_seen_in_key_order() {
    let catalog = TestDatabase::create(SHOP).await.catalog().await;
    let parcel = relation(&catalog, "Odd Schema", "Parcel");
    assert_eq!(parcel.primary_key, ["person", "id"]);
    let people = relation(&catalog, "public", "people");
    assert_eq!(people.primary_key, ["id"]);
    assert_eq!(
        people.unique_keys,
        [vec!["email"], vec!["Full Name", "boss"]]
    );
    let boss = &people.foreign_keys[0];
    assert_eq!(
        (&boss.columns[..], &boss.target_columns[..]),
        (&["boss".to_owned()][..], &["id".to_owned()][..])
    );
    assert_eq!(
        (boss.target_schema.as_str(), boss.target_relation.as_str()),
        ("public", "people")
    );
    assert_eq!(relation(&catalog, "public", "events").foreign_keys.len(), 1);
    assert_eq!(
        relation(&catalog, "public", "events_2026_rest")
            .foreign_keys
            .len(),
        1
    );
}

#[tokio::test]
async fn columns_carry_types_comments_and_exact_choices() {
    let catalog = TestDatabase::create(SHOP).await.catalog().await;
    let parcel = relation(&catalog, "Odd Schema", "Parcel");
    let column = |name: &str| parcel.column(name).unwrap_or_else(|| panic!("{name}"));
    let shipping = ["In Transit", "on hold", "it's"];
    assert_eq!(column("state").choices, shipping);
    assert_eq!(column("states").choices, shipping);
    assert_eq!(column("mark").choices, ["A", "B", "C"]);
    assert_eq!(column("marks").choices, ["A", "B", "C"]);
    assert_eq!(column("best").choices, ["A", "B"]);
    assert_eq!(column("size").choices, ["small", "very large"]);
    assert_eq!(column("level").choices, ["1", "2", "3"]);
    assert_eq!(column("tags").choices, ["x", "y"]);
    assert!(column("old").choices.is_empty(), "old rows may differ");
    assert!(parcel.column("dropped").is_none());

    let price = column("price");
    assert_eq!(
        (
            price.type_name.as_str(),
            price.type_schema.as_str(),
            price.type_internal_name.as_str()
        ),
        ("numeric(12,2)", "pg_catalog", "numeric")
    );
    let states = column("states");
    assert_eq!(
        (
            states.type_name.as_str(),
            states.type_schema.as_str(),
            states.type_internal_name.as_str()
        ),
        ("\"Odd Schema\".shipping[]", "Odd Schema", "_shipping")
    );
    assert!(column("id").not_null && !column("size").not_null);

    let people = relation(&catalog, "public", "people");
    assert_eq!(people.comment.as_deref(), Some("Who works here"));
    let boss = people.column("boss").expect("a column");
    assert_eq!(boss.comment.as_deref(), Some("Their boss"));

    let names: Vec<&str> = catalog.types.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["shipping", "good_grade", "grade"]);
    assert_eq!(
        catalog.types[2].kind,
        NamedTypeKind::Domain {
            base_type: "text".to_owned(),
            choices: ["A", "B", "C"].map(str::to_owned).to_vec(),
        }
    );
}

#[tokio::test]
async fn names_that_shadow_builtins_are_seen_and_extensions_kept_apart() {
    let database = TestDatabase::create(
        "CREATE EXTENSION citext;
         CREATE FUNCTION lower(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
         CREATE OPERATOR ## (FUNCTION = int4pl, LEFTARG = int, RIGHTARG = int);
         CREATE TYPE date AS ENUM ('today');
         CREATE FUNCTION to_int(public.date) RETURNS int LANGUAGE sql AS 'SELECT 1';
         CREATE CAST (public.date AS int) WITH FUNCTION to_int(public.date) AS IMPLICIT;
         CREATE TABLE plain (id int);",
    );
    let catalog = database.await.catalog().await;
    let names = &catalog.foreign_names;
    assert!(names.functions.contains("lower") && !names.functions.contains("citext_eq"));
    assert!(names.operators.contains("##") && !names.operators.contains("="));
    assert!(names.types.contains("date") && names.types.contains("plain"));
    let cast = ("public.date".to_owned(), "pg_catalog.int4".to_owned());
    assert!(names.casts.contains(&cast) && names.implicit_casts.contains(&cast));
    let citext = catalog.extensions.iter().find(|e| e.name == "citext");
    let citext = citext.expect("the extension");
    assert_eq!(citext.schema, "public");
    assert!(citext.functions.contains("split_part") && citext.types.contains("citext"));
    assert!(citext.operators.contains("="));
}

#[tokio::test]
async fn a_role_without_any_rights_reads_the_structure() {
    let database = TestDatabase::create_in(server_alone().await, SHOP).await;
    let admin = database.admin().await;
    let create =
        "CREATE ROLE nobody_much LOGIN PASSWORD 'x'; REVOKE ALL ON SCHEMA public FROM PUBLIC";
    admin.batch_execute(create).await.expect("a role");
    let all = database.catalog().await;
    let pool = pool(&database.url_as("nobody_much", "x"), 1);
    let policy = Policy::compile("*.*", "").expect("a policy");
    let cache = CatalogCache::new(pool, policy, Duration::ZERO);
    let seen = cache.snapshot().await.expect("a snapshot");
    assert_eq!(seen.fingerprint, all.fingerprint);
    assert_eq!(seen.relations, all.relations);
    drop(cache);
    admin
        .batch_execute("DROP ROLE nobody_much")
        .await
        .expect("it goes");
}

#[tokio::test]
async fn the_fingerprint_follows_the_structure_and_nothing_else() {
    let database = TestDatabase::create(SHOP).await;
    let admin = database.admin().await;
    let mut last = catalog::read_fingerprint(&admin)
        .await
        .expect("a fingerprint");
    let same = [
        "ANALYZE",
        "VACUUM FULL people",
        "INSERT INTO people VALUES (1000, 'e', NULL, 'n')",
        "DELETE FROM people WHERE id = 1000",
        "TRUNCATE \"Odd Schema\".\"Parcel\"",
        "REINDEX TABLE people",
        "REFRESH MATERIALIZED VIEW busy_then",
        "CREATE TEMP TABLE passing (id int PRIMARY KEY, a text CHECK (a = 'x'))",
        "CREATE SEQUENCE numbers",
        "CREATE INDEX ON people (boss)",
    ];
    for sql in same {
        admin.batch_execute(sql).await.expect(sql);
        let now = catalog::read_fingerprint(&admin)
            .await
            .expect("a fingerprint");
        assert_eq!(now, last, "{sql}");
    }
    let different = [
        "CREATE TABLE more (id int)",
        "ALTER TABLE more RENAME TO most",
        "ALTER TABLE most RENAME id TO number",
        "ALTER TABLE most ALTER number TYPE bigint",
        "ALTER TABLE most ALTER number SET NOT NULL",
        "ALTER TABLE most ADD COLUMN note text",
        "ALTER TABLE most DROP COLUMN note",
        "ALTER TABLE most ADD PRIMARY KEY (number)",
        "ALTER TABLE most ADD CHECK (number IN (1, 2))",
        "ALTER TABLE most ADD FOREIGN KEY (number) REFERENCES people",
        "COMMENT ON TABLE most IS 'x'",
        "COMMENT ON TABLE most IS 'y'",
        "COMMENT ON COLUMN most.number IS 'y'",
        "ALTER TABLE most SET SCHEMA \"Odd Schema\"",
        "DROP TABLE \"Odd Schema\".most",
        "ALTER TYPE \"Odd Schema\".shipping ADD VALUE 'lost'",
        "ALTER TYPE \"Odd Schema\".shipping RENAME VALUE 'lost' TO 'found'",
        "ALTER DOMAIN good_grade ADD CHECK (VALUE <> 'Z')",
        "ALTER TABLE events DETACH PARTITION events_2025",
        "ALTER SCHEMA \"Odd Schema\" RENAME TO odd",
        "CREATE FUNCTION lower(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER FUNCTION lower(int) SET SCHEMA odd",
        "CREATE OPERATOR ## (FUNCTION = int4pl, LEFTARG = int, RIGHTARG = int)",
        "CREATE CAST (odd.shipping AS int) WITH INOUT",
        "CREATE UNIQUE INDEX ON people (email, boss)",
        "CREATE EXTENSION citext",
    ];
    for sql in different {
        admin.batch_execute(sql).await.expect(sql);
        let now = catalog::read_fingerprint(&admin)
            .await
            .expect("a fingerprint");
        assert_ne!(now, last, "{sql}");
        last = now;
    }
}

#[tokio::test]
async fn the_cache_notices_a_change_and_keeps_what_is_still_true() {
    let database = TestDatabase::create("CREATE TABLE first (id int)").await;
    let policy = Policy::compile("*.*", "").expect("a policy");
    let patient = CatalogCache::new(database.pool(2), policy.clone(), Duration::from_secs(3600));
    let eager = CatalogCache::new(database.pool(2), policy, Duration::ZERO);
    let before = (
        patient.snapshot().await.expect("a snapshot"),
        eager.snapshot().await.expect("a snapshot"),
    );
    let unchanged = eager.snapshot().await.expect("a snapshot");
    assert!(
        std::sync::Arc::ptr_eq(&before.1, &unchanged),
        "read again without need"
    );

    let admin = database.admin().await;
    admin
        .batch_execute("CREATE TABLE second (id int)")
        .await
        .expect("a table");
    let seen = eager.snapshot().await.expect("a snapshot");
    assert!(seen.relation("public", "second").is_some());
    let seen = patient.snapshot().await.expect("a snapshot");
    assert!(
        std::sync::Arc::ptr_eq(&before.0, &seen),
        "asked before its time"
    );
}

#[tokio::test]
async fn callers_that_come_together_share_one_reading() {
    let database = TestDatabase::create("CREATE TABLE first (id int)").await;
    let pool = database.pool(8);
    let policy = Policy::compile("*.*", "").expect("a policy");
    let cache = CatalogCache::new(pool.clone(), policy, Duration::from_secs(3600));
    let callers = (0..100).map(|_| cache.snapshot());
    let snapshots = futures_util::future::join_all(callers).await;
    let first = snapshots[0].as_ref().expect("a snapshot");
    for snapshot in &snapshots {
        assert!(std::sync::Arc::ptr_eq(
            first,
            snapshot.as_ref().expect("a snapshot")
        ));
    }
    assert_eq!(pool.connections_count(), 1);
}

#[tokio::test]
async fn a_database_that_is_away_is_an_honest_error() {
    // Nobody listens on port 1.
    let pool = pool("postgresql://nobody@127.0.0.1:1/nothing", 1);
    let policy = Policy::compile("*.*", "").expect("a policy");
    let cache = CatalogCache::new(pool, policy, Duration::ZERO);
    let callers = (0..10).map(|_| cache.snapshot());
    for outcome in futures_util::future::join_all(callers).await {
        assert!(matches!(outcome, Err(QueryError::Unavailable { .. })));
    }
}
