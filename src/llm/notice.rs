//! What a call tells while it is under way and before its first words: that it waits, that it is let in, and who answers.

use tokio::sync::mpsc;

use crate::domain::usage::ModelName;

/// Most notices that one call has: it waits and is let in at two providers, and each begins to answer.
const NOTICES_MAX: usize = 8;

/// One thing that a caller may want to tell a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallNotice {
    /// All of the provider's places are taken; the call stands in its queue.
    Queued,
    /// It has a place.
    Admitted,
    /// This model is at work on the reply. A later one takes the place of an earlier one that has failed.
    Answering(ModelName),
}

/// Where a call's notices go. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CallNotices {
    sender: Option<mpsc::Sender<CallNotice>>,
}

impl CallNotices {
    /// For a caller that does not want to know.
    #[must_use]
    pub fn unheard() -> Self {
        Self { sender: None }
    }

    /// For one call, with the end at which its notices arrive.
    #[must_use]
    pub fn channel() -> (Self, mpsc::Receiver<CallNotice>) {
        let (sender, receiver) = mpsc::channel(NOTICES_MAX);
        let sender = Some(sender);
        (Self { sender }, receiver)
    }

    pub(super) fn tell(&self, notice: CallNotice) {
        if let Some(sender) = &self.sender {
            // There is always room, and a caller that has stopped listening misses nothing.
            let _ = sender.try_send(notice);
        }
    }
}
