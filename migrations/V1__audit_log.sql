-- The audit log: one row for each turn that was accepted, whatever became of it.

CREATE TABLE db_chat.audit_log (
    id              uuid        PRIMARY KEY,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    asked_at        timestamptz NOT NULL,
    principal       text,
    client_address  inet,
    request_id      text        NOT NULL,
    conversation_id uuid        NOT NULL,
    question        text        NOT NULL,
    sql             text,
    verdict         text        CHECK (verdict IN ('allowed', 'refused')),
    refusal_code    text        CHECK (refusal_code IS NULL OR verdict = 'refused'),
    row_count       bigint      CHECK (row_count >= 0),
    result_bytes    bigint      CHECK (result_bytes >= 0),
    duration_ms     bigint      NOT NULL CHECK (duration_ms >= 0),
    stages_ms       jsonb       NOT NULL CHECK (jsonb_typeof(stages_ms) = 'object'),
    provider        text        NOT NULL,
    model           text        NOT NULL,
    model_calls     bigint      NOT NULL CHECK (model_calls >= 0),
    input_tokens    bigint,
    cached_tokens   bigint,
    output_tokens   bigint,
    outcome         text        NOT NULL
        CHECK (outcome IN ('answered', 'clarified', 'declined', 'cancelled', 'failed')),
    error_code      text
);

COMMENT ON TABLE db_chat.audit_log IS
    'One row for each question that db-chat accepted. Written once, never changed; how long rows are kept is up to the operator.';
COMMENT ON COLUMN db_chat.audit_log.id IS
    'Made by the instance that answered, in the order of time (UUID version 7), so that a repeated write stays one row.';
COMMENT ON COLUMN db_chat.audit_log.recorded_at IS 'When the row was written.';
COMMENT ON COLUMN db_chat.audit_log.asked_at IS 'When the question was accepted.';
COMMENT ON COLUMN db_chat.audit_log.principal IS 'Who asked; NULL where nobody has to sign in.';
COMMENT ON COLUMN db_chat.audit_log.client_address IS 'Where the question came from, as far as is known.';
COMMENT ON COLUMN db_chat.audit_log.request_id IS 'The client''s reference, also in the logs and in X-Request-Id.';
COMMENT ON COLUMN db_chat.audit_log.sql IS
    'The last query of the turn: as the guard emitted it if it was allowed, as the model wrote it if it was refused; NULL if there was none.';
COMMENT ON COLUMN db_chat.audit_log.verdict IS 'What the guard said of that query.';
COMMENT ON COLUMN db_chat.audit_log.refusal_code IS 'Which of the guard''s rules refused it.';
COMMENT ON COLUMN db_chat.audit_log.row_count IS 'Rows read from the database; NULL if no query ran.';
COMMENT ON COLUMN db_chat.audit_log.result_bytes IS 'Bytes of the cells of those rows.';
COMMENT ON COLUMN db_chat.audit_log.duration_ms IS 'From accepting the question to the final frame.';
COMMENT ON COLUMN db_chat.audit_log.stages_ms IS 'Milliseconds by stage, e.g. {"generating": 812, "executing": 15}.';
COMMENT ON COLUMN db_chat.audit_log.model_calls IS 'Calls of the model, retries included.';
COMMENT ON COLUMN db_chat.audit_log.input_tokens IS 'Tokens read by the model, cached ones included; NULL if the provider did not say.';
COMMENT ON COLUMN db_chat.audit_log.cached_tokens IS 'The part of them that came from the provider''s cache.';
COMMENT ON COLUMN db_chat.audit_log.output_tokens IS 'Tokens written by the model.';
COMMENT ON COLUMN db_chat.audit_log.outcome IS 'How the turn ended.';
COMMENT ON COLUMN db_chat.audit_log.error_code IS 'The error code that the client was sent, if any.';

-- The questions put to an audit log: what happened in this time, in this conversation, by this person,
-- behind this request id from a complaint.
CREATE INDEX audit_log_asked_at ON db_chat.audit_log (asked_at);
CREATE INDEX audit_log_conversation ON db_chat.audit_log (conversation_id, asked_at);
CREATE INDEX audit_log_principal ON db_chat.audit_log (principal, asked_at) WHERE principal IS NOT NULL;
CREATE INDEX audit_log_request ON db_chat.audit_log (request_id);
