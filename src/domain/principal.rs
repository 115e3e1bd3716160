//! Who asks.

use std::fmt;
use std::sync::Arc;

/// What the text of a member of a tenant begins with. No kind of credential is called that.
const TENANT: &str = "tenant:";

/// Somebody on whose behalf questions are asked. Conversations, turns and limits belong to one.
///
/// Two principals are the same exactly when their text is: whoever makes one from a credential writes the kind of the
/// credential in front (`key:reporting`, `jwt:https://issuer|subject`), so that no name of one kind can pass for another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Principal(Arc<str>);

impl Principal {
    /// Everybody, where no authentication is configured.
    #[must_use]
    pub fn anonymous() -> Self {
        Self(Arc::from("anonymous"))
    }

    /// Somebody that a credential has proved, of a kind (`key`, `jwt`) and with a name within that kind.
    #[must_use]
    pub fn proved(kind: &str, name: &str) -> Self {
        Self(Arc::from(format!("{kind}:{name}")))
    }

    /// The same somebody as a member of a tenant, who is somebody else than in any other: neither conversations nor limits
    /// are shared. The length stands in front of the tenant, so that no two pairs make one text.
    #[must_use]
    pub fn in_tenant(&self, tenant: &str) -> Self {
        Self(Arc::from(format!(
            "{TENANT}{}:{tenant}:{}",
            tenant.len(),
            self.0
        )))
    }

    /// The tenant, where there is one.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        let (length, rest) = self.0.strip_prefix(TENANT)?.split_once(':')?;
        rest.get(..length.parse().ok()?)
    }

    /// The principal whose [`as_str`](Self::as_str) this is: for what db-chat itself has kept, and for nothing else.
    #[must_use]
    pub fn from_text(text: String) -> Self {
        Self(Arc::from(text))
    }

    /// Whether nobody in particular asks.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        &*self.0 == "anonymous"
    }

    /// The text that tells one principal from another. Not for logs at info: it may hold a person's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_passes_for_another_kind() {
        assert!(Principal::anonymous().is_anonymous());
        assert!(!Principal::proved("key", "anonymous").is_anonymous());
        assert_ne!(
            Principal::proved("key", "ada"),
            Principal::proved("jwt", "ada")
        );
    }

    #[test]
    fn a_member_of_one_tenant_is_nobody_in_another() {
        let ada = Principal::proved("jwt", "i|ada");
        assert_eq!(ada.tenant(), None);
        assert_eq!(Principal::anonymous().tenant(), None);
        for tenant in ["acme", "1", "", "a:b", "3:acme:", "zoë"] {
            let member = ada.in_tenant(tenant);
            assert_eq!(member.tenant(), Some(tenant));
            assert_eq!(Principal::from_text(member.to_string()), member);
            assert!(!member.is_anonymous());
            assert_ne!(member, ada);
        }
        assert_ne!(ada.in_tenant("a"), ada.in_tenant("b"));
        assert_eq!(Principal::proved("key", "tenant:4:acme:x").tenant(), None);
    }
}
