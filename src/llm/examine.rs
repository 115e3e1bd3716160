//! One tiny call to each configured provider, and in plain words what is wrong where it fails. For operators: `db-chat doctor`.
//!
//! Goes by the types of errors and by statuses, never by a provider's words, which are only repeated.

use futures_util::StreamExt;

use super::error::{AnsweredKind, ConnectFault, LlmError, LlmSetupError, TlsFault};
use super::provider::HttpProvider;
use super::reply::Deadline;
use super::sse::causes;
use super::{LlmDelta, LlmMessage, LlmRequest, LlmRole};
use crate::config::{Limits, LlmConfig};
use crate::domain::usage::ModelName;

/// The least that every provider takes; a model that thinks does not get to a word, and does not have to.
const OUTPUT_TOKENS: u32 = 16;

/// What a tiny call has shown of one provider.
#[derive(Debug)]
pub struct Examined {
    /// Which of them: `provider`, or `fallback`.
    pub role: &'static str,
    /// The model that was asked.
    pub model: ModelName,
    /// Why it cannot be used; `None`: it answered.
    pub fault: Option<ProviderFault>,
}

/// Why a provider cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderFault {
    /// What is to be looked at.
    pub kind: FaultKind,
    /// What is wrong and what to do, naming the setting.
    pub advice: String,
    /// The error with its causes, for whoever wants to know more. Never holds the key.
    pub said: String,
}

/// What is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The key.
    Key,
    /// The model's name.
    Model,
    /// The base URL.
    BaseUrl,
    /// The account's quota or credit.
    Quota,
    /// Too many requests for now.
    RateLimited,
    /// TLS, or the certificate.
    Tls,
    /// Nothing listens there.
    Refused,
    /// The host's name.
    UnknownHost,
    /// No answer in time.
    Timeout,
    /// The provider fails.
    Unavailable,
    /// The provider does not take the request.
    Request,
}

impl FaultKind {
    /// The stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Model => "model",
            Self::BaseUrl => "base_url",
            Self::Quota => "quota",
            Self::RateLimited => "rate_limited",
            Self::Tls => "tls",
            Self::Refused => "refused",
            Self::UnknownHost => "unknown_host",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Request => "request",
        }
    }
}

/// Calls each configured provider once, without retries; empty for the engine without a model. Each call costs a few tokens.
///
/// # Errors
/// A setting without which there is nothing to call.
pub async fn examine_all(
    config: &LlmConfig,
    limits: &Limits,
) -> Result<Vec<Examined>, LlmSetupError> {
    let mut examined = Vec::new();
    for (role, provider) in ["provider", "fallback"]
        .into_iter()
        .zip(super::providers(config, limits)?)
    {
        let names_model = config
            .fallback
            .as_ref()
            .is_some_and(|it| it.model.is_some());
        let model_setting = match role {
            "fallback" if names_model => "LLM_FALLBACK",
            _ => provider.http.settings().model,
        };
        let fault = match call(&provider.http, limits).await {
            Ok(()) => None,
            Err(error) => Some(judge(&provider.http, model_setting, &error).await),
        };
        examined.push(Examined {
            role,
            model: provider.http.model_name(),
            fault,
        });
    }
    Ok(examined)
}

/// Any end is a good one: a cap that cuts the reply, too.
async fn call(provider: &HttpProvider, limits: &Limits) -> Result<(), LlmError> {
    let request = LlmRequest {
        system: String::new(),
        cache_key: String::new(),
        messages: vec![LlmMessage {
            role: LlmRole::User,
            text: "Say OK.".to_owned(),
        }],
        output_tokens_max: OUTPUT_TOKENS,
    };
    let timeout = std::time::Duration::from_millis(limits.llm_total_timeout_ms);
    let total = Deadline::new(timeout, "complete reply");
    let called = provider.try_once(provider.body(&request), 1, total).await;
    let mut stream = called.map_err(|failed| failed.error)?;
    while let Some(delta) = stream.next().await {
        if let LlmDelta::Finish(_) = delta? {
            break;
        }
    }
    Ok(())
}

async fn judge(
    provider: &HttpProvider,
    model_setting: &'static str,
    error: &LlmError,
) -> ProviderFault {
    let settings = provider.settings();
    let (key, base_url) = (settings.key, settings.base_url);
    let (kind, advice) = match error {
        LlmError::Connect { fault, .. } => judge_connect(provider, *fault).await,
        LlmError::Timeout { after, .. } => (
            FaultKind::Timeout,
            format!(
                "it took the call and was silent for {after:?}: is {base_url} right, and is the model still loading? \
                 DB_CHAT_LLM_FIRST_TOKEN_TIMEOUT_MS gives it longer"
            ),
        ),
        LlmError::Answered { kind, status, .. } => match kind {
            AnsweredKind::Authentication if !provider.has_key() => {
                (FaultKind::Key, format!("it wants a key: set {key}"))
            }
            AnsweredKind::Authentication => (
                FaultKind::Key,
                format!(
                    "it does not accept the key in {key}, or the key may not use {}: copy the key again, and look at its rights",
                    provider.model()
                ),
            ),
            AnsweredKind::QuotaExceeded => (
                FaultKind::Quota,
                format!("the account of {key} has no quota or credit left: look at its plan and billing"),
            ),
            AnsweredKind::RateLimited => (
                FaultKind::RateLimited,
                "it gets too many requests from this account for now: try again in a moment, or raise the account's limits"
                    .to_owned(),
            ),
            AnsweredKind::Unavailable => (
                FaultKind::Unavailable,
                "it is there and fails: try again in a moment, and look at its status page or log".to_owned(),
            ),
            AnsweredKind::Rejected if *status < 400 => (
                FaultKind::BaseUrl,
                format!("what answers at {base_url} is not a model provider's API"),
            ),
            // A list of models that is where it belongs shows that the address is right.
            AnsweredKind::Rejected if *status == 404 && provider.lists_models().await => (
                FaultKind::Model,
                format!(
                    "it does not know the model {}: correct {model_setting}",
                    provider.model()
                ),
            ),
            AnsweredKind::Rejected if matches!(status, 404 | 405) => (
                FaultKind::BaseUrl,
                format!(
                    "there is no API at {base_url}, or it does not know the model {}: correct {base_url}, then {model_setting}",
                    provider.model()
                ),
            ),
            AnsweredKind::TooLarge | AnsweredKind::Rejected => (
                FaultKind::Request,
                format!("it does not take the request: does the model {} suit it?", provider.model()),
            ),
        },
        LlmError::Interrupted { .. } | LlmError::CircuitOpen { .. } | LlmError::Busy { .. } => (
            FaultKind::Unavailable,
            format!("it broke off its reply: try again, and look for a proxy in front of {base_url}"),
        ),
    };
    ProviderFault {
        kind,
        advice,
        said: causes(error),
    }
}

async fn judge_connect(provider: &HttpProvider, fault: ConnectFault) -> (FaultKind, String) {
    let base_url = provider.settings().base_url;
    let tls = |problem: &str| {
        (
            FaultKind::Tls,
            format!("the TLS handshake failed: {problem}"),
        )
    };
    match fault {
        ConnectFault::Refused => (
            FaultKind::Refused,
            format!(
                "nothing listens at the address in {base_url}: is the server running, and is the port right?"
            ),
        ),
        ConnectFault::TimedOut => (
            FaultKind::Timeout,
            format!(
                "no connection came about in time: is the host in {base_url} right, and does a firewall let it through?"
            ),
        ),
        ConnectFault::Tls(TlsFault::Untrusted) => tls(
            "nobody whom this machine trusts vouches for the server's certificate (it is self-signed, or of an authority of your \
             own): add its authority to the system's certificates, or name its file in SSL_CERT_FILE",
        ),
        ConnectFault::Tls(TlsFault::Expired) => tls(
            "the server's certificate has expired or is not valid yet: renew it, and look at this machine's clock",
        ),
        ConnectFault::Tls(TlsFault::WrongName) => tls(&format!(
            "the server's certificate is for another host than the one in {base_url}"
        )),
        ConnectFault::Tls(TlsFault::NotTls) => tls(&format!(
            "the server does not speak TLS: {base_url} may have to begin with http://"
        )),
        ConnectFault::Tls(TlsFault::Other) => {
            tls("the server and db-chat have no version or cipher of TLS in common")
        }
        ConnectFault::Other if !provider.host_is_known().await => (
            FaultKind::UnknownHost,
            format!(
                "no name server knows the host in {base_url}: correct it, or look at this machine's DNS"
            ),
        ),
        ConnectFault::Other => (
            FaultKind::Unavailable,
            format!("it cannot be reached: look at {base_url} and at this machine's network"),
        ),
    }
}
