-- Feedback: what people thought of an answer, one row for each answer that was rated.

CREATE TABLE db_chat.feedback (
    conversation_id uuid        NOT NULL,
    request_id      text        NOT NULL,
    rating          text        NOT NULL CHECK (rating IN ('up', 'down')),
    comment         text,
    question        text        NOT NULL,
    sql             text,
    rated_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (conversation_id, request_id)
);

COMMENT ON TABLE db_chat.feedback IS
    'What people thought of an answer. Who asked, and what it cost, is in audit_log under the same request_id.';
COMMENT ON COLUMN db_chat.feedback.rating IS 'The last one given: rating again replaces the row''s values.';
COMMENT ON COLUMN db_chat.feedback.comment IS 'What the person wrote with it; NULL if nothing.';
COMMENT ON COLUMN db_chat.feedback.question IS
    'What had been asked: conversations expire, and a rating without its question teaches nothing.';
COMMENT ON COLUMN db_chat.feedback.sql IS 'The query that answered it; NULL if none ran.';

-- The question put to it: what went wrong lately.
CREATE INDEX feedback_rated_at ON db_chat.feedback (rated_at);
