//! Every number that bounds something: default, unit, reason. Zero is refused; it never means unlimited.

/// The limits. Field names are the settings' names in lower case; units come last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one WebSocket message, and of a REST body.
    pub frame_bytes_max: usize,
    /// Unicode scalar values of one question.
    pub question_chars_max: usize,
    /// Rows given to the client.
    pub rows_max: usize,
    /// Rows given to the model that writes the prose, and kept in the conversation.
    pub model_rows_max: usize,
    /// Bytes of those rows.
    pub model_rows_bytes_max: usize,
    /// Bytes of one cell; a longer one is cut.
    pub cell_bytes_max: usize,
    /// Bytes of all cells of a result; rows beyond are left out.
    pub result_bytes_max: usize,
    /// PostgreSQL's `statement_timeout` for one query.
    pub statement_timeout_ms: u64,
    /// PostgreSQL's `idle_in_transaction_session_timeout`.
    pub idle_in_transaction_timeout_ms: u64,
    /// PostgreSQL's own estimate of what a query costs, in the units of `EXPLAIN`, above which it is not run; `None`: no
    /// query is estimated. There is no good default: it depends on the machine and on how much is too much for it.
    pub query_cost_max: Option<u64>,
    /// Connections to the database being asked.
    pub pool_connections_max: usize,
    /// How long a question waits for one of them.
    pub pool_wait_timeout_ms: u64,
    /// Tokens of schema text given to the model.
    pub schema_context_tokens_max: usize,
    /// Tokens of earlier questions and queries given to the model; older ones are summarised.
    pub history_tokens_max: usize,
    /// Tokens of the summary of older turns.
    pub summary_tokens_max: usize,
    /// Tokens, read and written, that the model calls of one question may cost.
    pub turn_tokens_max: u64,
    /// The same for all questions and summaries of a conversation.
    pub conversation_tokens_max: u64,
    /// Messages kept in a conversation; a turn is two.
    pub conversation_messages_max: usize,
    /// Bytes kept of a conversation.
    pub conversation_bytes_max: usize,
    /// For one call to the conversation store.
    pub store_timeout_ms: u64,
    /// Bytes of all conversations of the store in memory; past it those unused for longest go.
    pub memory_store_bytes_max: usize,
    /// From sending a request to the first piece of the reply.
    pub llm_first_token_timeout_ms: u64,
    /// Between two pieces of a reply.
    pub llm_idle_timeout_ms: u64,
    /// For one call with its wait in the queue, all its retries and its fallback.
    pub llm_total_timeout_ms: u64,
    /// Retries of one call, before its first token; 0, which the setting spells `off`, is none.
    pub llm_retries_max: u32,
    /// Calls that one provider works on at once. Hosted providers limit tokens rather than calls; a model server of one's own wants
    /// as few as it can hold.
    pub llm_concurrent_calls_max: usize,
    /// Calls that wait for a place at one provider; one more fails at once.
    pub llm_queue_calls_max: usize,
    /// For that wait.
    pub llm_queue_timeout_ms: u64,
    /// Failures of a provider in a row after which it is not asked for a while: more than the tries of one call.
    pub llm_breaker_failures_max: u32,
    /// The same if more than this many percent of the last 20 tries failed; 100 leaves it to the failures in a row.
    pub llm_breaker_failure_percent_max: u32,
    /// How long such a provider is not asked.
    pub llm_breaker_open_ms: u64,
    /// Tokens that the model may write in one call, thinking included.
    pub llm_output_tokens_max: u32,
    /// Bytes of the text of one reply; a larger one is a provider gone wild, and an error.
    pub llm_reply_bytes_max: usize,
    /// Times that a refused or failed query goes back to the model.
    pub repairs_max: u32,
    /// Between two pings.
    pub ping_interval_ms: u64,
    /// Without any frame from the client for so long, the connection is taken for dead.
    pub pong_timeout_ms: u64,
    /// Bytes waiting for one slow client.
    pub outbox_bytes_max: usize,
    /// For one write to a client.
    pub write_timeout_ms: u64,
    /// Questions being answered at once on one connection.
    pub questions_in_flight_max: usize,
    /// For how long a turn that nobody follows goes on, and the frames of one that has ended are kept.
    pub resume_seconds: u64,
    /// Bytes of the frames of ended turns that this process keeps; past it the oldest go.
    pub replay_bytes_max: usize,
    /// Open WebSocket connections of this process.
    pub connections_max: usize,
    /// Open WebSocket connections of one principal; does not count for nobody in particular.
    pub connections_per_principal_max: usize,
    /// Open WebSocket connections from one address; of IPv6, from one network of 64 bits, which one subscriber commonly has.
    pub connections_per_address_max: usize,
    /// Questions a minute of one principal, over all instances; of nobody in particular, from one address.
    pub questions_per_minute_max: u32,
    /// Tickets a minute of one principal, over all instances; of nobody in particular, from one address. A page needs one for
    /// every connection, and a backend may get those of all its pages with one key.
    pub tickets_per_minute_max: u32,
    /// For the head of a request to arrive, a socket's handshake included.
    pub head_timeout_ms: u64,
    /// For the body to arrive after the head. A question is a few hundred bytes; a client that dribbles must not hold a place for
    /// longer.
    pub body_timeout_ms: u64,
    /// How long an HTTP connection may be idle: above the 60 seconds after which common load balancers drop
    /// theirs, so that it is never this side that drops one under a request.
    pub keep_alive_timeout_ms: u64,
    /// Between two fetches of the keys of the tokens' issuer, however many tokens name keys that are not known.
    pub jwks_fetch_pause_ms: u64,
    /// For answers in flight when the server is told to stop.
    pub shutdown_timeout_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes_max: 65_536,
            question_chars_max: 4_000,
            rows_max: 1_000,
            model_rows_max: 50,
            model_rows_bytes_max: 8_192,
            cell_bytes_max: 65_536,
            result_bytes_max: 4_194_304,
            statement_timeout_ms: 15_000,
            idle_in_transaction_timeout_ms: 5_000,
            query_cost_max: None,
            pool_connections_max: 16,
            pool_wait_timeout_ms: 5_000,
            schema_context_tokens_max: 8_000,
            history_tokens_max: 6_000,
            summary_tokens_max: 600,
            turn_tokens_max: 200_000,
            conversation_tokens_max: 2_000_000,
            conversation_messages_max: 200,
            conversation_bytes_max: 262_144,
            store_timeout_ms: 2_000,
            memory_store_bytes_max: 268_435_456,
            llm_first_token_timeout_ms: 30_000,
            llm_idle_timeout_ms: 30_000,
            llm_total_timeout_ms: 120_000,
            llm_retries_max: 2,
            llm_concurrent_calls_max: 128,
            llm_queue_calls_max: 1_000,
            llm_queue_timeout_ms: 30_000,
            llm_breaker_failures_max: 5,
            llm_breaker_failure_percent_max: 50,
            llm_breaker_open_ms: 15_000,
            llm_output_tokens_max: 8_192,
            llm_reply_bytes_max: 1_048_576,
            repairs_max: 2,
            ping_interval_ms: 20_000,
            pong_timeout_ms: 60_000,
            outbox_bytes_max: 1_048_576,
            write_timeout_ms: 10_000,
            questions_in_flight_max: 4,
            resume_seconds: 120,
            replay_bytes_max: 67_108_864,
            connections_max: 10_000,
            connections_per_principal_max: 100,
            connections_per_address_max: 100,
            questions_per_minute_max: 60,
            // Three for each connection that a principal may have: a server that restarts is met by all of them at once.
            tickets_per_minute_max: 300,
            head_timeout_ms: 10_000,
            body_timeout_ms: 10_000,
            keep_alive_timeout_ms: 75_000,
            jwks_fetch_pause_ms: 10_000,
            shutdown_timeout_ms: 25_000,
        }
    }
}
