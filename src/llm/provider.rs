//! Any dialect over HTTP: a request in, a stream of deltas out, in one try. Knows no dialect's JSON, no retry and no queue.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use futures_util::{StreamExt, stream};
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::time::{timeout, timeout_at};

use super::connect_fault::ConnectFault;
use super::dialect::{Dialect, ProviderSettings};
use super::endpoint::{self, Endpoint, KeyMask};
use super::error::{AnsweredKind, LlmError, LlmSetupError};
use super::error_answer::{self, ErrorAnswer};
use super::reply::{BrokenReply, Deadline, Reply, ReplyBounds};
use super::retry::RetryHint;
use super::sse::causes;
use super::{FinishReason, LlmDelta, LlmRequest, LlmStream};
use crate::config::{Limits, ProviderConfig};
use crate::domain::usage::ModelName;

/// Bytes read of an error answer; proxies send whole pages.
const ERROR_BODY_BYTES_MAX: usize = 64 * 1024;

/// For the body of an error answer, which is not worth waiting for.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// For [`HttpProvider::reachable`].
const REACHABLE_TIMEOUT: Duration = Duration::from_secs(5);

/// One model of one provider.
pub(super) struct HttpProvider {
    dialect: Box<dyn Dialect>,
    endpoint: Endpoint,
    model: String,
    mask: Arc<KeyMask>,
    has_key: bool,
    limits: CallLimits,
}

#[derive(Debug, Clone, Copy)]
struct CallLimits {
    first_token_timeout: Duration,
    idle_timeout: Duration,
    reply_bytes_max: usize,
}

impl HttpProvider {
    /// Checks the settings and builds the client. Opens no connection.
    pub(super) fn connect(
        dialect: Box<dyn Dialect>,
        config: &ProviderConfig,
        limits: &Limits,
    ) -> Result<Self, LlmSetupError> {
        let settings = dialect.settings();
        let credential = config
            .api_key
            .as_ref()
            .map(|key| endpoint::credential(key, settings.key))
            .transpose()?;
        if config.model.trim().is_empty() {
            return Err(LlmSetupError::Model {
                setting: settings.model,
            });
        }
        let base = endpoint::parse_base_url(
            &config.base_url,
            dialect.call_path(),
            settings.version_required,
            settings.base_url,
        )?;
        let headers = dialect.headers(credential.as_ref());
        let endpoint = Endpoint::new(&base, dialect.call_path(), headers, settings.base_url)?;
        Ok(Self {
            dialect,
            endpoint,
            model: config.model.trim().to_owned(),
            mask: Arc::new(KeyMask::new(config.api_key.clone())),
            has_key: config.api_key.is_some(),
            limits: CallLimits {
                first_token_timeout: Duration::from_millis(limits.llm_first_token_timeout_ms),
                idle_timeout: Duration::from_millis(limits.llm_idle_timeout_ms),
                reply_bytes_max: limits.llm_reply_bytes_max,
            },
        })
    }

    /// The provider's short name.
    pub(super) fn name(&self) -> &'static str {
        self.dialect.name()
    }

    /// The model's name as the provider knows it.
    pub(super) fn model(&self) -> &str {
        &self.model
    }

    /// Both.
    pub(super) fn model_name(&self) -> ModelName {
        ModelName {
            provider: self.name(),
            model: self.model.clone(),
        }
    }

    /// The names of its settings.
    pub(super) fn settings(&self) -> ProviderSettings {
        self.dialect.settings()
    }

    /// Whether calls carry a key.
    pub(super) fn has_key(&self) -> bool {
        self.has_key
    }

    /// The body of a call, the same for each of its tries.
    pub(super) fn body(&self, request: &LlmRequest) -> Bytes {
        Bytes::from(self.dialect.body(&self.model, request).to_string())
    }

    /// One try, up to the moment at which the model is at work. `calls` counts the tries, this one included.
    pub(super) async fn try_once(
        &self,
        body: Bytes,
        calls: u32,
        total: Deadline,
    ) -> Result<LlmStream, FailedTry> {
        let first_token = Deadline::new(self.limits.first_token_timeout, "first token").min(total);
        let sending = self
            .endpoint
            .client
            .post(self.endpoint.call_url.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(body)
            .send();
        let response = match timeout_at(first_token.at, sending).await {
            Err(_) => {
                return Err(FailedTry::transient(
                    first_token.missed(self.dialect.name()),
                ));
            }
            Ok(Err(error)) => return Err(FailedTry::transient(self.unanswered(error))),
            Ok(Ok(response)) => response,
        };
        if !response.status().is_success() || !may_be_event_stream(response.headers()) {
            return self.read_error(response).await;
        }
        let bounds = ReplyBounds {
            first_token,
            total,
            idle_timeout: self.limits.idle_timeout,
            reply_bytes_max: self.limits.reply_bytes_max,
        };
        let body = Box::pin(response.bytes_stream());
        let mut reply = Reply::new(
            self.dialect.name(),
            Arc::clone(&self.mask),
            body,
            self.dialect.decoder(),
            bounds,
        );
        reply.begin().await?;
        Ok(reply.into_stream(calls))
    }

    /// What an answer that is no reply says.
    async fn read_error(&self, response: Response) -> Result<LlmStream, FailedTry> {
        let status = response.status().as_u16();
        let hint = RetryHint::from_headers(response.headers(), Utc::now());
        let request_id = ["request-id", "x-request-id"].into_iter().find_map(|name| {
            response
                .headers()
                .get(name)?
                .to_str()
                .ok()
                .map(str::to_owned)
        });
        let body = self.mask.apply(&read_bounded(response).await);
        let mut answer = error_answer::read(status, &body);
        if answer.filtered {
            // The provider's content filter refused the prompt: nothing to try again, and nobody's fault.
            let finish = LlmDelta::Finish(FinishReason::Filtered);
            return Ok(stream::iter([Ok(finish)]).boxed());
        }
        // No redirect is followed, and a page or document where events belong is not the API at all.
        if status < 400 && !answer_is_error(&body) {
            answer.kind = AnsweredKind::Rejected;
            answer.transient = false;
            answer.codes = format!(
                "no event stream; does {} point to the API? {}",
                self.dialect.settings().base_url,
                answer.codes
            );
        }
        let transient = match hint.should_retry {
            // A quota is not refilled by asking again, whatever a proxy says.
            Some(should_retry) => should_retry && answer.kind != AnsweredKind::QuotaExceeded,
            None => answer.transient,
        };
        Err(FailedTry {
            error: self.answered(status, &answer, request_id.as_deref(), hint.retry_after()),
            transient,
            wait: hint.wait,
        })
    }

    fn answered(
        &self,
        status: u16,
        answer: &ErrorAnswer,
        request_id: Option<&str>,
        retry_after: Option<Duration>,
    ) -> LlmError {
        tracing::debug!(
            provider = self.dialect.name(),
            status,
            message = answer.message,
            "a provider's error answer"
        );
        let mut message = format!("status {status} {}", answer.codes);
        if let Some(request_id) = request_id {
            message = format!("{message} (request {request_id:.100})");
        }
        LlmError::Answered {
            provider: self.dialect.name(),
            kind: answer.kind,
            status,
            message,
            retry_after,
        }
    }

    /// No status came back at all.
    fn unanswered(&self, error: reqwest::Error) -> LlmError {
        // The URL may hold a password.
        let error = error.without_url();
        let provider = self.dialect.name();
        if error.is_connect() {
            return LlmError::Connect {
                provider,
                fault: ConnectFault::of(&error),
                source: Box::new(error),
            };
        }
        LlmError::Interrupted {
            provider,
            problem: causes(&error),
        }
    }

    /// Whether the list of models is where the API has it, which costs nothing to ask.
    pub(super) async fn lists_models(&self) -> bool {
        let answered = self.get_models().await;
        answered.is_ok_and(|response| response.status().is_success())
    }

    /// Whether the base URL's host has an address.
    pub(super) async fn host_is_known(&self) -> bool {
        let url = &self.endpoint.call_url;
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        let found = timeout(REACHABLE_TIMEOUT, tokio::net::lookup_host((host, port))).await;
        match found {
            Ok(Ok(mut addresses)) => addresses.next().is_some(),
            Ok(Err(_)) | Err(_) => false,
        }
    }

    async fn get_models(&self) -> Result<Response, LlmError> {
        let deadline = Deadline::new(REACHABLE_TIMEOUT, "answer");
        let models_url = self.endpoint.models_url.clone();
        let sending = self.endpoint.client.get(models_url).send();
        match timeout_at(deadline.at, sending).await {
            Err(_) => Err(deadline.missed(self.dialect.name())),
            Ok(Err(error)) => Err(self.unanswered(error)),
            Ok(Ok(response)) => Ok(response),
        }
    }

    /// Whether the provider can be reached, without spending tokens.
    pub(super) async fn reachable(&self) -> Result<(), LlmError> {
        let response = self.get_models().await?;
        let status = response.status().as_u16();
        // 403 can mean that this key may call a model but not list them, and 404, or 501 of simple servers, that there is no list; 429 is for calls to report.
        if status == 401 || status >= 500 && status != 501 {
            let body = self.mask.apply(&read_bounded(response).await);
            let answer = error_answer::read(status, &body);
            return Err(self.answered(status, &answer, None, None));
        }
        Ok(())
    }
}

/// A try that gave nothing.
pub(super) struct FailedTry {
    /// What happened.
    pub(super) error: LlmError,
    /// Whether another try may go better.
    pub(super) transient: bool,
    /// How long the provider asks to wait before it.
    pub(super) wait: Option<Duration>,
}

impl FailedTry {
    fn transient(error: LlmError) -> Self {
        Self {
            error,
            transient: true,
            wait: None,
        }
    }
}

impl From<BrokenReply> for FailedTry {
    fn from(broken: BrokenReply) -> Self {
        Self {
            error: broken.error,
            transient: broken.transient,
            wait: None,
        }
    }
}

/// Anything but what is plainly something else: servers label their streams in many ways, or not at all.
fn may_be_event_stream(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    !["text/html", "application/json"]
        .iter()
        .any(|other| content_type.to_ascii_lowercase().starts_with(other))
}

/// Whether a body under a good status reports an error, as some gateways do.
fn answer_is_error(body: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(body)
        .is_ok_and(|value| value.get("error").is_some_and(error_answer::is_reported))
}

/// The beginning of a body, or what of it came in time.
async fn read_bounded(mut response: Response) -> String {
    let mut body = Vec::new();
    let reading = async {
        while let Ok(Some(bytes)) = response.chunk().await {
            let room = ERROR_BODY_BYTES_MAX - body.len();
            body.extend(bytes.iter().take(room));
            if body.len() == ERROR_BODY_BYTES_MAX {
                break;
            }
        }
    };
    // Late or not, what has come is read.
    let _ = timeout(ERROR_BODY_TIMEOUT, reading).await;
    String::from_utf8_lossy(&body).into_owned()
}
