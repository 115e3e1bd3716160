//! What a provider can do wrong, and what has to come of it in either call.

use std::time::Duration;

use chrono::{TimeDelta, Utc};

use super::{Call, good};
use crate::support::fake_provider::{LineEnd, Reply, Stop};

/// What the model thinks when it does so aloud.
pub(super) const THOUGHTS: &str = "between ourselves";

/// A fault and its outcomes.
pub(super) struct Fault {
    pub(super) name: &'static str,
    /// Which server it is played to.
    pub(super) patience: Patience,
    /// The answer to one call; the first try of a call has number 0.
    pub(super) reply: fn(usize, Call) -> Reply,
    /// If the call for SQL fails so.
    pub(super) sql: Outcome,
    /// If the call for prose fails so.
    pub(super) prose: Outcome,
}

/// How long a server waits for its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// As by default, so that no fault of another kind ends in a timeout.
    Long,
    /// Seconds, and one retry.
    Short,
}

/// How a question ends.
pub(super) struct Outcome {
    pub(super) ending: Ending,
    /// Calls of the failing kind, the good ones included.
    pub(super) calls: usize,
    /// What the person is told about coming back.
    pub(super) retry_after_ms: Option<u64>,
}

/// The final frame.
#[derive(Clone, Copy)]
pub(super) enum Ending {
    /// An answer that holds these words.
    Answered(&'static str),
    /// An answer that is none, with this code.
    Declined(&'static str),
    /// An error with this code.
    Failed(&'static str),
}

/// The words of the good answer.
const GOOD: &str = "There are 3 customers.";

const UNAVAILABLE: &str = "provider_unavailable";
const RATE_LIMITED: &str = "provider_rate_limited";
const TIMEOUT: &str = "provider_timeout";
const NO_QUERY: &str = "model_reply_invalid";

const fn answered(words: &'static str, calls: usize) -> Outcome {
    Outcome {
        ending: Ending::Answered(words),
        calls,
        retry_after_ms: None,
    }
}

const fn declined(code: &'static str, calls: usize) -> Outcome {
    Outcome {
        ending: Ending::Declined(code),
        calls,
        retry_after_ms: None,
    }
}

const fn failed(code: &'static str, calls: usize) -> Outcome {
    Outcome {
        ending: Ending::Failed(code),
        calls,
        retry_after_ms: None,
    }
}

const fn failed_until(code: &'static str, calls: usize, retry_after_ms: u64) -> Outcome {
    Outcome {
        ending: Ending::Failed(code),
        calls,
        retry_after_ms: Some(retry_after_ms),
    }
}

const fn fault(
    name: &'static str,
    reply: fn(usize, Call) -> Reply,
    sql: Outcome,
    prose: Outcome,
) -> Fault {
    Fault {
        name,
        patience: Patience::Long,
        reply,
        sql,
        prose,
    }
}

const fn slow_fault(
    name: &'static str,
    reply: fn(usize, Call) -> Reply,
    sql: Outcome,
    prose: Outcome,
) -> Fault {
    Fault {
        patience: Patience::Short,
        ..fault(name, reply, sql, prose)
    }
}

/// The first try of a call fails, the next one does not.
fn once(attempt: usize, call: Call, fault: Reply) -> Reply {
    match attempt {
        0 => fault,
        _ => good(call),
    }
}

fn limited() -> Reply {
    Reply::error(429, "rate_limit_error")
}

/// A reply that has begun well.
fn begun(call: Call) -> Reply {
    Reply::script().begin().delta(match call {
        Call::Sql => "```sql\n",
        Call::Prose => "There ",
    })
}

/// A date as HTTP writes it, RFC 9110 section 5.6.7.
fn http_date(from_now: TimeDelta) -> String {
    let date = Utc::now() + from_now;
    date.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "429 with seconds",
        |attempt, call| once(attempt, call, limited().header("retry-after", "1")),
        answered(GOOD, 2),
        answered(GOOD, 2),
    ),
    fault(
        "429 with a date",
        |attempt, call| {
            let date = http_date(TimeDelta::seconds(2));
            once(attempt, call, limited().header("retry-after", &date))
        },
        answered(GOOD, 2),
        answered(GOOD, 2),
    ),
    fault(
        "429 with milliseconds, which count before seconds",
        |attempt, call| {
            let limited = limited().header("retry-after", "3600");
            once(attempt, call, limited.header("retry-after-ms", "20"))
        },
        answered(GOOD, 2),
        answered(GOOD, 2),
    ),
    fault(
        "429 without a word about when",
        |attempt, call| once(attempt, call, limited()),
        answered(GOOD, 2),
        answered(GOOD, 2),
    ),
    fault(
        "429 with nonsense about when",
        |attempt, call| once(attempt, call, limited().header("retry-after", "-1")),
        answered(GOOD, 2),
        answered(GOOD, 2),
    ),
    fault(
        "429 with a wait of a century, of which a day is passed on",
        |_, _| limited().header("retry-after", "4000000000"),
        failed_until(RATE_LIMITED, 1, 86_400_000),
        failed_until(RATE_LIMITED, 1, 86_400_000),
    ),
    fault(
        "429 again and again",
        |_, _| limited().header("retry-after-ms", "30"),
        failed_until(RATE_LIMITED, 3, 30),
        failed_until(RATE_LIMITED, 3, 30),
    ),
    fault(
        "429 for good",
        |_, _| Reply::error(429, "insufficient_quota").header("retry-after", "1"),
        failed("provider_quota_exceeded", 1),
        failed("provider_quota_exceeded", 1),
    ),
    fault(
        "500 once",
        |attempt, call| once(attempt, call, Reply::error(500, "api_error")),
        answered(GOOD, 2),
        answered(GOOD, 2),
    ),
    fault(
        "500 again and again",
        |_, _| Reply::error(500, "api_error"),
        failed(UNAVAILABLE, 3),
        failed(UNAVAILABLE, 3),
    ),
    fault(
        "529 again and again",
        |_, _| Reply::error(529, "overloaded_error").header("retry-after-ms", "5"),
        failed_until(UNAVAILABLE, 3, 5),
        failed_until(UNAVAILABLE, 3, 5),
    ),
    fault(
        "a page from a proxy",
        |_, _| Reply::raw(502, "text/html", "<html>Bad Gateway</html>"),
        failed(UNAVAILABLE, 3),
        failed(UNAVAILABLE, 3),
    ),
    fault(
        "a reset before the answer",
        |_, _| Reply::script().reset(),
        failed(UNAVAILABLE, 3),
        failed(UNAVAILABLE, 3),
    ),
    fault(
        "a reset in the middle",
        |_, call| begun(call).reset(),
        failed(UNAVAILABLE, 1),
        failed(UNAVAILABLE, 1),
    ),
    fault(
        "a cut in the middle",
        |_, call| begun(call).cut(),
        failed(UNAVAILABLE, 1),
        failed(UNAVAILABLE, 1),
    ),
    fault(
        "an end without the terminal mark",
        |_, call| begun(call),
        failed(UNAVAILABLE, 1),
        failed(UNAVAILABLE, 1),
    ),
    fault(
        "an empty body",
        |_, _| Reply::script().head(),
        failed(UNAVAILABLE, 3),
        failed(UNAVAILABLE, 3),
    ),
    slow_fault(
        "silence before the answer",
        |_, _| Reply::script().stall(),
        failed(TIMEOUT, 2),
        failed(TIMEOUT, 2),
    ),
    slow_fault(
        "silence after the head",
        |_, _| Reply::script().head().stall(),
        failed(TIMEOUT, 1),
        failed(TIMEOUT, 1),
    ),
    slow_fault(
        "silence in the middle",
        |_, call| begun(call).stall(),
        failed(TIMEOUT, 1),
        failed(TIMEOUT, 1),
    ),
    slow_fault(
        "a first event that comes byte by byte",
        |_, _| Reply::script().drip_bytes("data: {", Duration::from_millis(50)),
        failed(TIMEOUT, 1),
        failed(TIMEOUT, 1),
    ),
    slow_fault(
        "a next event that comes byte by byte",
        |_, call| begun(call).drip_bytes("data: {", Duration::from_millis(50)),
        failed(TIMEOUT, 1),
        failed(TIMEOUT, 1),
    ),
    slow_fault(
        "words that never end",
        |_, call| begun(call).drip_text("and ", Duration::from_millis(50)),
        failed(TIMEOUT, 1),
        failed(TIMEOUT, 1),
    ),
    fault(
        "an error event before the first word",
        |_, _| Reply::script().begin().error_event("overloaded_error"),
        failed(UNAVAILABLE, 3),
        failed(UNAVAILABLE, 3),
    ),
    fault(
        "an error event in the middle",
        |_, call| begun(call).error_event("overloaded_error"),
        failed(UNAVAILABLE, 1),
        failed(UNAVAILABLE, 1),
    ),
    fault(
        "a character cut in half",
        |_, call| begun(call).bytes(&b"data: \"Z\xc3"[..]),
        failed(UNAVAILABLE, 1),
        failed(UNAVAILABLE, 1),
    ),
    fault(
        "an event that is no JSON",
        |_, call| begun(call).bytes("data: {\"half\": \n\n"),
        failed(UNAVAILABLE, 1),
        failed(UNAVAILABLE, 1),
    ),
    fault(
        "an empty reply",
        |_, _| Reply::script().begin().finish(Stop::Complete),
        declined(NO_QUERY, 3),
        answered("3", 1),
    ),
    fault(
        "a refusal",
        |_, _| {
            let stop = Stop::Refusal("no, in words".to_owned());
            Reply::script().begin().finish(stop)
        },
        declined("model_refused", 1),
        answered("declined", 1),
    ),
    fault(
        "a refusal in the middle",
        |_, call| begun(call).finish(Stop::Refusal("no, in words".to_owned())),
        declined("model_refused", 1),
        answered("declined", 1),
    ),
    fault(
        "a reply that reaches the cap",
        |_, call| begun(call).finish(Stop::TokensMax),
        declined(NO_QUERY, 3),
        answered("cut off", 1),
    ),
    fault(
        "thinking that reaches the cap",
        |_, _| {
            let thinking = Reply::script().begin().thinking(THOUGHTS);
            thinking.finish(Stop::TokensMax)
        },
        declined(NO_QUERY, 3),
        answered("cut off", 1),
    ),
    fault(
        "thinking before, between and after the words",
        |_, call| {
            let (first, second) = match call {
                Call::Sql => ("```sql\nSELECT count(*) ", "FROM public.customers\n```"),
                Call::Prose => ("There are ", "3 customers."),
            };
            let thinking = Reply::script().begin().thinking(THOUGHTS).delta(first);
            let thinking = thinking.thinking(THOUGHTS).delta(second).thinking(THOUGHTS);
            thinking.finish(Stop::Complete)
        },
        answered(GOOD, 1),
        answered(GOOD, 1),
    ),
    fault(
        "words that are no SQL",
        |_, _| Reply::text("I like turtles."),
        declined(NO_QUERY, 3),
        answered("I like turtles.", 1),
    ),
    fault(
        "50 MB",
        |_, _| {
            let piece = "x".repeat(64 << 10);
            let reply = Reply::script().begin().deltas(&piece, 800);
            reply.finish(Stop::Complete)
        },
        failed(UNAVAILABLE, 1),
        failed(UNAVAILABLE, 1),
    ),
    fault(
        "noise around the words",
        |_, call| {
            let (first, second) = match call {
                Call::Sql => ("```sql\nSELECT count(*) ", "FROM public.customers\n```"),
                Call::Prose => ("There are ", "3 customers."),
            };
            let reply = Reply::script().comment().begin().ping().unknown();
            let reply = reply.delta(first).comment().unknown().delta(second);
            let reply = reply.ping().finish(Stop::Complete);
            reply.byte_order_mark().line_end(LineEnd::CrLf).pieces_of(3)
        },
        answered(GOOD, 1),
        answered(GOOD, 1),
    ),
];
