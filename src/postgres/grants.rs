//! The SQL that makes the role that db-chat asks as, and the SQL that undoes it.
//!
//! In: what the policy lets be seen, and bounds. Out: a script for an administrator. Runs nothing and must not know a password.
//!
//! Whoever runs the script is powerful and names come from a database that others may write to, so every name is
//! quoted, and none is ever put into a comment. What PUBLIC loses, each other role that exists keeps by a grant of
//! its own, and `pg_monitor` with its members: an application does not notice. A role that is created later has to be given it.

use std::collections::BTreeSet;

use crate::config::Limits;
use crate::domain::schema::{Relation, Snapshot};

/// What a role may hold that the policy does not need; see the file.
pub(super) const RIGHTS: &str = include_str!("posture/rights.sql");

/// A sort or hash in memory; enough for what an answer of some thousand rows needs.
const WORK_MEM: &str = "16MB";

/// Temporary files of one session: sorts of some millions of rows pass, a cross join that spills does not fill the disk.
const TEMP_FILE_LIMIT: &str = "1GB";

/// The role to make, and its bounds.
#[derive(Debug, Clone)]
pub struct ReaderRole {
    name: String,
    connections_max: usize,
    statement_timeout_ms: u64,
    idle_in_transaction_timeout_ms: u64,
}

/// A name that cannot be a role's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name:?} cannot be the role's name: use 1 to 63 bytes without control characters, not public or none, and not pg_ in front"
)]
pub struct RoleNameError {
    name: String,
}

impl ReaderRole {
    /// A role with the time limits of the settings. `connections_max` bounds all db-chat processes together.
    ///
    /// # Errors
    /// PostgreSQL would not take the name, or would cut it.
    pub fn new(name: &str, connections_max: usize, limits: &Limits) -> Result<Self, RoleNameError> {
        let is_reserved = name.starts_with("pg_") || matches!(name, "public" | "none");
        if name.is_empty() || name.len() > 63 || name.chars().any(char::is_control) || is_reserved {
            return Err(RoleNameError {
                name: name.to_owned(),
            });
        }
        Ok(Self {
            name: name.to_owned(),
            connections_max,
            statement_timeout_ms: limits.statement_timeout_ms,
            idle_in_transaction_timeout_ms: limits.idle_in_transaction_timeout_ms,
        })
    }

    /// A script that leaves the role with exactly what `snapshot` shows, whatever it had before. It can be run again, and
    /// does all or nothing.
    #[must_use]
    pub fn grants_sql(&self, snapshot: &Snapshot) -> String {
        let role = identifier(&self.name);
        let mut sql = String::from(GRANTS_HEAD);
        sql.push_str(&do_block(&self.create_body()));
        sql.push_str(&format!(
            "ALTER ROLE {role} LOGIN NOINHERIT NOCREATEDB NOCREATEROLE CONNECTION LIMIT {};\n",
            self.connections_max
        ));
        sql.push_str(
            "-- Defaults: whoever is logged in can change them, so the grants below are what protects.\n",
        );
        for (setting, value) in [
            ("default_transaction_read_only", "on".to_owned()),
            ("search_path", "pg_catalog".to_owned()),
            (
                "statement_timeout",
                format!("'{}ms'", self.statement_timeout_ms),
            ),
            ("lock_timeout", format!("'{}ms'", self.statement_timeout_ms)),
            (
                "idle_in_transaction_session_timeout",
                format!("'{}ms'", self.idle_in_transaction_timeout_ms),
            ),
            ("work_mem", format!("'{WORK_MEM}'")),
        ] {
            sql.push_str(&format!("ALTER ROLE {role} SET {setting} = {value};\n"));
        }
        sql.push_str("\n-- Nothing from before, and nothing through other roles.\n");
        sql.push_str(&do_block(&self.strip_body()));
        sql.push_str(
            "\n-- What PUBLIC gives away. Other roles that exist keep it by grants of their own.\n",
        );
        sql.push_str(&do_block(&self.close_public_body(snapshot)));
        sql.push_str("\n-- What the policy shows.\n");
        for statement in self.policy_grants(snapshot) {
            sql.push_str(&statement);
            sql.push_str(";\n");
        }
        sql.push_str("\nCOMMIT;\n");
        sql
    }

    /// A script that removes the role from `database` and drops it, and gives PUBLIC back what PostgreSQL gives it by default.
    /// It can be run again.
    #[must_use]
    pub fn drop_sql(&self, database: &str) -> String {
        let (role, name) = (identifier(&self.name), literal(&self.name));
        let drop_body = format!(
            "BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = {name}) THEN
        REVOKE ALL ON DATABASE {} FROM {role};
        DROP ROLE {role};
    END IF;
END",
            identifier(database)
        );
        [
            DROP_HEAD,
            &do_block(&self.refuse_owner_body()),
            &do_block(&self.strip_body()),
            &do_block(&drop_body),
            "\n-- As PostgreSQL is delivered.\n",
            &do_block(&give_back_body()),
            "\nCOMMIT;\n",
        ]
        .concat()
    }

    fn create_body(&self) -> String {
        let (role, name) = (identifier(&self.name), literal(&self.name));
        let refuse = self.refuse_owner();
        format!(
            "BEGIN
{refuse}
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {name}) THEN
        CREATE ROLE {role} LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
    END IF;
    -- Only a superuser may say these.
    IF current_setting('is_superuser')::boolean THEN
        ALTER ROLE {role} NOSUPERUSER NOREPLICATION NOBYPASSRLS;
        ALTER ROLE {role} SET temp_file_limit = '{TEMP_FILE_LIMIT}';
    END IF;
END"
        )
    }

    fn refuse_owner_body(&self) -> String {
        format!("BEGIN\n{}\nEND", self.refuse_owner())
    }

    /// A role that owns something is an application's, and not ours to change.
    fn refuse_owner(&self) -> String {
        let name = literal(&self.name);
        format!(
            "    IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = {name} AND (r.rolsuper OR r.rolname = current_user
            OR EXISTS (SELECT FROM pg_shdepend d WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid AND d.deptype = 'o'))) THEN
        RAISE EXCEPTION 'this role is a superuser, owns something or is your own: choose another name with --role';
    END IF;"
        )
    }

    /// Takes from the role whatever it holds in this database, and its memberships.
    fn strip_body(&self) -> String {
        let name = literal(&self.name);
        format!(
            "DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT format('REVOKE %s ON %s FROM %I', r.privilege, r.target, g.rolname) AS statement
          FROM ({RIGHTS}) r JOIN pg_roles g ON g.oid = r.grantee AND g.rolname = {name}
        UNION ALL
        SELECT format('REVOKE ALL ON SCHEMA %I FROM %I', n.nspname, g.rolname)
          FROM pg_namespace n JOIN pg_roles g ON g.rolname = {name}
         WHERE EXISTS (SELECT FROM aclexplode(n.nspacl) a WHERE a.grantee = g.oid)
        UNION ALL
        SELECT format('REVOKE %I FROM %I', up.rolname, g.rolname)
          FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.member AND g.rolname = {name} JOIN pg_roles up ON up.oid = m.roleid
    LOOP
        EXECUTE item.statement;
    END LOOP;
END"
        )
    }

    fn close_public_body(&self, snapshot: &Snapshot) -> String {
        let name = literal(&self.name);
        let whole = snapshot
            .relations
            .iter()
            .filter(|relation| !relation.has_hidden_columns())
            .map(|relation| (relation.schema.as_str(), relation.name.as_str()));
        let whole = pairs(whole);
        let extensions = texts(snapshot.extensions.iter().map(|e| e.name.as_str()));
        format!(
            "DECLARE
    item record;
    others text := (SELECT string_agg(quote_ident(o.rolname), ', ') FROM pg_roles o
                     WHERE NOT o.rolsuper AND (o.rolname !~ '^pg_' OR o.rolname = 'pg_monitor') AND o.rolname <> {name});
BEGIN
    FOR item IN
        SELECT r.privilege, r.target FROM ({RIGHTS}) r
         WHERE r.grantee = 0
           AND NOT (r.kind = 'relation' AND r.privilege = 'SELECT' AND (r.schema_name, r.relation_name) IN ({whole}))
           AND (r.extension_name IS NULL OR r.extension_name <> ALL ({extensions}))
    LOOP
        IF others IS NOT NULL THEN
            EXECUTE format('GRANT %s ON %s TO %s', item.privilege, item.target, others);
        END IF;
        EXECUTE format('REVOKE %s ON %s FROM PUBLIC', item.privilege, item.target);
    END LOOP;
END"
        )
    }

    fn policy_grants(&self, snapshot: &Snapshot) -> Vec<String> {
        let role = identifier(&self.name);
        let mut schemas: BTreeSet<&str> = BTreeSet::new();
        schemas.extend(snapshot.relations.iter().map(|r| r.schema.as_str()));
        schemas.extend(snapshot.types.iter().map(|t| t.schema.as_str()));
        schemas.extend(snapshot.extensions.iter().map(|e| e.schema.as_str()));
        let database = identifier(&snapshot.database);
        let mut statements = vec![format!("GRANT CONNECT ON DATABASE {database} TO {role}")];
        statements.extend(
            schemas
                .into_iter()
                .map(|schema| format!("GRANT USAGE ON SCHEMA {} TO {role}", identifier(schema))),
        );
        statements.extend(
            snapshot
                .relations
                .iter()
                .filter_map(|relation| select_grant(relation, &role)),
        );
        statements
    }
}

/// On the whole relation where nothing is hidden, so that `count(*)` and new columns work, else on the columns. A relation of which all is
/// hidden gets none.
fn select_grant(relation: &Relation, role: &str) -> Option<String> {
    let table = format!(
        "{}.{}",
        identifier(&relation.schema),
        identifier(&relation.name)
    );
    if !relation.has_hidden_columns() {
        return Some(format!("GRANT SELECT ON TABLE {table} TO {role}"));
    }
    let columns: Vec<String> = relation
        .visible_columns()
        .map(|column| identifier(&column.name))
        .collect();
    (!columns.is_empty()).then(|| {
        format!(
            "GRANT SELECT ({}) ON TABLE {table} TO {role}",
            columns.join(", ")
        )
    })
}

/// Builtins whose rights initdb has recorded were never PUBLIC's. What was revoked on an operator's own functions and
/// tables stays revoked: PostgreSQL does not keep who had opened them.
fn give_back_body() -> String {
    format!(
        "DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT r.target, r.privilege,
               string_agg(quote_ident(g.rolname), ', ') FILTER (WHERE r.grantee <> r.owner) AS others
          FROM ({RIGHTS}) r LEFT JOIN pg_roles g ON g.oid = r.grantee
         WHERE r.kind = 'database' AND r.privilege = 'TEMPORARY'
            OR r.kind IN ('builtin', 'writing builtin') AND r.target NOT IN (
                   SELECT format('ROUTINE %I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid))
                     FROM pg_init_privs i JOIN pg_proc p ON p.oid = i.objoid AND i.classoid = 'pg_proc'::regclass
                     JOIN pg_namespace n ON n.oid = p.pronamespace)
         GROUP BY r.target, r.privilege
    LOOP
        IF item.others IS NOT NULL THEN
            EXECUTE format('REVOKE %s ON %s FROM %s', item.privilege, item.target, item.others);
        END IF;
        EXECUTE format('GRANT %s ON %s TO PUBLIC', item.privilege, item.target);
    END LOOP;
END"
    )
}

const GRANTS_HEAD: &str = "\
-- The role that db-chat asks as: it can read what the policy shows, and do nothing else.
-- Run this as a superuser, in the database that is asked, e.g. with psql -v ON_ERROR_STOP=1; again whenever the policy
-- or a table changes. It sets no password, so none ends up in a file or a log: set one with psql's \\password, which
-- sends only its hash.
-- PUBLIC loses what would let the role do more: temporary tables, large objects, advisory locks, pg_sleep, set_config,
-- statistics, SECURITY DEFINER functions and the like. Roles that exist now keep them; a role that you create later
-- and that needs one has to be granted it. `db-chat grants --drop` gives PUBLIC back what it has by default.

BEGIN;
SET LOCAL search_path = pg_catalog;

";

const DROP_HEAD: &str = "\
-- Undoes what `db-chat grants` prints. Run it as a superuser, in the same database.
-- What PUBLIC lost on your own functions, tables and schemas stays with the roles that existed then; grant it again
-- where it is wanted. Another role of db-chat in this database needs its own grants run again.

BEGIN;
SET LOCAL search_path = pg_catalog;

";

/// Wraps a body in dollar quotes that do not occur in it, whatever names it holds.
fn do_block(body: &str) -> String {
    let mut tag = String::from("$db_chat$");
    while body.contains(tag.trim_end_matches('$')) {
        tag.insert(tag.len() - 1, '_');
    }
    format!("DO {tag}\n{body}\n{tag};\n")
}

/// A name as SQL takes it, always in quotes.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL takes it, whatever `standard_conforming_strings` is.
fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

fn texts<'a>(items: impl Iterator<Item = &'a str>) -> String {
    let items: Vec<String> = items.map(literal).collect();
    format!("ARRAY[{}]::text[]", items.join(", "))
}

/// For `IN (...)`, which takes no empty list: the first pair is no relation's.
fn pairs<'a>(items: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut rows = vec!["('', '')".to_owned()];
    rows.extend(items.map(|(a, b)| format!("({}, {})", literal(a), literal(b))));
    format!("VALUES {}", rows.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(identifier(r#"a"b"#), r#""a""b""#);
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\'"), r"E'a\\'''");
        let hostile = "x$db_chat$; DROP ROLE y; $db_chat_$";
        let block = do_block(hostile);
        assert!(block.starts_with("DO $db_chat__$\n"), "{block}");
    }

    #[test]
    fn a_name_that_postgresql_would_not_take_is_refused() {
        let role = |name: &str| ReaderRole::new(name, 1, &Limits::default());
        for name in ["", "pg_mine", "public", "a\nb", &"x".repeat(64)] {
            assert!(role(name).is_err(), "{name:?}");
        }
        assert!(role("Reader of \"x\"").is_ok());
    }
}
