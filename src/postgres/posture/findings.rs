//! Judges a [`Posture`]: what of it is more than the policy needs, how bad that is, and what closes it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{Posture, Right};
use crate::domain::schema::Snapshot;
use crate::postgres::grants::identifier;

/// A way past the policy that only the guard stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// For the operator: names objects, hidden ones too.
    pub message: String,
    /// Statements for a superuser in this database, without a semicolon; empty where another role is the only way.
    pub fixes: Vec<String>,
}

/// The kinds of findings, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// Every check is passed over.
    Superuser,
    /// BYPASSRLS, CREATEROLE, CREATEDB or REPLICATION.
    Attribute,
    /// Member of a role that is more than a list of grants.
    PowerRole,
    /// Owns something, and can do anything with it.
    Owner,
    /// Can change rows of a table or a sequence.
    Write,
    /// Can create schemas or tables.
    Create,
    /// Can create temporary tables.
    Temporary,
    /// Can call a function that runs with its owner's rights, or outside the database's checks.
    Function,
    /// Can call builtins that write beside every table.
    WritingBuiltin,
    /// Can read a table or column that the policy does not show.
    Read,
    /// A view shows a hidden column of a table that the policy shows.
    ViewOfHidden,
    /// Relations are hidden because tenants are kept apart and row-level security does not do so there.
    RowSecurity,
    /// A view shows tables that the policy does not show, which may be what it is for.
    View,
    /// Can call builtins that wait, lock, signal or tell about the server.
    Builtin,
    /// Sessions begin without read-only or without a time limit.
    Defaults,
}

impl FindingKind {
    /// A stable word for scripts.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Superuser => "superuser",
            Self::Attribute => "attribute",
            Self::PowerRole => "power_role",
            Self::Owner => "owner",
            Self::Write => "write",
            Self::Create => "create",
            Self::Temporary => "temporary",
            Self::Function => "function",
            Self::WritingBuiltin => "writing_builtin",
            Self::Read => "read_beyond_policy",
            Self::ViewOfHidden => "view_of_hidden_column",
            Self::RowSecurity => "no_row_security",
            Self::View => "view_beyond_policy",
            Self::Builtin => "builtin",
            Self::Defaults => "defaults",
        }
    }

    /// Whether it breaks the promise that nothing leaks and nothing is written; the others are advice.
    #[must_use]
    pub fn is_unsafe(self) -> bool {
        !matches!(
            self,
            Self::RowSecurity | Self::View | Self::Builtin | Self::Defaults
        )
    }

    /// Builtins are many and are told of together.
    fn is_of_builtins(self) -> bool {
        matches!(self, Self::Builtin | Self::WritingBuiltin)
    }

    /// Whether tables could be changed by it, or all rights be had.
    fn lets_write(self) -> bool {
        matches!(
            self,
            Self::Superuser
                | Self::Attribute
                | Self::PowerRole
                | Self::Owner
                | Self::Write
                | Self::Create
        )
    }
}

impl Posture {
    /// Everything that is more than `snapshot` needs, the worst first.
    #[must_use]
    pub fn findings(&self, snapshot: &Snapshot) -> Vec<Finding> {
        let mut findings = self.role_findings();
        findings.extend(self.right_findings(Some(snapshot)));
        findings.extend(self.view_findings(snapshot));
        findings.extend(self.defaults_finding());
        findings.sort_by_key(|finding| finding.kind);
        findings
    }

    /// Only what would let a query change data or take all rights, whatever the policy is.
    #[must_use]
    pub fn write_findings(&self) -> Vec<Finding> {
        let mut findings = self.role_findings();
        findings.extend(self.right_findings(None));
        findings.retain(|finding| finding.kind.lets_write());
        findings.sort_by_key(|finding| finding.kind);
        findings
    }

    /// What [`Snapshot`] lacks because the setting that tells tenants apart does nothing there; `None` where nothing is lacking.
    #[must_use]
    pub fn row_security_finding(&self, relations: &[String], setting: &str) -> Option<Finding> {
        let role = identifier(&self.role);
        (!relations.is_empty()).then(|| Finding {
            kind: FindingKind::RowSecurity,
            message: format!(
                "hidden, because row-level security for {role} does not keep tenants apart there: {}. A table needs ENABLE ROW LEVEL SECURITY and a policy \
                 that compares with nullif(current_setting('{setting}', true), ''), one that all tenants share a policy USING (true); a view needs \
                 security_invoker = true (PostgreSQL 15) and such tables; see docs/LOGIN.md",
                relations.join(", ")
            ),
            // Switching it on takes the rows from every other role that has no policy: for whoever knows the application.
            fixes: Vec::new(),
        })
    }

    fn role_findings(&self) -> Vec<Finding> {
        let role = identifier(&self.role);
        let mut findings = Vec::new();
        if self.is_superuser {
            findings.push(Finding {
                kind: FindingKind::Superuser,
                message: format!(
                    "{role} is a superuser: PostgreSQL checks none of its rights; a role made by `db-chat grants` has only those that it needs"
                ),
                // PostgreSQL refuses to take this from the role that initdb made.
                fixes: Vec::new(),
            });
        }
        if !self.attributes.is_empty() && !self.is_superuser {
            let words = self.attributes.join(", ");
            let off: Vec<String> = self.attributes.iter().map(|w| format!("NO{w}")).collect();
            findings.push(Finding {
                kind: FindingKind::Attribute,
                message: format!("{role} has {words}"),
                fixes: vec![format!("ALTER ROLE {role} {}", off.join(" "))],
            });
        }
        for up in &self.memberships {
            let is_power =
                up.is_superuser || !up.attributes.is_empty() || up.role.starts_with("pg_");
            if is_power {
                let why = if up.is_superuser {
                    "a superuser".to_owned()
                } else if up.attributes.is_empty() {
                    "a role with rights of the server's own".to_owned()
                } else {
                    format!("a role with {}", up.attributes.join(", "))
                };
                let name = identifier(&up.role);
                findings.push(Finding {
                    kind: FindingKind::PowerRole,
                    message: format!(
                        "{role} can become {name}, {why}; NOINHERIT does not hinder SET ROLE"
                    ),
                    fixes: vec![format!("REVOKE {name} FROM {}", identifier(&up.member))],
                });
            }
        }
        for owned in &self.owned {
            let more = owned.count - 1;
            findings.push(Finding {
                kind: FindingKind::Owner,
                message: format!(
                    "{} owns {}{}, and may change or drop what it owns",
                    identifier(&owned.owner),
                    owned.example,
                    if more > 0 {
                        format!(" and {more} more")
                    } else {
                        String::new()
                    }
                ),
                fixes: if owned.owner == self.role {
                    vec![format!("REASSIGN OWNED BY {role} TO CURRENT_USER")]
                } else {
                    self.leave(&owned.owner)
                },
            });
        }
        findings
    }

    /// One finding for each kind of right and object; builtins together.
    fn right_findings(&self, snapshot: Option<&Snapshot>) -> Vec<Finding> {
        let mut groups: BTreeMap<(FindingKind, &str), Vec<&Right>> = BTreeMap::new();
        for right in &self.rights {
            let Some(kind) = judge(right, snapshot) else {
                continue;
            };
            let target = if kind.is_of_builtins() {
                ""
            } else {
                right.target.as_str()
            };
            groups.entry((kind, target)).or_default().push(right);
        }
        groups
            .into_iter()
            .map(|((kind, target), rights)| self.right_finding(kind, target, &rights))
            .collect()
    }

    fn right_finding(&self, kind: FindingKind, target: &str, rights: &[&Right]) -> Finding {
        let role = identifier(&self.role);
        let privileges: BTreeSet<&str> = rights.iter().map(|r| r.privilege.as_str()).collect();
        let privileges = Vec::from_iter(privileges).join(", ");
        let holders: BTreeSet<&str> = rights
            .iter()
            .map(|right| right.grantee.as_deref().unwrap_or("PUBLIC"))
            .collect();
        let holders = Vec::from_iter(holders).join(", ");
        let count = rights.len();
        let message = if kind == FindingKind::WritingBuiltin {
            format!(
                "{role} can call {count} builtins that write beside every table (large objects, the replication log), through {holders}"
            )
        } else if kind == FindingKind::Builtin {
            format!(
                "{role} can call {count} builtins that wait, lock, signal other sessions, run SQL in a text, or tell about the server and what others do, through {holders}"
            )
        } else if kind == FindingKind::Function {
            format!(
                "{role} can call {target}, which runs with more than the caller's rights, through {holders}"
            )
        } else if kind == FindingKind::Read {
            format!("{role} has {privileges} on {target}, beyond the policy, through {holders}")
        } else {
            format!("{role} has {privileges} on {target}, through {holders}")
        };
        let mut fixes = Vec::new();
        for right in rights {
            let statements = match right.grantee.as_deref() {
                None => vec![format!(
                    "REVOKE {} ON {} FROM PUBLIC",
                    right.privilege, right.target
                )],
                Some(own) if own == self.role => {
                    vec![format!(
                        "REVOKE {} ON {} FROM {role}",
                        right.privilege, right.target
                    )]
                }
                Some(other) => self.leave(other),
            };
            for statement in statements {
                if !fixes.contains(&statement) {
                    fixes.push(statement);
                }
            }
        }
        Finding {
            kind,
            message,
            fixes,
        }
    }

    /// What ends every way to `role`.
    fn leave(&self, role: &str) -> Vec<String> {
        self.memberships
            .iter()
            .filter(|membership| membership.role == role)
            .map(|membership| {
                format!(
                    "REVOKE {} FROM {}",
                    identifier(role),
                    identifier(&membership.member)
                )
            })
            .collect()
    }

    fn view_findings(&self, snapshot: &Snapshot) -> Vec<Finding> {
        let mut beyond: BTreeMap<(FindingKind, &str, &str, bool), BTreeSet<String>> =
            BTreeMap::new();
        for read in &self.views {
            if snapshot.relation(&read.view_schema, &read.view).is_none() {
                continue;
            }
            let (kind, what) = match (
                snapshot.relation(&read.schema, &read.relation),
                &read.column,
            ) {
                (None, _) => (
                    FindingKind::View,
                    format!("{}.{}", read.schema, read.relation),
                ),
                (Some(relation), Some(column))
                    if relation.column(column).is_none_or(|column| column.hidden) =>
                {
                    let what = format!("{}.{}.{column}", read.schema, read.relation);
                    (FindingKind::ViewOfHidden, what)
                }
                (Some(_), _) => continue,
            };
            let view = (
                kind,
                read.view_schema.as_str(),
                read.view.as_str(),
                read.is_materialized,
            );
            beyond.entry(view).or_default().insert(what);
        }
        beyond
            .into_iter()
            .map(|((kind, schema, name, is_materialized), what)| {
                let view = format!("{}.{}", identifier(schema), identifier(name));
                let what = Vec::from_iter(what).join(", ");
                Finding {
                    kind,
                    message: format!(
                        "the view {view} reads {what} with its owner's rights. If that is not what it is for, take it out of the policy with !{view}"
                    ),
                    fixes: vec![if self.server_version_num >= 150_000 && !is_materialized {
                        format!("ALTER VIEW {view} SET (security_invoker = true)")
                    } else {
                        format!("REVOKE SELECT ON {view} FROM {}", identifier(&self.role))
                    }],
                }
            })
            .collect()
    }

    fn defaults_finding(&self) -> Option<Finding> {
        // Nobody should make the server's own superuser read-only because db-chat was tried with it.
        if self.is_superuser || self.is_read_only_by_default && self.has_statement_timeout {
            return None;
        }
        let role = identifier(&self.role);
        let mut fixes = Vec::new();
        if !self.is_read_only_by_default {
            fixes.push(format!(
                "ALTER ROLE {role} SET default_transaction_read_only = on"
            ));
        }
        if !self.has_statement_timeout {
            fixes.push(format!("ALTER ROLE {role} SET statement_timeout = '15s'"));
        }
        Some(Finding {
            kind: FindingKind::Defaults,
            message: format!(
                "sessions of {role} begin without default_transaction_read_only or without statement_timeout; db-chat sets both for each query itself"
            ),
            fixes,
        })
    }
}

/// What a right is, if the policy does not need it. Without a snapshot, rights to read are not judged.
fn judge(right: &Right, snapshot: Option<&Snapshot>) -> Option<FindingKind> {
    let is_of_allowed_extension = snapshot.is_some_and(|snapshot| {
        right
            .extension
            .as_ref()
            .is_some_and(|name| snapshot.extensions.iter().any(|e| e.name == *name))
    });
    let word = right.privilege.split(' ').next().unwrap_or_default();
    match (right.kind.as_str(), word) {
        ("database", "TEMPORARY") => Some(FindingKind::Temporary),
        ("database" | "schema", _) => Some(FindingKind::Create),
        ("relation" | "column", "SELECT") => {
            let is_shown = is_of_allowed_extension || snapshot.is_none_or(|s| shows(s, right));
            (!is_shown).then_some(FindingKind::Read)
        }
        ("sequence", "SELECT") => snapshot.map(|_| FindingKind::Read),
        ("relation" | "column" | "sequence", _) => Some(FindingKind::Write),
        ("writing builtin", _) => Some(FindingKind::WritingBuiltin),
        ("builtin", _) => Some(FindingKind::Builtin),
        _ => (!is_of_allowed_extension).then_some(FindingKind::Function),
    }
}

/// Whether the policy shows all that this right lets be read.
fn shows(snapshot: &Snapshot, right: &Right) -> bool {
    let (Some(schema), Some(name)) = (&right.schema, &right.relation) else {
        return false;
    };
    let Some(relation) = snapshot.relation(schema, name) else {
        return false;
    };
    match &right.column {
        Some(column) => relation.column(column).is_some_and(|column| !column.hidden),
        None => !relation.has_hidden_columns(),
    }
}
