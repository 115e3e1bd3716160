//! When a failed try is worth another, and after how long. Pure: the numbers are those of the official SDKs (two retries, backoff from
//! half a second, jitter that only shortens), but a person is waiting here, so no wait is longer than [`WAIT_MAX`].

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;

/// The longest wait for another try. A provider that asks for more is not asked again: an honest error now is worth more than an answer
/// after the person has left.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(10);

/// The longest wait that is passed on. Some providers count in weeks, and a browser's timer ends after 24 days.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

const BACKOFF_MIN: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(8);

/// What a provider's answer says about trying again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RetryHint {
    /// `x-should-retry`: stands above the status.
    pub(super) should_retry: Option<bool>,
    /// How long it asks to wait.
    pub(super) wait: Option<Duration>,
}

impl RetryHint {
    /// What to tell somebody who has to wait instead of us.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.wait.map(|wait| wait.min(RETRY_AFTER_MAX))
    }

    /// Reads `x-should-retry`, `retry-after-ms` and `retry-after` (seconds, whole or not, or an HTTP date, RFC 9110 section
    /// 10.2.3). A wait of zero, in the past or not to be read is no hint.
    pub(super) fn from_headers(headers: &HeaderMap, now: DateTime<Utc>) -> Self {
        let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.trim());
        let should_retry = match text("x-should-retry") {
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(_) | None => None,
        };
        let milliseconds = text("retry-after-ms")
            .and_then(|text| text.parse::<f64>().ok())
            .and_then(|milliseconds| duration(milliseconds / 1_000.0));
        let wait = milliseconds.or_else(|| {
            let text = text("retry-after")?;
            if let Ok(seconds) = text.parse::<f64>() {
                return duration(seconds);
            }
            let at = DateTime::parse_from_rfc2822(text).ok()?;
            (at.to_utc() - now)
                .to_std()
                .ok()
                .filter(|wait| !wait.is_zero())
        });
        Self { should_retry, wait }
    }
}

fn duration(seconds: f64) -> Option<Duration> {
    if seconds <= 0.0 {
        return None;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// Whether a status is one that may pass by itself: 408, 409, 429, every 5xx (Anthropic's 529 too), and 498, which means
/// "no capacity" where it is used.
pub(super) const fn status_is_transient(status: u16) -> bool {
    matches!(status, 408 | 409 | 429 | 498) || status >= 500
}

/// How long to wait before retry number `retry` (the first is 0), or `None` if it asks for more than [`WAIT_MAX`].
///
/// `jitter` is a random number in 0..1.
pub(super) fn wait(retry: u32, hint: Option<Duration>, jitter: f64) -> Option<Duration> {
    if let Some(hint) = hint {
        return (hint <= WAIT_MAX).then_some(hint);
    }
    let doubled = BACKOFF_MIN.saturating_mul(2_u32.saturating_pow(retry));
    Some(doubled.min(BACKOFF_MAX).mul_f64(1.0 - 0.25 * jitter))
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn check(headers: &[(&'static str, &'static str)], expected: RetryHint) {
        let now = DateTime::parse_from_rfc3339("2026-11-22T12:00:00Z")
            .unwrap()
            .to_utc();
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect();
        assert_eq!(
            RetryHint::from_headers(&headers, now),
            expected,
            "{headers:?}"
        );
    }

    fn wait_hint(milliseconds: u64) -> RetryHint {
        RetryHint {
            should_retry: None,
            wait: Some(Duration::from_millis(milliseconds)),
        }
    }

    #[test]
    fn every_form_of_retry_after_is_read() {
        check(&[("retry-after", "3")], wait_hint(3_000));
        check(&[("retry-after", "0.25")], wait_hint(250));
        check(&[("retry-after", " 2 ")], wait_hint(2_000));
        check(
            &[("retry-after", "Sun, 22 Nov 2026 12:00:05 GMT")],
            wait_hint(5_000),
        );
        check(
            &[("retry-after-ms", "1500"), ("retry-after", "3")],
            wait_hint(1_500),
        );
        check(
            &[("retry-after-ms", "soon"), ("retry-after", "3")],
            wait_hint(3_000),
        );
    }

    #[test]
    fn a_wait_that_makes_no_sense_is_no_hint() {
        for value in [
            "0",
            "-1",
            "NaN",
            "inf",
            "1e300",
            "soon",
            "",
            "Sun, 22 Nov 2026 11:59:59 GMT",
        ] {
            check(&[("retry-after", value)], RetryHint::default());
        }
    }

    #[test]
    fn the_provider_can_say_outright_whether_to_retry() {
        for (value, should_retry) in [
            ("true", Some(true)),
            ("false", Some(false)),
            ("perhaps", None),
        ] {
            check(
                &[("x-should-retry", value)],
                RetryHint {
                    should_retry,
                    wait: None,
                },
            );
        }
    }

    #[test]
    fn the_transient_statuses_are_those_of_the_official_sdks() {
        for status in [408, 409, 429, 498, 500, 502, 503, 504, 529] {
            assert!(status_is_transient(status), "{status}");
        }
        for status in [400, 401, 402, 403, 404, 413, 422] {
            assert!(!status_is_transient(status), "{status}");
        }
    }

    #[test]
    fn the_backoff_doubles_up_to_eight_seconds_and_jitter_only_shortens_it() {
        let seconds: Vec<_> = (0..7)
            .map(|retry| wait(retry, None, 0.0).unwrap().as_secs_f64())
            .collect();
        assert_eq!(seconds, [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]);
        assert_eq!(wait(1, None, 1.0), Some(Duration::from_millis(750)));
        assert!(wait(u32::MAX, None, 0.5).unwrap() <= BACKOFF_MAX);
    }

    #[test]
    fn a_hint_replaces_the_backoff_and_a_long_one_ends_the_trying() {
        let short = Duration::from_millis(20);
        assert_eq!(wait(5, Some(short), 0.5), Some(short));
        assert_eq!(wait(0, Some(WAIT_MAX), 0.5), Some(WAIT_MAX));
        assert_eq!(
            wait(0, Some(WAIT_MAX + Duration::from_millis(1)), 0.5),
            None
        );
    }
}
