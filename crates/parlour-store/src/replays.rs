//! A part of a log, put together from the messages and the other Changes in it, as every store reads them.

use std::sync::Arc;

use parlour_core::{
    ConversationId, Epoch, Seq,
    event::{Envelope, Event},
    model::{Message, Millis},
    port::store::Replay,
};

/// The part of a log that is asked for.
pub(crate) struct Range {
    pub(crate) conversation: ConversationId,
    pub(crate) epoch: Epoch,
    pub(crate) after: Seq,
    /// Everything up to here was looked at, or as much as was asked for.
    pub(crate) end: Seq,
    /// Most Changes.
    pub(crate) most: usize,
}

impl Range {
    /// Of the messages whose last change lies in the range, and of the other Changes, in the order of their seqs.
    /// Where there are more than asked for, at least one more is given.
    pub(crate) fn replay(
        &self,
        messages: impl IntoIterator<Item = Message>,
        others: impl IntoIterator<Item = (Seq, Millis, Event)>,
    ) -> Replay {
        let mut messages = messages.into_iter().peekable();
        let mut others = others.into_iter().peekable();
        let mut envelopes: Vec<Envelope> = Vec::new();
        let mut covered = self.end;
        loop {
            let message_next = match (messages.peek(), others.peek()) {
                (None, None) => break,
                (Some(message), Some(other)) => message.change_seq < other.0,
                (message, _) => message.is_some(),
            };
            if envelopes.len() >= self.most {
                // Everything up to the last that fits; the rest is asked for from there.
                covered = envelopes.last().and_then(|last| last.seq).unwrap_or(self.after);
                break;
            }
            let next = if message_next {
                messages.next().map(|message| of_message(message, self.after))
            } else {
                others.next()
            };
            envelopes.extend(next.map(|(seq, at, event)| self.envelope(seq, at, event)));
        }
        Replay { envelopes, covered }
    }

    const fn envelope(&self, seq: Seq, at: Millis, event: Event) -> Envelope {
        Envelope {
            conversation: Some(self.conversation),
            epoch: self.epoch,
            seq: Some(seq),
            at,
            origin: None,
            event,
        }
    }
}

/// What somebody is told of a message who has seen everything up to a seq.
fn of_message(message: Message, after: Seq) -> (Seq, Millis, Event) {
    let seq = message.change_seq;
    let at = message.deleted_at.or(message.edited_at).unwrap_or(message.created_at);
    let is_new = message.seq > after;
    let is_deleted = message.deleted_at.is_some();
    let message = Arc::new(message);
    let event = if is_deleted {
        Event::MessageDeleted(message)
    } else if is_new {
        Event::MessageCreated(message)
    } else {
        Event::MessageEdited(message)
    };
    (seq, at, event)
}
