//! Whose rows a query sees: all that the role sees, or those of one tenant, which PostgreSQL's row-level security tells
//! apart by a setting that db-chat makes at the beginning of the transaction.

use crate::config::TenantSetting;
use crate::domain::principal::Principal;

/// Whose rows a query sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowScope {
    /// All that the role may read: no tenants are configured.
    Everybody,
    /// What the policies show where the setting has this value.
    Tenant {
        /// The setting.
        setting: TenantSetting,
        /// Its value: a tenant that a credential has proved.
        tenant: String,
    },
}

/// Tenants are kept apart, and nobody has said which one this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("tenants are kept apart, and whoever asks belongs to none")]
pub struct NoTenant;

impl RowScope {
    /// The rows of whoever asks.
    ///
    /// # Errors
    /// Where tenants are kept apart, nobody without one gets at rows.
    pub fn of(setting: Option<&TenantSetting>, principal: &Principal) -> Result<Self, NoTenant> {
        let Some(setting) = setting else {
            return Ok(Self::Everybody);
        };
        Ok(Self::Tenant {
            setting: setting.clone(),
            tenant: principal.tenant().ok_or(NoTenant)?.to_owned(),
        })
    }

    /// What goes behind `BEGIN`, empty or with a semicolon in front. SET takes no parameters, and the role that `db-chat grants`
    /// makes may not call `set_config`, so the value is written as a literal.
    pub(super) fn begin_text(&self) -> String {
        match self {
            Self::Everybody => String::new(),
            Self::Tenant { setting, tenant } => {
                let name: Vec<String> = setting
                    .as_str()
                    .split('.')
                    .map(|part| format!("\"{part}\""))
                    .collect();
                format!("; SET LOCAL {} = {}", name.join("."), literal(tenant))
            }
        }
    }
}

/// A text that means itself whatever `standard_conforming_strings` is: the message is taken apart before its first SET runs.
fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_tenant_there_are_no_rows_where_tenants_are_kept_apart() {
        let setting = TenantSetting::parse("app.tenant_id").unwrap();
        let ada = Principal::proved("jwt", "|ada");
        assert_eq!(RowScope::of(None, &ada), Ok(RowScope::Everybody));
        assert_eq!(RowScope::of(Some(&setting), &ada), Err(NoTenant));
        assert_eq!(
            RowScope::of(Some(&setting), &Principal::anonymous()),
            Err(NoTenant)
        );
        let scope = RowScope::of(Some(&setting), &ada.in_tenant("acme")).unwrap();
        assert_eq!(
            scope.begin_text(),
            "; SET LOCAL \"app\".\"tenant_id\" = E'acme'"
        );
    }

    #[test]
    fn a_tenant_does_not_leave_its_quotes() {
        assert_eq!(literal(r"a'b\'c"), r"E'a''b\\''c'");
    }
}
