//! The model: who writes the SQL and the prose, and how they are reached.

use std::path::PathBuf;

use secrecy::SecretString;

use super::error::Source;
use super::layers::Layers;
use super::load::{boolean, optional, secret, text};
use super::prices::{self, ModelPrice};

/// The model.
#[derive(Debug, Clone)]
pub struct LlmConfig {
    /// Which engine writes the SQL.
    pub provider: ProviderKind,
    /// Who answers instead when the provider cannot; `None`: nobody.
    pub fallback: Option<FallbackConfig>,
    /// Anthropic's Messages API.
    pub anthropic: ProviderConfig,
    /// OpenAI's Chat Completions or Responses API, or a server that speaks it.
    pub openai: ProviderConfig,
    /// A directory whose templates replace the built-in ones of the same name.
    pub prompts_dir: Option<PathBuf>,
    /// The language that answers are written in, as a word for the model, e.g. `English`; `None`: the question's own.
    pub reply_language: Option<String>,
    /// What models cost; a model that is not there has no known price.
    pub prices: Vec<ModelPrice>,
}

/// Who answers instead when the provider cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FallbackConfig {
    /// Which provider, with its own key and base URL; never `Offline`.
    pub provider: ProviderKind,
    /// The model; `None`: the one that the provider's own setting names.
    pub model: Option<String>,
}

/// Which engine writes the SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    /// Anthropic's Messages API.
    Anthropic,
    /// One of OpenAI's APIs.
    OpenAi,
    /// No model: the engine in `offline`.
    Offline,
}

/// How to reach one provider.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// The key; a compatible server may need none.
    pub api_key: Option<SecretString>,
    /// The model's name.
    pub model: String,
    /// Up to and including the version, without a slash at the end, e.g. `https://api.openai.com/v1`.
    pub base_url: String,
    /// Which API is spoken (OpenAI only).
    pub api: OpenAiApi,
    /// The header that carries the key: `authorization` for a bearer token, any other for the bare key (OpenAI only).
    pub api_key_header: String,
    /// The request field that caps the reply: `max_tokens` or `max_completion_tokens` (Chat Completions only).
    pub tokens_max_field: String,
    /// Whether requests name their stable prefix in `prompt_cache_key` (OpenAI only).
    pub prompt_cache_key: bool,
    /// Value of the `anthropic-version` header (Anthropic only).
    pub api_version: String,
}

/// Which of OpenAI's APIs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OpenAiApi {
    /// Chat Completions, which every compatible server speaks.
    #[default]
    Chat,
    /// Responses.
    Responses,
}

pub(super) fn read(layers: &mut Layers) -> LlmConfig {
    let anthropic = provider(layers, "ANTHROPIC");
    let openai = provider(layers, "OPENAI");
    let default_base_url = layers
        .get("OPENAI_BASE_URL")
        .is_none_or(|value| value.source == Source::Default);
    let provider = match text(layers, "LLM_PROVIDER").as_str() {
        "" if anthropic.api_key.is_some() => ProviderKind::Anthropic,
        // A compatible server of one's own may want no key: naming it is enough.
        "" if openai.api_key.is_some() || !default_base_url => ProviderKind::OpenAi,
        "" => ProviderKind::Offline,
        name => provider_kind(name).unwrap_or_else(|| {
            layers.reject("LLM_PROVIDER", "must be anthropic, openai or offline");
            ProviderKind::Offline
        }),
    };
    let fallback = fallback(layers, provider, &anthropic, &openai);
    let wanted_by = |kind| {
        let is_fallback = fallback.as_ref().is_some_and(|it| it.provider == kind);
        let primary = (provider == kind).then_some("LLM_PROVIDER");
        primary.or(is_fallback.then_some("LLM_FALLBACK"))
    };
    if let Some(setting) = wanted_by(ProviderKind::Anthropic)
        && anthropic.api_key.is_none()
    {
        let problem = format!("must be set when {setting} is anthropic");
        layers.reject("ANTHROPIC_API_KEY", problem);
    }
    if let Some(setting) = wanted_by(ProviderKind::OpenAi)
        && openai.api_key.is_none()
        && default_base_url
    {
        let problem = format!(
            "must be set when {setting} is openai, unless OPENAI_BASE_URL names a server that needs none"
        );
        layers.reject("OPENAI_API_KEY", problem);
    }
    LlmConfig {
        provider,
        fallback,
        anthropic,
        openai,
        prompts_dir: optional(layers, "DB_CHAT_PROMPTS_DIR").map(PathBuf::from),
        reply_language: optional(layers, "DB_CHAT_REPLY_LANGUAGE"),
        prices: model_prices(layers),
    }
}

fn model_prices(layers: &mut Layers) -> Vec<ModelPrice> {
    prices::parse(&text(layers, "DB_CHAT_LLM_PRICES")).unwrap_or_else(|problem| {
        layers.reject("DB_CHAT_LLM_PRICES", problem);
        Vec::new()
    })
}

fn provider_kind(name: &str) -> Option<ProviderKind> {
    match name.to_ascii_lowercase().as_str() {
        "anthropic" => Some(ProviderKind::Anthropic),
        "openai" => Some(ProviderKind::OpenAi),
        "offline" => Some(ProviderKind::Offline),
        _ => None,
    }
}

/// `provider:model`, or a provider alone. The model may hold colons of its own, as Ollama's do.
fn fallback(
    layers: &mut Layers,
    primary: ProviderKind,
    anthropic: &ProviderConfig,
    openai: &ProviderConfig,
) -> Option<FallbackConfig> {
    let text = optional(layers, "LLM_FALLBACK")?;
    let (name, model) = match text.split_once(':') {
        Some((name, model)) => (name.trim(), Some(model.trim())),
        None => (text.as_str(), None),
    };
    let models = |kind| match kind {
        ProviderKind::Anthropic => Some(&anthropic.model),
        ProviderKind::OpenAi => Some(&openai.model),
        ProviderKind::Offline => None,
    };
    let kind = provider_kind(name);
    let (Some(kind), Some(own_model)) = (kind, kind.and_then(models)) else {
        let problem = "must be anthropic or openai, with a model after a colon or without, e.g. openai:gpt-6-luna";
        layers.reject("LLM_FALLBACK", problem);
        return None;
    };
    if model == Some("") {
        layers.reject("LLM_FALLBACK", "must name a model after the colon");
    } else if primary == ProviderKind::Offline {
        let problem = "needs a provider to stand in for: set LLM_PROVIDER and its key";
        layers.reject("LLM_FALLBACK", problem);
    } else if primary == kind && model.is_none_or(|model| model == own_model) {
        let problem = "must name another model than the one that it stands in for";
        layers.reject("LLM_FALLBACK", problem);
    }
    Some(FallbackConfig {
        provider: kind,
        model: model.map(str::to_owned),
    })
}

fn provider(layers: &mut Layers, prefix: &str) -> ProviderConfig {
    let base_url_name = format!("{prefix}_BASE_URL");
    let base_url = text(layers, &base_url_name);
    if !base_url.starts_with("https://") && !base_url.starts_with("http://") {
        layers.reject(&base_url_name, "must begin with https:// or http://");
    }
    let api_name = format!("{prefix}_API");
    let api = match text(layers, &api_name).to_ascii_lowercase().as_str() {
        "chat" | "" => OpenAiApi::Chat,
        "responses" => OpenAiApi::Responses,
        _ => {
            layers.reject(&api_name, "must be chat or responses");
            OpenAiApi::default()
        }
    };
    ProviderConfig {
        api,
        api_key_header: text(layers, &format!("{prefix}_API_KEY_HEADER")),
        api_key: secret(layers, &format!("{prefix}_API_KEY")),
        model: text(layers, &format!("{prefix}_MODEL")),
        base_url: base_url.trim_end_matches('/').to_owned(),
        tokens_max_field: text(layers, &format!("{prefix}_TOKENS_MAX_FIELD")),
        prompt_cache_key: boolean(layers, &format!("{prefix}_PROMPT_CACHE_KEY")),
        api_version: text(layers, &format!("{prefix}_VERSION")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::tests::check;
    use super::*;

    #[test]
    fn the_provider_follows_the_key_that_is_set() {
        let provider = |variables: &[(&str, &str)]| {
            check("", variables, &[]).map(|config| config.llm.provider)
        };
        assert_eq!(
            provider(&[("OPENAI_API_KEY", "k")]),
            Ok(ProviderKind::OpenAi)
        );
        assert_eq!(
            provider(&[("OPENAI_API_KEY", "k"), ("ANTHROPIC_API_KEY", "k")]),
            Ok(ProviderKind::Anthropic)
        );
        assert_eq!(
            provider(&[("OPENAI_BASE_URL", "http://127.0.0.1:11434/v1")]),
            Ok(ProviderKind::OpenAi)
        );
        assert!(provider(&[("LLM_PROVIDER", "openai")]).is_err());
    }

    #[test]
    fn a_fallback_is_a_provider_with_its_own_key_and_perhaps_another_model() {
        let fallback = |text: &str| {
            let variables = [
                ("LLM_FALLBACK", text),
                ("ANTHROPIC_API_KEY", "k"),
                ("OPENAI_API_KEY", "k"),
            ];
            check("", &variables, &[]).map(|config| {
                let fallback = config.llm.fallback.expect("a fallback");
                (fallback.provider, fallback.model)
            })
        };
        assert_eq!(fallback("openai"), Ok((ProviderKind::OpenAi, None)));
        let model = |name: &str| Some(name.to_owned());
        assert_eq!(
            fallback("OpenAI: qwen3:8b"),
            Ok((ProviderKind::OpenAi, model("qwen3:8b")))
        );
        assert_eq!(
            fallback("anthropic:claude-sonnet-5-5"),
            Ok((ProviderKind::Anthropic, model("claude-sonnet-5-5")))
        );
        for (text, problem) in [
            ("gemini", "must be anthropic or openai"),
            ("offline", "must be anthropic or openai"),
            ("openai:", "a model after the colon"),
            ("anthropic", "another model"),
            ("anthropic:claude-haiku-5-5", "another model"),
        ] {
            let error = fallback(text).expect_err(text);
            assert!(
                error.contains("LLM_FALLBACK") && error.contains(problem),
                "{error}"
            );
        }
        let error =
            check("llm_fallback = \"openai\"", &[], &[]).expect_err("nothing to stand in for");
        assert!(error.contains("needs a provider"), "{error}");
        let variables = [("ANTHROPIC_API_KEY", "k"), ("LLM_FALLBACK", "openai")];
        let error = check("", &variables, &[]).expect_err("no key");
        assert!(
            error.contains("OPENAI_API_KEY") && error.contains("when LLM_FALLBACK is openai"),
            "{error}"
        );
    }
}
