//! What `app` hands down: the parts that the doors use, each behind the narrowest handle that does.

use std::sync::Arc;

use crate::conversations::ConversationStore;
use crate::http::{Check, SchemaSource};
use crate::wire::relay::RunTurn;

/// The parts. Plain handles; whoever builds them decides what is behind them.
pub struct Services {
    /// Runs one question through the pipeline.
    pub run_turn: RunTurn,
    /// Where conversations live.
    pub store: Arc<dyn ConversationStore>,
    /// The schema as the policy lets it be seen.
    pub schema: SchemaSource,
    /// What `/readyz` asks.
    pub checks: Vec<Check>,
}
