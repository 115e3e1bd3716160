-- Every right in this database that lets more happen than reading by the policy, one row for each right and grantee
-- (0: PUBLIC). Read with search_path = pg_catalog. `grants` strips by it, `doctor` reports by it, so that the
-- two cannot disagree. Rights that initdb gives PUBLIC on the system's own relations are left out.
SELECT 'database' AS kind, format('DATABASE %I', d.datname) AS target, NULL::text AS schema_name, NULL::text AS relation_name,
       NULL::text AS column_name, NULL::text AS extension_name, d.datdba AS owner, a.grantee, a.privilege_type AS privilege
  FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
 WHERE d.datname = current_database() AND a.privilege_type IN ('CREATE', 'TEMPORARY')
UNION ALL
SELECT 'schema', format('SCHEMA %I', n.nspname), n.nspname::text, NULL, NULL, NULL, n.nspowner, a.grantee, a.privilege_type
  FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
 WHERE n.nspname !~ '^pg_(toast_)?temp_' AND a.privilege_type = 'CREATE'
UNION ALL
SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'relation' END,
       format('%s %I.%I', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, n.nspname, c.relname),
       n.nspname::text, c.relname::text, NULL, e.extname::text, c.relowner, a.grantee, a.privilege_type
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_depend m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid AND m.objsubid = 0
            AND m.refclassid = 'pg_extension'::regclass AND m.deptype = 'e'
  LEFT JOIN pg_extension e ON e.oid = m.refobjid,
       aclexplode(coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END, c.relowner))) a
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_(toast_)?temp_'
   AND (a.grantee <> 0 OR n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')
UNION ALL
SELECT 'column', format('TABLE %I.%I', n.nspname, c.relname),
       n.nspname::text, c.relname::text, t.attname::text, e.extname::text, c.relowner, a.grantee,
       format('%s (%I)', a.privilege_type, t.attname)
  FROM pg_attribute t
  JOIN pg_class c ON c.oid = t.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_depend m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid AND m.objsubid = 0
            AND m.refclassid = 'pg_extension'::regclass AND m.deptype = 'e'
  LEFT JOIN pg_extension e ON e.oid = m.refobjid,
       aclexplode(t.attacl) a
 WHERE NOT t.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_(toast_)?temp_'
   AND (a.grantee <> 0 OR n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')
UNION ALL
SELECT f.kind, format('ROUTINE %I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
       n.nspname::text, NULL, NULL, e.extname::text, p.proowner, a.grantee, a.privilege_type
  FROM pg_proc p
  JOIN pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_language l ON l.oid = p.prolang
  LEFT JOIN pg_depend m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
            AND m.refclassid = 'pg_extension'::regclass AND m.deptype = 'e'
  LEFT JOIN pg_extension e ON e.oid = m.refobjid,
       LATERAL (SELECT CASE
           WHEN p.oid < 16384 THEN CASE
               -- Large objects, and the log that replicas read: lasting writes, and reading outside every table.
               WHEN p.proname ~ '^(lo_.*|loread|lowrite|pg_logical_emit_message)$' THEN 'writing builtin'
               -- Waiting, locking, telling and killing other sessions, changing settings.
               WHEN p.proname ~ '^(pg_sleep(_.*)?|pg_(try_)?advisory_(xact_)?lock(_shared)?|pg_advisory_unlock(_shared)?|pg_notify|pg_cancel_backend|pg_terminate_backend|set_config|pg_export_snapshot|txid_current|pg_current_xact_id)$'
               -- SQL, or a relation's name, inside a text.
                 OR p.proname ~ '^(query|cursor|table|schema|database)_to_xml(schema|_and_xmlschema)?$'
                 OR p.proname = 'ts_stat' OR p.proname = 'ts_rewrite' AND p.pronargs = 2
               -- About the server, its files and its network.
                 OR p.proname ~ '^(inet_(server|client)_(addr|port)|pg_postmaster_start_time|pg_conf_load_time|pg_(database|tablespace|relation|table|indexes|total_relation)_size|pg_relation_file(path|node)|pg_(current|last)_wal_.*|pg_last_xact_replay_timestamp)$'
               -- What others defined and do, as far as psql's and the drivers' own questions do not need it.
                 OR p.proname ~ '^(pg_get_(viewdef|functiondef|triggerdef|ruledef|partkeydef|partition_constraintdef|statisticsobjdef|replica_identity_index)|pg_identify_object(_as_address)?|pg_stat_(get_.*|clear_snapshot|force_next_flush)|pg_show_all_settings|pg_timezone_names|pg_available_extension(s|_versions)|pg_control_.*|pg_blocking_pids|pg_lock_status|pg_prepared_xact|pg_get_replication_slots|pg_tablespace_databases|pg_collation_actual_version|pg_my_temp_schema|pg_is_other_temp_schema|pg_(relation|column)_is_updatable|ts_debug|reg.*in|enum_in|setseed)$'
                 THEN 'builtin' END
           -- Nobody can call a trigger's function.
           WHEN p.prorettype IN ('trigger'::regtype, 'event_trigger'::regtype) THEN NULL
           WHEN p.prosecdef THEN 'definer function'
           -- PostgreSQL asks the aggregate's owner, not the caller, for the right to its parts.
           WHEN EXISTS (SELECT FROM pg_aggregate g JOIN pg_proc part ON part.prosecdef
                 AND part.oid IN (g.aggtransfn, g.aggfinalfn, g.aggcombinefn, g.aggserialfn, g.aggdeserialfn, g.aggmtransfn, g.aggminvtransfn, g.aggmfinalfn)
                WHERE g.aggfnoid = p.oid) THEN 'definer function'
           WHEN NOT l.lanpltrusted AND l.lanname NOT IN ('internal', 'c') THEN 'untrusted function'
           WHEN e.extname IN ('adminpack', 'dblink', 'pg_stat_statements') THEN 'untrusted function'
       END AS kind) f,
       aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
 WHERE f.kind IS NOT NULL
