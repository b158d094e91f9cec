//! What the host knows of reading becomes watermarks.

use parlour_core::port::store::transfer::{Fault, ReadUpTo};

use super::{
    history::{Batch, Group},
    log::Log,
    messages,
};
use crate::sqlite::{
    db::{Db, Step},
    rows::{self, int, seq},
};
use crate::transfer::Marks;

/// Moves the watermarks of a conversation to what the batch tells.
pub(super) fn move_marks(
    db: &Db,
    batch: &mut Batch<'_>,
    log: &mut Log,
    group: &Group<'_>,
) -> Step<()> {
    let mut marks = Marks::default();
    for (seq, message) in &group.placed {
        marks.message(*seq, message);
    }
    for (id, message, _) in &group.known {
        if let Some(seq) = messages::seq_by_id(db, *id)? {
            marks.message(seq, message);
        }
    }
    for (index, read) in &group.reads {
        let up_to = match &read.up_to {
            ReadUpTo::Message(host_id) => {
                match messages::seq_of(db, &batch.options.source, log.id, host_id)? {
                    Some(seq) => seq,
                    None => {
                        batch.fault(*index, Fault::NoMessage(host_id.clone()));
                        continue;
                    }
                }
            }
            ReadUpTo::Time(time) => db
                .one(
                    "SELECT seq FROM messages WHERE conversation = ?1 AND created_at <= ?2 \
                     ORDER BY seq DESC LIMIT 1",
                    (int(log.id.0), time),
                    |row| rows::seq(row, 0),
                )?
                .unwrap_or_default(),
        };
        marks.raise(&read.user, up_to);
    }
    let moved = db
        .all(
            "SELECT user, read_seq FROM participants WHERE conversation = ?1",
            [int(log.id.0)],
            |row| Ok((rows::user_id(row, 0)?, seq(row, 1)?)),
        )?
        .into_iter()
        .filter(|(user, read)| marks.of(user) > *read);
    for (user, _) in moved {
        let version = log.next_receipt();
        db.run(
            "UPDATE participants SET read_seq = ?3, delivered_seq = max(delivered_seq, ?3), \
               receipt_version = ?4, receipt_at = ?5 WHERE conversation = ?1 AND user = ?2",
            (int(log.id.0), user.as_str(), int(marks.of(&user).0), int(version), log.latest_at),
        )?;
    }
    Ok(())
}
