//! Statements that nobody wrote, thousands of them. Whatever the guard lets through, PostgreSQL must find to read and to call only
//! what is allowed.
//!
//! PostgreSQL is asked in two ways: what a view of the statement depends on, and whether a role may plan it that has
//! exactly what the policy shows and the guard's list of builtins, and nothing that PUBLIC has by itself.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use db_chat::domain::schema::Snapshot;
use db_chat::guard::CheckedSql;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::mutants::Mutants;
use super::{accepted, check, library, may_depend_on, refused, view_dependencies};
use crate::support::postgres::TestDatabase;

/// Mutants made in one run of the tests: about a minute of work.
const MUTANTS: usize = 100_000;

/// What chooses them in the tests, so that a failure comes back.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Runs for this many seconds with a seed of its own instead, e.g. 3600.
const SECONDS_VARIABLE: &str = "DB_CHAT_FUZZ_SECONDS";

/// The seed, to see a run again.
const SEED_VARIABLE: &str = "DB_CHAT_FUZZ_SEED";

/// Statements that a faulty guard could let through, each of which PostgreSQL must object to.
const LEAKS: &[&str] = &[
    "SELECT card_number FROM public.members",
    "SELECT name FROM public.members ORDER BY card_number",
    "SELECT count(*) FROM public.members GROUP BY card_number",
    "SELECT m::text FROM public.members m",
    "SELECT to_jsonb(m) FROM public.members m",
    "SELECT max(m.x) FROM public.members AS m(a, b, c, d, e, x)",
    "SELECT ctid FROM public.members",
    "SELECT count(*) FROM public.staff",
    "SELECT 1 FROM archive.loans",
    "SELECT last_value FROM public.ticket_seq",
    "SELECT relname FROM pg_class",
    "SELECT setting FROM pg_settings",
    "SELECT table_name FROM information_schema.tables",
    "SELECT public.peek()",
    "SELECT public.initcap(genre) FROM public.books",
    "SELECT kind::integer FROM public.members",
    "SELECT title FROM public.books WHERE title OPERATOR(public.===) 'x'",
    "SELECT 'x'::public.checked_text",
    "SELECT 'public.staff'::regclass",
    "SELECT current_setting('data_directory')",
    "SELECT set_config('role', 'postgres', false)",
    "SELECT pg_sleep(0)",
    "SELECT query_to_xml('SELECT 1', true, false, '')",
    "SELECT pg_typeof(1)",
    "SELECT (SELECT version()) FROM public.books",
    "SELECT * FROM pg_ls_dir('.')",
    "SELECT nextval('public.ticket_seq')",
    "SELECT lo_create(0)",
    "SELECT * FROM ts_stat('SELECT 1')",
    "SELECT pg_advisory_lock(1)",
];

#[tokio::test]
async fn no_mutant_of_the_corpus_reads_what_is_hidden() {
    let (database, snapshot) = library().await;
    let oracle = Oracle::new(&database, snapshot).await;
    let seconds = number_of(SECONDS_VARIABLE);
    let seed = number_of(SEED_VARIABLE).unwrap_or_else(|| match seconds {
        Some(_) => fresh_seed(),
        None => SEED,
    });
    let refused: Vec<String> = refused().into_iter().map(|(_, sql)| sql).collect();
    let mut mutants = Mutants::new(&accepted(), &refused, seed);
    let mut tally = Tally::default();
    let started = Instant::now();
    loop {
        let is_over = match seconds {
            Some(seconds) => started.elapsed() >= Duration::from_secs(seconds),
            None => tally.mutants >= MUTANTS,
        };
        if is_over {
            break;
        }
        let mutant = mutants.next();
        tally.mutants += 1;
        if seconds.is_some() && tally.mutants.is_multiple_of(100_000) {
            say(&tally, seed, started);
        }
        let checked = match check(&mutant, &oracle.snapshot) {
            Ok(checked) => checked,
            Err(rejection) => {
                *tally.refused.entry(rejection.code().as_str()).or_default() += 1;
                continue;
            }
        };
        tally.accepted += 1;
        match oracle.objection(&checked).await {
            Verdict::Fine => {
                tally.judged += 1;
                mutants.adopt(&mutant);
            }
            Verdict::Unknown => {}
            Verdict::Slow => tally.slow.push(mutant),
            Verdict::Objection(objection) => {
                tally.judged += 1;
                tally.objections.push(format!(
                    "{objection}\n  {mutant}\n  written out as {}",
                    checked.as_str()
                ));
                // Hundreds of the same fault say no more than a few, and nobody can be asked after a crash.
                if tally.objections.len() >= 50 || oracle.is_gone() {
                    break;
                }
            }
        }
    }
    say(&tally, seed, started);
    assert!(
        tally.objections.is_empty(),
        "seed {seed}: {}",
        tally.objections.join("\n")
    );
    // Statements that nobody judges prove nothing.
    assert!(
        tally.judged * 20 > tally.mutants,
        "PostgreSQL could judge only {} of {} mutants",
        tally.judged,
        tally.mutants
    );
}

/// The control of the test above: it could fail.
#[tokio::test]
async fn postgres_objects_to_every_statement_that_the_guard_should_have_refused() {
    let (database, snapshot) = library().await;
    let oracle = Oracle::new(&database, snapshot).await;
    for sql in LEAKS {
        assert!(check(sql, &oracle.snapshot).is_err(), "{sql}");
        assert!(
            matches!(oracle.objection_to(sql).await, Verdict::Objection(_)),
            "nobody objects to {sql}"
        );
    }
    let mut judged = 0;
    for sql in accepted() {
        let checked = check(&sql, &oracle.snapshot).expect(&sql);
        match oracle.objection(&checked).await {
            Verdict::Objection(objection) => panic!("{sql}: {objection}"),
            Verdict::Fine => judged += 1,
            Verdict::Unknown | Verdict::Slow => {}
        }
    }
    assert!(judged > 80, "only {judged} statements could be judged");
}

/// What became of the mutants.
#[derive(Default)]
struct Tally {
    mutants: usize,
    accepted: usize,
    /// Accepted, and PostgreSQL can plan them.
    judged: usize,
    refused: BTreeMap<&'static str, usize>,
    /// Accepted, and PostgreSQL took longer than its time limit to plan them.
    slow: Vec<String>,
    objections: Vec<String>,
}

enum Verdict {
    Fine,
    Objection(String),
    /// The statement would fail when run, whoever runs it.
    Unknown,
    Slow,
}

/// A PostgreSQL that is asked about statements.
struct Oracle {
    snapshot: Snapshot,
    admin: Client,
    reader: Client,
}

impl Oracle {
    async fn new(database: &TestDatabase, snapshot: Snapshot) -> Self {
        let admin = database.admin().await;
        let functions = names_in(include_str!("../../../src/guard/builtins/functions.txt"), 1);
        let operators = names_in(
            include_str!("../../../src/guard/builtins/operators.txt"),
            usize::MAX,
        );
        let revokes = admin
            .query_one(NOTHING_FOR_PUBLIC, &[&functions, &operators])
            .await
            .expect("a list of what to revoke");
        admin
            .batch_execute(revokes.get(0))
            .await
            .expect("nothing left for PUBLIC");
        admin.batch_execute(READER).await.expect("a role");
        let reader = database.admin().await;
        reader
            .batch_execute(
                "SET search_path = pg_catalog; SET statement_timeout = '10s'; SET ROLE mutant_reader",
            )
            .await
            .expect("a session");
        Self {
            snapshot,
            admin,
            reader,
        }
    }

    /// What PostgreSQL has against a statement that the guard let through.
    async fn objection(&self, checked: &CheckedSql) -> Verdict {
        let again =
            check(checked.as_str(), &self.snapshot).map(|again| again.as_str() == checked.as_str());
        if again != Ok(true) {
            return Verdict::Objection(format!("what was written out is not stable: {again:?}"));
        }
        self.objection_to(checked.as_str()).await
    }

    fn is_gone(&self) -> bool {
        self.reader.is_closed() || self.admin.is_closed()
    }

    async fn objection_to(&self, sql: &str) -> Verdict {
        if let Err(error) = self.reader.batch_execute(&format!("EXPLAIN {sql}")).await {
            if self.is_gone() {
                return Verdict::Objection("ends PostgreSQL's process".to_owned());
            }
            return match error.code() {
                Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Verdict::Objection(
                    error
                        .as_db_error()
                        .map_or_else(String::new, |answer| answer.message().to_owned()),
                ),
                Some(&SqlState::QUERY_CANCELED) => Verdict::Slow,
                _ => Verdict::Unknown,
            };
        }
        let Some(found) = view_dependencies(&self.admin, sql).await else {
            return Verdict::Unknown;
        };
        let forbidden = found
            .into_iter()
            .find(|dependency| !may_depend_on(dependency, &self.snapshot));
        forbidden.map_or(Verdict::Fine, |dependency| {
            Verdict::Objection(format!("depends on {dependency}"))
        })
    }
}

/// The role that has what the policy shows. It is the cluster's, so an earlier database may have made it.
const READER: &str = "
DO $$ BEGIN CREATE ROLE mutant_reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
GRANT SELECT ON public.books, public.loans, public.loan_summary TO mutant_reader;
GRANT SELECT (id, name, email, kind, joined) ON public.members TO mutant_reader";

/// Takes from PUBLIC the catalogs and every builtin function but those on the list and those behind operators on the list and
/// behind conversions. PostgreSQL looks at these rights when it plans.
const NOTHING_FOR_PUBLIC: &str = "
SELECT string_agg(format('REVOKE EXECUTE ON ROUTINE %s FROM PUBLIC', p.oid::regprocedure), '; ')
    || '; REVOKE ALL ON ALL TABLES IN SCHEMA pg_catalog, information_schema FROM PUBLIC'
FROM pg_proc p
WHERE pronamespace = 'pg_catalog'::regnamespace AND proname <> ALL ($1)
  AND p.oid NOT IN (SELECT oprcode FROM pg_operator WHERE oprname = ANY ($2))
  AND p.oid NOT IN (SELECT castfunc FROM pg_cast)
  AND p.oid NOT IN (SELECT unnest(ARRAY[typinput, typoutput]::oid[]) FROM pg_type WHERE typname NOT LIKE 'reg%')";

/// The first `most` words of each line that is not a comment.
fn names_in(list: &'static str, most: usize) -> Vec<&'static str> {
    list.lines()
        .filter(|line| !line.is_empty() && *line != "#" && !line.starts_with("# "))
        .flat_map(|line| line.split_whitespace().take(most))
        .collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "no setting of db-chat, but of one test"
)]
fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable)
        .ok()
        .map(|text| text.parse().expect("a number"))
}

fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(SEED, |now| {
        now.as_secs() ^ u64::from(now.subsec_nanos()).rotate_left(32)
    })
}

/// What a long run found is read from its output.
fn say(tally: &Tally, seed: u64, started: Instant) {
    println!(
        "seed {seed}, {} s: {} mutants, {} accepted, {} of them judged by PostgreSQL, {} objections, {} slow",
        started.elapsed().as_secs(),
        tally.mutants,
        tally.accepted,
        tally.judged,
        tally.objections.len(),
        tally.slow.len(),
    );
    println!("  refused: {:?}", tally.refused);
    for statement in tally.objections.iter().chain(&tally.slow) {
        println!("  {statement}");
    }
}
