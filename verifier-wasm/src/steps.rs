//! Decides which step of a verification a message belongs to, for progress, times and drawings. The verdict knows nothing of it.

use serde_json::{Value, json};
use zkllm_verifier::channel::{Ask, Sumcheck};

/// The steps, in the order in which they first occur.
pub const STEPS: [&str; 6] = ["commitments", "lookups", "products", "columns", "opening", "ledger"];

/// The step of a message: its place in [`STEPS`].
fn step(ask: &Ask<'_>) -> usize {
    match ask {
        Ask::Chunk(_) => 0,
        Ask::Root { .. }
        | Ask::Round { of: Sumcheck::Tree { .. }, .. }
        | Ask::End { of: Sumcheck::Tree { .. }, .. } => 1,
        Ask::Products(_)
        | Ask::Round { of: Sumcheck::Products(_), .. }
        | Ask::End { of: Sumcheck::Products(_), .. } => 2,
        Ask::Round { of: Sumcheck::Opening { .. }, .. }
        | Ask::End { of: Sumcheck::Opening { .. }, .. }
        | Ask::Opened { .. } => 3,
        Ask::Dory(_) => 4,
        _ => 5,
    }
}

/// What was heard of one verification.
#[derive(Default)]
pub struct Steps {
    /// Bytes and messages of each step.
    totals: [(usize, usize); STEPS.len()],
    /// The step of the message that is being read, and the bytes unread before it.
    last: Option<(usize, usize)>,
    /// The bytes of the proof.
    total: usize,
}

impl Steps {
    /// A message is about to be read. Gives its step, the bytes read before it, and the bytes of the proof.
    pub fn hear(&mut self, ask: &Ask<'_>, unread: usize) -> (&'static str, usize, usize) {
        let step = step(ask);
        if self.last.is_none() {
            self.total = unread;
        }
        self.read_until(unread);
        self.last = Some((step, unread));
        (STEPS.get(step).copied().unwrap_or("ledger"), self.total.saturating_sub(unread), self.total)
    }

    /// Counts the message that was being read.
    fn read_until(&mut self, unread: usize) {
        let Some((step, before)) = self.last.take() else { return };
        if let Some((bytes, messages)) = self.totals.get_mut(step) {
            *bytes += before.saturating_sub(unread);
            *messages += 1;
        }
    }

    /// The bytes and messages of every step. Of a refused proof, those before the message at which it ended, and the step of that.
    pub fn describe(mut self, proved: bool) -> [(String, Value); 2] {
        let reached = self.last.and_then(|(step, _)| STEPS.get(step)).copied();
        if proved {
            self.read_until(0);
        }
        let steps = STEPS
            .iter()
            .zip(self.totals)
            .map(|(name, (bytes, messages))| json!({ "name": name, "bytes": bytes, "messages": messages }))
            .collect();
        [("steps".into(), steps), ("reached".into(), json!(reached))]
    }
}
