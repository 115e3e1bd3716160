//! What the doctor says of a provider, fault by fault.

use db_chat::config::{FallbackConfig, Limits, LlmConfig, ProviderKind};
use db_chat::llm::examine::{FaultKind, ProviderFault, examine_all};

use super::{Dialect, KEY, config, for_each_dialect};
use crate::support::fake_provider::{FakeProvider, Reply, Stop};
use crate::support::tls_front::{Authority, TlsFront};

fn limits() -> Limits {
    Limits {
        llm_first_token_timeout_ms: 300,
        ..Limits::default()
    }
}

/// The fault of the only provider that is configured.
async fn fault(config: &LlmConfig) -> Option<ProviderFault> {
    let mut examined = examine_all(config, &limits()).await.unwrap();
    assert_eq!(examined.len(), 1);
    examined.remove(0).fault
}

/// This answer to the tiny call means this, and the advice names these words.
async fn check(reply: Reply, models_status: u16, expected: FaultKind, words: &[&str]) {
    for_each_dialect(async |kind, fake| {
        fake.set_models_status(models_status);
        fake.push(reply.clone());
        let fault = fault(&config(kind, &fake.url())).await.unwrap();
        assert_eq!(fault.kind, expected, "{reply:?}: {fault:?}");
        for word in words {
            assert!(
                fault.advice.contains(word),
                "{word} is missing in {}",
                fault.advice
            );
        }
        assert!(!format!("{fault:?}").contains(KEY));
        // What costs something happens once.
        assert_eq!(fake.requests().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_answers_has_no_fault_however_short_the_answer() {
    for_each_dialect(async |kind, fake| {
        let replies = [
            Reply::text("OK"),
            Reply::script()
                .begin()
                .thinking("hm")
                .finish(Stop::TokensMax),
            Reply::script()
                .begin()
                .finish(Stop::Refusal("No.".to_owned())),
        ];
        for reply in replies {
            fake.push(reply);
            assert_eq!(fault(&config(kind, &fake.url())).await, None);
        }
        let body = fake.request(0).await.body;
        // Whatever the dialect calls the cap.
        let mut fields = body.as_object().expect("an object").values();
        assert!(fields.any(|field| field == 16), "{body}");
    })
    .await;
}

#[tokio::test]
async fn each_answer_that_is_none_is_told_in_plain_words() {
    let error = Reply::error;
    check(
        error(401, "authentication_error"),
        401,
        FaultKind::Key,
        &["_API_KEY"],
    )
    .await;
    check(
        error(403, "permission_error"),
        200,
        FaultKind::Key,
        &["rights", "model-1"],
    )
    .await;
    check(
        error(402, "billing_error"),
        200,
        FaultKind::Quota,
        &["quota or credit"],
    )
    .await;
    check(
        error(429, "insufficient_quota"),
        200,
        FaultKind::Quota,
        &["billing"],
    )
    .await;
    check(
        error(429, "rate_limit_error"),
        200,
        FaultKind::RateLimited,
        &["in a moment"],
    )
    .await;
    check(
        error(404, "not_found_error"),
        200,
        FaultKind::Model,
        &["model-1", "_MODEL"],
    )
    .await;
    check(
        error(404, "not_found_error"),
        404,
        FaultKind::BaseUrl,
        &["_BASE_URL", "_MODEL"],
    )
    .await;
    check(
        error(400, "invalid_request_error"),
        200,
        FaultKind::Request,
        &["model-1"],
    )
    .await;
    check(
        error(529, "overloaded_error"),
        200,
        FaultKind::Unavailable,
        &["status page"],
    )
    .await;
    let page = Reply::raw(200, "text/html", "<html>Welcome!</html>");
    check(
        page,
        200,
        FaultKind::BaseUrl,
        &["_BASE_URL", "not a model provider's API"],
    )
    .await;
    let silent = || Reply::script().begin().stall();
    check(
        silent(),
        200,
        FaultKind::Timeout,
        &["DB_CHAT_LLM_FIRST_TOKEN_TIMEOUT_MS"],
    )
    .await;
    check(
        Reply::script().reset(),
        200,
        FaultKind::Unavailable,
        &["_BASE_URL"],
    )
    .await;
}

#[tokio::test]
async fn a_missing_key_is_told_from_a_wrong_one() {
    let fake = FakeProvider::start().await;
    fake.push(Reply::error(401, "invalid_api_key"));
    let mut config = config(Dialect::Chat, &fake.url());
    config.openai.api_key = None;
    let fault = fault(&config).await.unwrap();
    assert_eq!(fault.advice, "it wants a key: set OPENAI_API_KEY");
}

/// This base URL means this.
async fn check_url(url: &str, expected: FaultKind, word: &str) {
    for kind in Dialect::ALL {
        let fault = fault(&config(kind, url)).await.unwrap();
        assert_eq!(fault.kind, expected, "{url}: {fault:?}");
        assert!(
            fault.advice.contains(word),
            "{word} is missing in {}",
            fault.advice
        );
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_named_as_such() {
    let fake = FakeProvider::start().await;
    let front = TlsFront::start(fake.address(), &Authority::new()).await;
    check_url(&front.url(), FaultKind::Tls, "self-signed").await;
}

#[tokio::test]
async fn a_server_without_tls_is_named_as_such() {
    let fake = FakeProvider::start().await;
    let url = fake.url().replace("http://", "https://");
    check_url(&url, FaultKind::Tls, "does not speak TLS").await;
}

#[tokio::test]
async fn a_port_without_a_server_and_a_host_without_an_address_are_told_apart() {
    // Port 1 is nobody's, and no name ends in .invalid (RFC 2606).
    check_url("http://127.0.0.1:1", FaultKind::Refused, "nothing listens").await;
    check_url(
        "http://provider.invalid",
        FaultKind::UnknownHost,
        "no name server",
    )
    .await;
}

#[tokio::test]
async fn the_fallback_is_called_too_and_its_faults_name_its_own_settings() {
    let (primary, fallback) = (FakeProvider::start().await, FakeProvider::start().await);
    primary.push(Reply::text("OK"));
    fallback.push(Reply::error(404, "model_not_found"));
    let config = LlmConfig {
        fallback: Some(FallbackConfig {
            provider: ProviderKind::OpenAi,
            model: Some("model-2".to_owned()),
        }),
        openai: config(Dialect::Chat, &fallback.url()).openai,
        ..config(Dialect::Anthropic, &primary.url())
    };
    let examined = examine_all(&config, &limits()).await.unwrap();
    let told: Vec<_> = examined
        .iter()
        .map(|examined| (examined.role, examined.model.to_string()))
        .collect();
    assert_eq!(told[0], ("provider", "anthropic:model-1".to_owned()));
    assert_eq!(told[1], ("fallback", "openai:model-2".to_owned()));
    assert_eq!(examined[0].fault, None);
    let fault = examined[1].fault.as_ref().unwrap();
    assert_eq!(fault.kind, FaultKind::Model);
    assert!(fault.advice.ends_with("correct LLM_FALLBACK"), "{fault:?}");
}
