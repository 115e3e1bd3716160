//! The questions about a role, asked of the catalogs with `search_path = pg_catalog`.
//!
//! `session_user` is meant throughout: whatever role a setting switches to, RESET ROLE comes back to it.

use crate::postgres::grants::RIGHTS;

/// One snapshot for all of them, and the system's own names only.
pub(super) const BEGIN: &str =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = pg_catalog";

/// How a session of this role begins.
pub(super) const DEFAULTS: &str = "
    SELECT pg_catalog.current_setting('default_transaction_read_only') = 'on' AS is_read_only,
           pg_catalog.current_setting('statement_timeout') <> '0' AS has_statement_timeout";

/// The attributes that no reader needs, of the role `r`.
macro_rules! attributes {
    () => {
        "array_remove(ARRAY[CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END, CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
                            CASE WHEN r.rolcreatedb THEN 'CREATEDB' END, CASE WHEN r.rolreplication THEN 'REPLICATION' END], NULL)"
    };
}

/// The role and every role that it can become: one name, `reach`.
macro_rules! reach {
    () => {
        "WITH RECURSIVE reach(oid) AS (
             SELECT r.oid FROM pg_roles r WHERE r.rolname = session_user
             UNION
             SELECT m.roleid FROM pg_auth_members m JOIN reach ON m.member = reach.oid)"
    };
}

pub(super) const ROLE: &str = concat!(
    "SELECT r.rolname::text AS role, current_database()::text AS database, current_setting('server_version') AS server_version,
            current_setting('server_version_num')::int8 AS server_version_num, r.rolsuper AS is_superuser, ",
    attributes!(),
    " AS attributes
       FROM pg_roles r WHERE r.rolname = session_user"
);

pub(super) const MEMBERSHIPS: &str = concat!(
    reach!(),
    " SELECT DISTINCT r.rolname::text AS role, member.rolname::text AS member, r.rolsuper AS is_superuser, ",
    attributes!(),
    " AS attributes
       FROM reach JOIN pg_auth_members m ON m.member = reach.oid
       JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles member ON member.oid = m.member
      ORDER BY 1, 2"
);

/// A row for each owner within reach.
pub(super) const OWNED: &str = concat!(
    reach!(),
    " SELECT r.rolname::text AS owner, count(*) AS count, min(pg_describe_object(d.classid, d.objid, d.objsubid)) AS example
       FROM reach JOIN pg_roles r ON r.oid = reach.oid
       JOIN pg_shdepend d ON d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid AND d.deptype = 'o'
        AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
      GROUP BY 1 ORDER BY 1"
);

/// The rights within reach that can be used: a table in a schema without USAGE cannot. What an owner holds follows from owning.
pub(super) fn rights() -> String {
    [
        reach!(),
        " SELECT x.kind, x.target, x.schema_name, x.relation_name, x.column_name, x.extension_name, x.privilege, g.rolname::text AS grantee_name
           FROM (",
        RIGHTS,
        ") x LEFT JOIN pg_roles g ON g.oid = x.grantee
          WHERE (x.grantee = 0 OR x.grantee IN (SELECT oid FROM reach)) AND x.grantee <> x.owner
            AND (x.schema_name IS NULL OR x.kind = 'schema'
                 OR EXISTS (SELECT FROM reach WHERE has_schema_privilege(reach.oid, x.schema_name, 'USAGE')))
          ORDER BY x.kind, x.target, x.privilege, g.rolname",
    ]
    .concat()
}

/// What each view that the role can read reads itself, through the views and materialized views below it that look with their owners' rights too.
/// A view with `security_invoker` (PostgreSQL 15) looks with its reader's, and ends the way.
pub(super) const VIEW_READS: &str = concat!(
    reach!(),
    ", direct AS (
        SELECT DISTINCT w.ev_class AS view, d.refobjid AS relation, d.refobjsubid AS attnum
          FROM pg_rewrite w
          JOIN pg_class v ON v.oid = w.ev_class AND v.relkind IN ('v', 'm')
          JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
               AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> w.ev_class
         WHERE w.ev_class >= 16384
           AND NOT EXISTS (SELECT FROM unnest(v.reloptions) o WHERE lower(o) IN ('security_invoker=true', 'security_invoker=on', 'security_invoker=1', 'security_invoker=yes'))),
    deep(view, relation, attnum) AS (
        SELECT view, relation, attnum FROM direct
        UNION
        SELECT deep.view, direct.relation, direct.attnum FROM deep JOIN direct ON direct.view = deep.relation)
    SELECT vn.nspname::text AS view_schema, v.relname::text AS view, v.relkind = 'm' AS is_materialized, cn.nspname::text AS schema, c.relname::text AS relation,
           a.attname::text AS column_name
      FROM deep
      JOIN pg_class v ON v.oid = deep.view JOIN pg_namespace vn ON vn.oid = v.relnamespace
      JOIN pg_class c ON c.oid = deep.relation AND c.relkind IN ('r', 'p', 'f') JOIN pg_namespace cn ON cn.oid = c.relnamespace
      LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = deep.attnum AND deep.attnum > 0
     WHERE vn.nspname !~ '^pg_' AND vn.nspname <> 'information_schema' AND cn.nspname <> 'information_schema'
       AND EXISTS (SELECT FROM reach WHERE has_any_column_privilege(reach.oid, v.oid, 'SELECT'))
     ORDER BY 1, 2, 4, 5, 6"
);
