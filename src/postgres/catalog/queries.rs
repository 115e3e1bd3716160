//! The questions asked of `pg_catalog`: one text each, the same number whatever the size of the database.
//!
//! Everything is read with rights that every role has, on PostgreSQL 13 and later. Rows made by initdb have
//! OIDs below 16384 and cannot change, so most queries begin above that and use an index. Temporary
//! schemas are left out everywhere: they come and go with other sessions and cannot be read by ours.

/// Leaves out `pg_catalog`, `pg_toast`, temporary schemas and `information_schema`. PostgreSQL reserves the prefix `pg_`.
macro_rules! user_schema {
    ($name:literal) => {
        concat!($name, " !~ '^pg_' AND ", $name, " <> 'information_schema'")
    };
}

/// Leaves out temporary schemas only.
macro_rules! lasting_schema {
    ($name:literal) => {
        concat!($name, " !~ '^pg_(toast_)?temp_'")
    };
}

/// Leaves out what came with an extension.
macro_rules! no_member {
    ($class:literal, $oid:literal) => {
        concat!(
            "NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '",
            $class,
            "'::regclass AND e.objid = ",
            $oid,
            " AND e.refclassid = 'pg_extension'::regclass AND e.deptype = 'e')"
        )
    };
}

/// Whether a view looks with its reader's rights (PostgreSQL 15); before, no view does.
macro_rules! security_invoker {
    ($class:literal) => {
        concat!(
            "EXISTS (SELECT FROM unnest(",
            $class,
            ".reloptions) o WHERE lower(o) IN ('security_invoker=true', 'security_invoker=on', 'security_invoker=1', 'security_invoker=yes'))"
        )
    };
}

/// One text that differs whenever a catalog read now would differ from one read before.
///
/// `pg_attribute`, `pg_constraint` and the like are compared by the transaction that wrote each row, which only DDL
/// changes. `pg_class` is compared by content, because TRUNCATE, VACUUM FULL and REINDEX write its rows too.
pub(super) const FINGERPRINT: &str = concat!(
    "SELECT encode(sha256(convert_to((
     WITH lasting AS MATERIALIZED (SELECT oid, nspname FROM pg_namespace WHERE ",
    lasting_schema!("nspname"),
    "), classes AS MATERIALIZED (
       SELECT c.oid, c.relname, c.relnamespace, c.relkind, c.relispartition, c.relrowsecurity,
              c.relkind = 'v' AND ",
    security_invoker!("c"),
    " AS is_invoker
         FROM pg_class c JOIN lasting n ON n.oid = c.relnamespace
        WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')),
     parts(part, number, hash) AS (
       SELECT 'namespace', count(*), sum(hashtextextended(concat_ws(',', oid, nspname), 0)) FROM lasting
       UNION ALL
       SELECT 'class', count(*),
              sum(hashtextextended(concat_ws(',', oid, relnamespace, relkind, relispartition, relrowsecurity,
                                             row_security_active(oid), is_invoker, relname), 0))
         FROM classes
       UNION ALL
       SELECT 'rule', count(*), sum(hashtextextended(concat_ws(',', w.oid, w.xmin), 0))
         FROM pg_rewrite w WHERE w.ev_class >= 16384
       UNION ALL
       SELECT 'attribute', count(*), sum(hashtextextended(concat_ws(',', a.attrelid, a.attnum, a.xmin), 0))
         FROM pg_attribute a JOIN classes c ON c.oid = a.attrelid WHERE a.attrelid >= 16384 AND a.attnum > 0
       UNION ALL
       SELECT 'index', count(*),
              sum(hashtextextended(concat_ws(',', i.indrelid, i.indisprimary, i.indisvalid, i.indnkeyatts, i.indkey::text), 0))
         FROM pg_index i JOIN classes c ON c.oid = i.indrelid
        WHERE i.indrelid >= 16384 AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
       UNION ALL
       SELECT 'constraint', count(*), sum(hashtextextended(concat_ws(',', k.oid, k.xmin), 0))
         FROM pg_constraint k JOIN lasting n ON n.oid = k.connamespace
        WHERE k.oid >= 16384 AND k.contype IN ('c', 'f')
       UNION ALL
       SELECT 'type', count(*), sum(hashtextextended(concat_ws(',', t.oid, t.xmin), 0))
         FROM pg_type t JOIN lasting n ON n.oid = t.typnamespace WHERE t.oid >= 16384
       UNION ALL
       SELECT 'enum', count(*), sum(hashtextextended(concat_ws(',', oid, xmin), 0)) FROM pg_enum
       UNION ALL
       SELECT 'description', count(*), sum(hashtextextended(concat_ws(',', objoid, objsubid, xmin), 0))
         FROM pg_description WHERE objoid >= 16384 AND classoid = 'pg_class'::regclass
       UNION ALL
       SELECT 'function', count(*), sum(hashtextextended(concat_ws(',', p.oid, p.pronamespace, p.proname), 0))
         FROM pg_proc p JOIN lasting n ON n.oid = p.pronamespace WHERE p.oid >= 16384
       UNION ALL
       SELECT 'operator', count(*), sum(hashtextextended(concat_ws(',', oid, oprnamespace, oprname), 0))
         FROM pg_operator WHERE oid >= 16384
       UNION ALL
       SELECT 'cast', count(*), sum(hashtextextended(concat_ws(',', oid, castsource, casttarget, castcontext), 0))
         FROM pg_cast WHERE oid >= 16384
       UNION ALL
       SELECT 'extension', count(*), sum(hashtextextended(concat_ws(',', oid, extnamespace, extname), 0)) FROM pg_extension
       UNION ALL
       SELECT 'member', count(*), sum(hashtextextended(concat_ws(',', classid, objid), 0))
         FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e')
     SELECT concat_ws(' ', current_database(), current_setting('server_version_num'),
                      (SELECT string_agg(concat_ws(':', part, number, coalesce(hash, 0)), ' ' ORDER BY part) FROM parts))::text",
    // Hashed, because it goes to clients, and counts would tell of what the policy hides.
    "), 'UTF8')), 'hex')",
);

/// `database`, `server_version_num`.
pub(super) const DATABASE: &str =
    "SELECT current_database()::text, current_setting('server_version_num')::int8";

/// `oid`, `schema`, `name`, `relkind`, `is_partition`, `parent oid` (0: none), `comment`, `estimated rows` (NULL: unknown).
///
/// What came with an extension is left out: it is the extension's machinery (`pg_stat_statements` shows other people's queries).
/// Up to version 13 a table that was never analyzed and an empty one look alike; later `-1` says so.
pub(super) const RELATIONS: &str = concat!(
    "SELECT c.oid::int8, n.nspname::text, c.relname::text, c.relkind::text, c.relispartition,
            coalesce(CASE WHEN c.relispartition THEN i.inhparent END, 0)::int8, d.description,
            CASE WHEN c.relkind = 'v' OR c.reltuples < 0 THEN NULL
                 WHEN c.reltuples = 0 AND c.relpages = 0 AND current_setting('server_version_num')::int4 < 140000 THEN NULL
                 ELSE c.reltuples::int8 END
       FROM pg_class c
       JOIN pg_namespace n ON n.oid = c.relnamespace
       LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhseqno = 1
       LEFT JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
      WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ",
    user_schema!("n.nspname"),
    " AND ",
    no_member!("pg_class", "c.oid"),
    " ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\""
);

/// `schema`, `name`, `is active`: the relations with row-level security, and whether it holds for the role that asks. A view has it when
/// every view on its way to the tables looks with its reader's rights and every table has it.
pub(super) const ROW_SECURITY: &str = concat!(
    "WITH RECURSIVE direct(view, relation) AS MATERIALIZED (
       SELECT DISTINCT w.ev_class, d.refobjid
         FROM pg_rewrite w
         JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
              AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> w.ev_class
        WHERE w.ev_class >= 16384),
     deep(view, relation) AS (
       SELECT view, relation FROM direct
       UNION
       SELECT deep.view, direct.relation FROM deep JOIN direct ON direct.view = deep.relation),
     single AS MATERIALIZED (
       SELECT c.oid, c.relname, c.relnamespace, c.relkind,
              CASE WHEN c.relkind IN ('r', 'p') THEN c.relrowsecurity
                   ELSE c.relkind = 'v' AND ",
    security_invoker!("c"),
    " END AS is_enabled,
              CASE WHEN c.relkind IN ('r', 'p') THEN row_security_active(c.oid) ELSE c.relkind = 'v' END AS is_active
         FROM pg_class c)
     SELECT n.nspname::text, s.relname::text,
            s.is_active AND NOT EXISTS (
              SELECT FROM deep JOIN single below ON below.oid = deep.relation WHERE deep.view = s.oid AND NOT below.is_active)
       FROM single s JOIN pg_namespace n ON n.oid = s.relnamespace
      WHERE s.oid >= 16384 AND s.relkind IN ('r', 'p', 'v') AND s.is_enabled AND ",
    user_schema!("n.nspname"),
    " AND NOT EXISTS (
              SELECT FROM deep JOIN single below ON below.oid = deep.relation WHERE deep.view = s.oid AND NOT below.is_enabled)"
);

/// `relation oid`, `attnum`, `name`, `format_type`, `type schema`, `typname`, `type oid`, `element type oid` (0: no array), `not null`, `comment`.
pub(super) const COLUMNS: &str = concat!(
    "SELECT a.attrelid::int8, a.attnum::int8, a.attname::text, format_type(a.atttypid, a.atttypmod), tn.nspname::text, t.typname::text,
            t.oid::int8, (CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END)::int8,
            a.attnotnull OR (t.typtype = 'd' AND t.typnotnull), d.description
       FROM pg_attribute a
       JOIN pg_class c ON c.oid = a.attrelid
       JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_type t ON t.oid = a.atttypid
       JOIN pg_namespace tn ON tn.oid = t.typnamespace
       LEFT JOIN pg_description d ON d.objoid = a.attrelid AND d.classoid = 'pg_class'::regclass AND d.objsubid = a.attnum
      WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ",
    user_schema!("n.nspname"),
    " ORDER BY a.attrelid, a.attnum"
);

/// `relation oid`, `is primary`, `attnums` in key order. Unique indexes without a constraint count as well: they promise the same.
pub(super) const KEYS: &str = "
     SELECT i.indrelid::int8, i.indisprimary, (i.indkey::int2[]::int8[])[0:i.indnkeyatts - 1]
       FROM pg_index i
       JOIN pg_class x ON x.oid = i.indexrelid
      WHERE i.indrelid >= 16384 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
      ORDER BY i.indrelid, NOT i.indisprimary, x.relname COLLATE \"C\"";

/// `relation oid`, `name`, `attnums`, `target oid`, `target attnums`. A key into a partitioned table has a copy for each
/// partition there, which say nothing new.
pub(super) const FOREIGN_KEYS: &str = "
     SELECT k.conrelid::int8, k.conname::text, k.conkey::int8[], k.confrelid::int8, k.confkey::int8[]
       FROM pg_constraint k
      WHERE k.contype = 'f'
        AND NOT EXISTS (SELECT FROM pg_constraint up WHERE up.oid = k.conparentid AND up.conrelid = k.conrelid)
      ORDER BY k.conrelid, k.conname COLLATE \"C\", k.oid";

/// `relation oid` (0: a domain's), `domain type oid`, `expression`. Constraints that old rows may break are left out.
pub(super) const CHECKS: &str = "
     SELECT k.conrelid::int8, k.contypid::int8, pg_get_expr(k.conbin, k.conrelid)
       FROM pg_constraint k
      WHERE k.contype = 'c' AND k.convalidated AND k.oid >= 16384
      ORDER BY k.conrelid, k.contypid, k.conname COLLATE \"C\"";

/// `oid`, `schema`, `name`, `typtype`, `base type oid`, `element of the base type` (0: no array), `base type`, `labels`.
pub(super) const TYPES: &str = concat!(
    "SELECT t.oid::int8, n.nspname::text, t.typname::text, t.typtype::text, t.typbasetype::int8,
            (CASE WHEN b.typcategory = 'A' THEN b.typelem ELSE 0 END)::int8,
            CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END,
            ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder)
       FROM pg_type t
       JOIN pg_namespace n ON n.oid = t.typnamespace
       LEFT JOIN pg_type b ON b.oid = t.typbasetype
      WHERE t.typtype IN ('e', 'd') AND ",
    user_schema!("n.nspname"),
    " ORDER BY n.nspname COLLATE \"C\", t.typname COLLATE \"C\""
);

/// Names of functions, procedures and aggregates that the database defines itself.
pub(super) const FUNCTION_NAMES: &str = concat!(
    "SELECT DISTINCT p.proname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE p.oid >= 16384 AND (n.nspname = 'pg_catalog' OR ",
    user_schema!("n.nspname"),
    " AND ",
    no_member!("pg_proc", "p.oid"),
    ")"
);

/// Operator symbols that the database defines itself.
pub(super) const OPERATOR_NAMES: &str = concat!(
    "SELECT DISTINCT o.oprname::text FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
      WHERE o.oid >= 16384 AND (n.nspname = 'pg_catalog' OR ",
    user_schema!("n.nspname"),
    " AND ",
    no_member!("pg_operator", "o.oid"),
    ")"
);

/// Type names that the database defines itself, row types and array types included.
pub(super) const TYPE_NAMES: &str = concat!(
    "SELECT DISTINCT t.typname::text FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
      WHERE t.oid >= 16384 AND (n.nspname = 'pg_catalog' OR ",
    user_schema!("n.nspname"),
    " AND ",
    no_member!("pg_type", "t.oid"),
    ")"
);

/// Casts that run a function which the database defines itself: `schema.name` of both types, and whether PostgreSQL applies it unasked.
pub(super) const CASTS: &str = concat!(
    "SELECT sn.nspname || '.' || s.typname, tn.nspname || '.' || t.typname, k.castcontext = 'i'
       FROM pg_cast k
       JOIN pg_type s ON s.oid = k.castsource
       JOIN pg_namespace sn ON sn.oid = s.typnamespace
       JOIN pg_type t ON t.oid = k.casttarget
       JOIN pg_namespace tn ON tn.oid = t.typnamespace
      WHERE k.oid >= 16384 AND k.castfunc >= 16384 AND ",
    no_member!("pg_cast", "k.oid")
);

/// `extension`, `its schema`, `kind` (NULL for an extension without names), `name` of what it put into that schema.
pub(super) const EXTENSIONS: &str = "
     SELECT e.extname::text, n.nspname::text, m.kind, m.name
       FROM pg_extension e
       JOIN pg_namespace n ON n.oid = e.extnamespace
       LEFT JOIN LATERAL (
         SELECT 'function' AS kind, p.proname::text AS name
           FROM pg_depend d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
          WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
            AND p.pronamespace = e.extnamespace
         UNION ALL
         SELECT 'operator', o.oprname::text
           FROM pg_depend d JOIN pg_operator o ON d.classid = 'pg_operator'::regclass AND o.oid = d.objid
          WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
            AND o.oprnamespace = e.extnamespace
         UNION ALL
         SELECT 'type', t.typname::text
           FROM pg_depend d JOIN pg_type t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
          WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
            AND t.typnamespace = e.extnamespace AND t.typcategory <> 'A') m ON true
      ORDER BY e.extname COLLATE \"C\"";
