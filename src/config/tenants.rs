//! Whose rows somebody may see, where one database holds the rows of many.

use super::AuthConfig;
use super::layers::Layers;
use super::load::optional;

/// How tenants are kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantsConfig {
    /// The setting that the policies of row-level security compare with.
    pub setting: TenantSetting,
    /// The claim of a token that holds the tenant: a text or a whole number at the token's top level.
    pub claim: String,
}

/// The name of a setting of the database's own, such as `app.tenant_id`.
///
/// PostgreSQL's own settings have no dot in their names, so none of them can be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantSetting(String);

impl TenantSetting {
    /// Takes two or more names with dots between them, each of ASCII letters, digits and `_`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_name = |part: &str| {
            let mut bytes = part.bytes();
            bytes
                .next()
                .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
                && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let is_setting = text.contains('.') && text.len() <= 63 && text.split('.').all(is_name);
        is_setting.then(|| Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Both settings or neither, and only where tokens say who somebody is.
pub(super) fn read(layers: &mut Layers, auth: &AuthConfig) -> Option<TenantsConfig> {
    const SETTING: &str = "DB_CHAT_TENANT_SETTING";
    const CLAIM: &str = "DB_CHAT_JWT_TENANT_CLAIM";
    let (setting, claim) = match (optional(layers, SETTING), optional(layers, CLAIM)) {
        (None, None) => return None,
        (Some(setting), Some(claim)) => (setting, claim),
        (Some(_), None) => {
            layers.reject(
                CLAIM,
                format!("must be set with {SETTING}: the claim of a token that names the tenant"),
            );
            return None;
        }
        (None, Some(_)) => {
            layers.reject(
                SETTING,
                format!("must be set with {CLAIM}, e.g. app.tenant_id: what policies of row-level security compare with"),
            );
            return None;
        }
    };
    if auth.jwt.is_none() {
        layers.reject(
            SETTING,
            "needs tokens, which say whose tenant somebody is: set DB_CHAT_JWT_SECRET, DB_CHAT_JWT_PUBLIC_KEY_FILE or DB_CHAT_JWT_JWKS_URL",
        );
    }
    if !auth.api_keys.is_empty() {
        layers.reject(
            SETTING,
            "cannot be set with DB_CHAT_API_KEYS: a key belongs to no tenant, so nobody who shows one could see anything",
        );
    }
    let Some(setting) = TenantSetting::parse(&setting) else {
        layers.reject(
            SETTING,
            "must be two or more names with dots between them, of letters, digits and _, e.g. app.tenant_id",
        );
        return None;
    };
    Some(TenantsConfig { setting, claim })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(flags: &[(&str, &str)]) -> Vec<String> {
        let flags: Vec<_> = flags
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        match crate::config::resolve(None, std::iter::empty(), &flags) {
            Ok(_) => Vec::new(),
            Err(error) => error
                .faults
                .iter()
                .map(|fault| fault.setting.clone())
                .collect(),
        }
    }

    #[test]
    fn a_setting_of_postgresql_s_own_is_none_for_tenants() {
        for name in ["app.tenant_id", "a.b.c", "user.id", "App.Tenant2"] {
            assert!(TenantSetting::parse(name).is_some(), "{name}");
        }
        for name in [
            "",
            "role",
            "search_path",
            ".",
            "app.",
            ".id",
            "app..id",
            "app.1d",
            "app.id; SET ROLE x",
            "app.\"id",
            "app.tenant-id",
            "app.id ",
        ] {
            assert!(TenantSetting::parse(name).is_none(), "{name}");
        }
    }

    #[test]
    fn tenants_need_a_setting_a_claim_and_tokens() {
        let setting = ("DB_CHAT_TENANT_SETTING", "app.tenant_id");
        let claim = ("DB_CHAT_JWT_TENANT_CLAIM", "tenant");
        let secret = (
            "DB_CHAT_JWT_SECRET",
            "a secret of at least thirty-two bytes",
        );
        let hash = format!("ada:{}", "0".repeat(64));
        let none: [&str; 0] = [];
        assert_eq!(faults(&[setting, claim, secret]), none);
        assert_eq!(faults(&[setting, secret]), [claim.0]);
        assert_eq!(faults(&[claim, secret]), [setting.0]);
        assert_eq!(faults(&[setting, claim]), [setting.0]);
        assert_eq!(
            faults(&[setting, claim, secret, ("DB_CHAT_API_KEYS", &hash)]),
            [setting.0]
        );
        assert_eq!(
            faults(&[("DB_CHAT_TENANT_SETTING", "role"), claim, secret]),
            [setting.0]
        );
    }
}
