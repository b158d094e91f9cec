//! What a client missed that cannot say so itself: each message once, as it is now, where it was said.

use std::{collections::BTreeMap, sync::Arc};

use parlour_core::{
    ConversationId, Position, Result, Seq,
    command::ResyncReason,
    event::{Durability, Envelope, Event},
    ids::MAX_INTEGER,
    model::Membership,
};
use parlour_wire::{Audience, Notice};

use super::{Gateway, conn::Conn, frames::Frames, send_queue::Item};

/// Most Changes of one conversation that are sent on return; of more, the newest.
const MOST_CHANGES: u64 = 200;

/// So many are put into the queue before its reader is waited for.
const AT_ONCE: usize = 50;

/// Further than any log goes.
const END_OF_LOG: Seq = Seq(MAX_INTEGER);

/// Sends what one conversation has that the client lacks; `from` is `None` for one that is new to it. Gives the seq
/// up to which it has everything now: live events follow from there.
///
/// That may be past the end that `own` tells of. What was said before that end and edited after it lies in the log
/// where it was edited, so a reading that stopped at the end would leave it out, and live only its edit would come.
pub(super) async fn send(
    gateway: &Gateway,
    conn: &Arc<Conn>,
    own: &Membership,
    from: Option<Position>,
) -> Result<Seq> {
    let (conversation, end) = (own.conversation, own.last_seq);
    let (start, reason) = match from {
        Some(position) if position.epoch != own.epoch => (None, ResyncReason::Epoch),
        Some(position) => (Some(position.seq), ResyncReason::TooLong),
        None => (Some(own.joined_seq), ResyncReason::TooLong),
    };
    let newest = Seq(end.0.saturating_sub(MOST_CHANGES));
    let start = match start {
        Some(start) if start >= newest => start,
        _ => {
            gateway.metrics.resyncs.inc();
            conn.notify_ahead(Notice::Resync(conversation, reason));
            newest
        }
    };
    if start >= end {
        return Ok(end);
    }
    let missed = read(gateway, conn, conversation, start).await?;
    let covered = missed.covered.max(end);
    let changes = missed.in_order();
    for part in changes.chunks(AT_ONCE) {
        gateway.hub.with_scene(Some(conversation), |scene| {
            let items = part.iter().flat_map(|(mark, envelope)| {
                let dialect = conn.dialect();
                let audience = audience(conn, envelope);
                let frames = Frames::of(|out| dialect.encode(envelope, audience, scene, out));
                conn.addressed(frames).into_iter().map(|frame| Item {
                    frame,
                    durability: Durability::Durable,
                    mark: Some((conversation, *mark)),
                    track: conn.track.clone(),
                })
            });
            conn.send_items(items.collect::<Vec<_>>());
        });
        conn.link.writable().await;
    }
    Ok(covered)
}

async fn read(
    gateway: &Gateway,
    conn: &Conn,
    conversation: ConversationId,
    start: Seq,
) -> Result<Missed> {
    let limit = gateway.limits.resume_page;
    let mut missed = Missed { start, covered: start, changes: BTreeMap::new() };
    loop {
        let (viewer, after) = (Some(conn.user.clone()), missed.covered);
        let store = gateway.chat.store();
        let page = store.replay(viewer, conversation, after, END_OF_LOG, limit).await?;
        let is_last = page.envelopes.len() < limit || page.covered <= after;
        missed.covered = page.covered.max(after);
        for envelope in page.envelopes {
            missed.add(envelope);
        }
        if is_last {
            return Ok(missed);
        }
    }
}

/// Whether the client's own user or somebody else is whose message it is.
fn audience(conn: &Conn, envelope: &Envelope) -> Audience {
    let own = envelope.event.message().is_some_and(|message| message.sender.id == conn.user);
    if own { Audience::Sender } else { Audience::Others }
}

/// What was missed of one conversation.
struct Missed {
    /// The client has everything up to here.
    start: Seq,
    /// The log has been read up to here.
    covered: Seq,
    /// By the place where the client is told: of what was said, the seq at which it was said; of deletions, and of edits
    /// of what it knows, theirs.
    changes: BTreeMap<Seq, Envelope>,
}

impl Missed {
    fn add(&mut self, mut envelope: Envelope) {
        let (Some(seq), Some(message)) = (envelope.seq, envelope.event.message().cloned()) else {
            return;
        };
        let is_known = message.seq <= self.start;
        let place = match envelope.event {
            _ if is_known => seq,
            // It may be known all the same: it had arrived, but its pong had not. Then it must go from the screen.
            Event::MessageDeleted(_) => {
                self.changes.remove(&message.seq);
                seq
            }
            _ => {
                envelope.event = Event::MessageCreated(message.clone());
                message.seq
            }
        };
        self.changes.insert(place, envelope);
    }

    /// The Changes, each with the seq up to which its arrival proves that everything has arrived.
    ///
    /// That is the place at which it is told, not where a message was edited: later ones come after it. The last of
    /// several proves all that was read; a single one does not, so that it is still told as something new when it
    /// has no proof and a newer socket begins before it.
    fn in_order(self) -> Vec<(Seq, Envelope)> {
        let covered = self.covered;
        let mut changes: Vec<_> = self.changes.into_iter().collect();
        if let [_, .., (mark, _)] = &mut changes[..] {
            *mark = covered.max(*mark);
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use parlour_core::{
        Epoch, MessageId,
        model::{Content, Message, MessageKind, Profile},
        testing,
    };

    use super::*;

    /// What was said at a seq, and changed at another.
    fn message(seq: u64, change_seq: u64, text: Option<&str>) -> Arc<Message> {
        Arc::new(Message {
            id: MessageId(seq),
            conversation: ConversationId(1),
            seq: Seq(seq),
            change_seq: Seq(change_seq),
            sender: Arc::new(Profile::bare(testing::user("2"))),
            client_id: None,
            kind: MessageKind::Text,
            content: text.map(|text| Content { text: text.into(), metadata: None }),
            reply_to: None,
            created_at: 0,
            edited_at: None,
            deleted_at: None,
        })
    }

    fn missed(start: u64, events: &[Event]) -> Vec<(u64, String)> {
        let mut missed =
            Missed { start: Seq(start), covered: Seq(start), changes: BTreeMap::new() };
        for event in events {
            let seq = event.message().map(|message| message.change_seq);
            missed.covered = seq.unwrap_or(missed.covered);
            missed.add(Envelope {
                conversation: Some(ConversationId(1)),
                epoch: Epoch(1),
                seq,
                at: 0,
                origin: None,
                event: event.clone(),
            });
        }
        let told = |event: &Event| match event {
            Event::MessageCreated(message) => format!("said {}", message.seq.0),
            Event::MessageEdited(message) => format!("edited {}", message.seq.0),
            Event::MessageDeleted(message) => format!("deleted {}", message.seq.0),
            other => format!("{other:?}"),
        };
        missed.in_order().iter().map(|(mark, change)| (mark.0, told(&change.event))).collect()
    }

    fn said(seq: u64) -> Event {
        Event::MessageCreated(message(seq, seq, Some("said")))
    }

    fn edited(seq: u64, at: u64) -> Event {
        Event::MessageEdited(message(seq, at, Some("edited")))
    }

    fn deleted(seq: u64, at: u64) -> Event {
        Event::MessageDeleted(message(seq, at, None))
    }

    #[test]
    fn g4_g6_each_message_is_told_where_it_was_said() {
        let check = |start, events: &[Event], expected: &[(u64, &str)]| {
            let expected: Vec<_> =
                expected.iter().map(|(mark, told)| (*mark, (*told).to_owned())).collect();
            assert_eq!(missed(start, events), expected);
        };
        check(4, &[], &[]);
        check(4, &[said(5), said(6)], &[(5, "said 5"), (6, "said 6")]);
        check(4, &[said(6), edited(5, 7)], &[(5, "said 5"), (7, "said 6")]);
        check(
            4,
            &[edited(3, 5), said(6), deleted(2, 7)],
            &[(5, "edited 3"), (6, "said 6"), (7, "deleted 2")],
        );
    }

    #[test]
    fn g5_a_single_message_is_proved_as_what_was_said() {
        assert_eq!(missed(4, &[edited(5, 9)]), [(5, "said 5".to_owned())]);
    }

    #[test]
    fn g6_g21_what_changes_while_pages_are_read_comes_once_and_as_it_is_then() {
        assert_eq!(
            missed(4, &[said(5), said(6), edited(5, 7)]),
            [(5, "said 5".to_owned()), (7, "said 6".to_owned())]
        );
        assert_eq!(
            missed(4, &[said(5), said(6), deleted(5, 7)]),
            [(6, "said 6".to_owned()), (7, "deleted 5".to_owned())]
        );
    }
}
