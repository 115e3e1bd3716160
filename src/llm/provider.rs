//! Any dialect over HTTP: a request in, a stream of deltas out, with the tries that it takes. Knows no dialect's JSON.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::Utc;
use futures_util::{StreamExt, stream};
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::time::{Instant, timeout, timeout_at};

use super::dialect::Dialect;
use super::endpoint::{self, Endpoint, KeyMask};
use super::error::{AnsweredKind, LlmError, LlmSetupError};
use super::error_answer::{self, ErrorAnswer};
use super::reply::{BrokenReply, Deadline, Reply, ReplyBounds};
use super::retry::{self, RetryHint};
use super::sse::causes;
use super::{FinishReason, LlmDelta, LlmProvider, LlmRequest, LlmStream};
use crate::config::{Limits, ProviderConfig};

/// Bytes read of an error answer; proxies send whole pages.
const ERROR_BODY_BYTES_MAX: usize = 64 * 1024;

/// For the body of an error answer, which is not worth waiting for.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// For [`LlmProvider::reachable`].
const REACHABLE_TIMEOUT: Duration = Duration::from_secs(5);

/// One model of one provider.
pub(super) struct HttpProvider {
    dialect: Box<dyn Dialect>,
    endpoint: Endpoint,
    model: String,
    mask: Arc<KeyMask>,
    limits: CallLimits,
}

#[derive(Debug, Clone, Copy)]
struct CallLimits {
    first_token_timeout: Duration,
    idle_timeout: Duration,
    total_timeout: Duration,
    retries_max: u32,
    reply_bytes_max: usize,
}

impl HttpProvider {
    /// Checks the settings and builds the client. Opens no connection.
    pub(super) fn connect(
        dialect: Box<dyn Dialect>,
        config: &ProviderConfig,
        limits: &Limits,
    ) -> Result<Arc<dyn LlmProvider>, LlmSetupError> {
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
        Ok(Arc::new(Self {
            dialect,
            endpoint,
            model: config.model.trim().to_owned(),
            mask: Arc::new(KeyMask::new(config.api_key.clone())),
            limits: CallLimits {
                first_token_timeout: Duration::from_millis(limits.llm_first_token_timeout_ms),
                idle_timeout: Duration::from_millis(limits.llm_idle_timeout_ms),
                total_timeout: Duration::from_millis(limits.llm_total_timeout_ms),
                retries_max: limits.llm_retries_max,
                reply_bytes_max: limits.llm_reply_bytes_max,
            },
        }))
    }

    /// One try, up to the moment at which the model is at work. `calls` counts the tries, this one included.
    async fn try_once(
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
            answer.message = format!(
                "no event stream; does {} point to the API? {}",
                self.dialect.settings().base_url,
                answer.message
            );
        }
        let transient = match hint.should_retry {
            // A quota is not refilled by asking again, whatever a proxy says.
            Some(should_retry) => should_retry && answer.kind != AnsweredKind::QuotaExceeded,
            None => answer.transient,
        };
        Err(FailedTry {
            error: self.answered(status, &answer, request_id.as_deref(), hint),
            transient,
            wait: hint.wait,
        })
    }

    fn answered(
        &self,
        status: u16,
        answer: &ErrorAnswer,
        request_id: Option<&str>,
        hint: RetryHint,
    ) -> LlmError {
        let mut message = answer.message.clone();
        if let Some(request_id) = request_id {
            message = format!("{message} (request {request_id:.100})");
        }
        LlmError::Answered {
            provider: self.dialect.name(),
            kind: answer.kind,
            status,
            message,
            retry_after: hint.retry_after(),
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
                source: Box::new(error),
            };
        }
        LlmError::Interrupted {
            provider,
            problem: causes(&error),
        }
    }
}

#[async_trait]
impl LlmProvider for HttpProvider {
    fn name(&self) -> &'static str {
        self.dialect.name()
    }

    fn model(&self) -> &str {
        &self.model
    }

    async fn stream(&self, request: LlmRequest) -> Result<LlmStream, LlmError> {
        let total = Deadline::new(self.limits.total_timeout, "complete reply");
        let body = Bytes::from(self.dialect.body(&self.model, &request).to_string());
        drop(request);
        let mut retries = 0;
        loop {
            let failed = match self.try_once(body.clone(), retries + 1, total).await {
                Ok(stream) => return Ok(stream),
                Err(failed) => failed,
            };
            if !failed.transient || retries == self.limits.retries_max {
                return Err(failed.error);
            }
            let wait = match retry::wait(retries, failed.wait, fastrand::f64()) {
                Some(wait) if Instant::now() + wait < total.at => wait,
                Some(_) | None => return Err(failed.error),
            };
            retries += 1;
            tracing::info!(
                provider = self.dialect.name(),
                retry = retries,
                wait_ms = wait.as_millis(),
                error = causes(&failed.error),
                "a model call failed and is tried again"
            );
            tokio::time::sleep(wait).await;
        }
    }

    async fn reachable(&self) -> Result<(), LlmError> {
        let deadline = Deadline::new(REACHABLE_TIMEOUT, "answer");
        let sending = self
            .endpoint
            .client
            .get(self.endpoint.models_url.clone())
            .send();
        let response = match timeout_at(deadline.at, sending).await {
            Err(_) => return Err(deadline.missed(self.dialect.name())),
            Ok(Err(error)) => return Err(self.unanswered(error)),
            Ok(Ok(response)) => response,
        };
        let status = response.status().as_u16();
        // 403 can mean that this key may call a model but not list them, and 404 that the server has no list; 429 is for calls to report.
        if status == 401 || status >= 500 {
            let hint = RetryHint::from_headers(response.headers(), Utc::now());
            let body = self.mask.apply(&read_bounded(response).await);
            let answer = error_answer::read(status, &body);
            return Err(self.answered(status, &answer, None, hint));
        }
        Ok(())
    }
}

/// A try that gave nothing.
struct FailedTry {
    error: LlmError,
    transient: bool,
    wait: Option<Duration>,
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
