//! The transaction that a writing step runs in, and what steps leave behind beside their rows.

use std::sync::{Mutex, PoisonError};

use parlour_core::event::Envelope;

use super::{
    db::{Db, Failure, Sent, Step},
    params::Param,
};

/// The transaction that a step runs in.
pub(super) struct Tx {
    /// Its connection.
    pub(super) db: Db,
    effects: Effects,
    /// Never locked: it makes this one shareable between threads, as a reference.
    later: Mutex<Vec<Sent>>,
}

/// What steps leave behind beside their rows; nothing of it counts before the commit.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) envelopes: Vec<Envelope>,
    pub(super) duplicates: u64,
}

impl Tx {
    pub(super) fn new(db: Db) -> Self {
        Self { db, effects: Effects::default(), later: Mutex::default() }
    }

    /// Sends a statement whose answer nobody needs: that it worked is looked at with the commit.
    pub(super) async fn send(&mut self, sql: &str, params: &[&dyn Param]) -> Step<()> {
        let sent = self.db.send(sql, params).await?;
        self.later.get_mut().unwrap_or_else(PoisonError::into_inner).push(sent);
        Ok(())
    }

    /// What [`Self::send`] has sent.
    pub(super) fn take_later(&mut self) -> Vec<Sent> {
        std::mem::take(self.later.get_mut().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes over what another one of the same transaction leaves behind.
    pub(super) fn absorb(&mut self, mut other: Self) {
        let later = self.later.get_mut().unwrap_or_else(PoisonError::into_inner);
        later.append(&mut other.take_later());
        self.effects.envelopes.append(&mut other.effects.envelopes);
        self.effects.duplicates += other.effects.duplicates;
    }

    /// What a failure comes from that only says that something failed before it, if that was sent by [`Self::send`].
    pub(super) async fn cause(&mut self, failure: Failure) -> Failure {
        if failure.is_of_another() {
            for sent in self.take_later() {
                if let Err(error) = sent.done().await {
                    return error.into();
                }
            }
        }
        failure
    }

    /// Goes to the sink after the commit.
    pub(super) fn publish(&mut self, envelope: Envelope) {
        self.effects.envelopes.push(envelope);
    }

    /// A send whose client id was known.
    pub(super) const fn count_duplicate(&mut self) {
        self.effects.duplicates += 1;
    }

    pub(super) const fn effects(&self) -> &Effects {
        &self.effects
    }

    pub(super) fn into_effects(self) -> Effects {
        self.effects
    }
}
