//! What has arrived at a user's sockets moves his delivered marks: many conversations in a few round trips.

use parlour_core::{
    ConversationId, Epoch, Seq,
    event::{Envelope, Event},
    model::Watermark,
    port::store::Context,
};

use super::{
    batch::Tx,
    db::Step,
    rows::{int, integer, number, seq},
};

/// A mark that is to move.
struct Behind {
    conversation: ConversationId,
    epoch: Epoch,
    receipts: u64,
    latest_at: i64,
    from: Watermark,
    up_to: Seq,
}

/// Moves the actor's delivered marks in these conversations, where he is a participant and has not got so far yet, and
/// publishes a Receipt for each that moved.
pub(super) async fn receive(
    tx: &mut Tx,
    context: &Context,
    conversations: &[i64],
    seqs: &[i64],
) -> Step<()> {
    let user = &context.actor.user;
    // Locked in the order of conversations, as everywhere.
    let behind = tx
        .db
        .all(
            "SELECT c.id, c.epoch, c.receipts, c.latest_at, p.delivered_seq, p.read_seq, \
               least(r.seq, c.last_seq) \
             FROM unnest($2::bigint[], $3::bigint[]) AS r (conversation, seq) \
               JOIN conversations c ON c.id = r.conversation \
               JOIN participants p ON p.conversation = c.id AND p.user_id = $1 \
             WHERE p.delivered_seq < least(r.seq, c.last_seq) \
             ORDER BY c.id FOR NO KEY UPDATE OF c, p",
            &[&user.as_str(), &conversations, &seqs],
            |row| {
                Ok(Behind {
                    conversation: ConversationId(number(row, 0)?),
                    epoch: Epoch(number(row, 1)?),
                    receipts: number(row, 2)?,
                    latest_at: integer(row, 3)?,
                    from: Watermark { delivered: seq(row, 4)?, read: seq(row, 5)? },
                    up_to: seq(row, 6)?,
                })
            },
        )
        .await?;
    if behind.is_empty() {
        return Ok(());
    }
    let mut columns: [Vec<i64>; 4] = Default::default();
    for Behind { conversation, epoch, receipts, latest_at, from, up_to } in behind {
        let (version, at) = (receipts + 1, context.now.max(latest_at));
        let values = [int(conversation.0), int(up_to.0), int(version), at];
        columns.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
        let to = Watermark { delivered: up_to, ..from };
        tx.publish(Envelope {
            conversation: Some(conversation),
            epoch,
            seq: None,
            at,
            origin: context.origin,
            event: Event::Receipt { user: user.clone(), from, to, version, covered: [].into() },
        });
    }
    let [ids, delivered, versions, times] = columns;
    tx.send(
        "UPDATE participants p SET delivered_seq = m.delivered, receipt_version = m.version, \
               receipt_at = m.at \
             FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) \
               AS m (conversation, delivered, version, at) \
             WHERE p.conversation = m.conversation AND p.user_id = $1",
        &[&user.as_str(), &ids, &delivered, &versions, &times],
    )
    .await?;
    tx
        .send(
            "UPDATE conversations c SET receipts = m.version \
             FROM unnest($1::bigint[], $2::bigint[]) AS m (conversation, version) WHERE c.id = m.conversation",
            &[&ids, &versions],
        )
        .await
}
