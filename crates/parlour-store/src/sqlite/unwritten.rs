//! How far appends have moved logs and marks in the running transaction.
//!
//! A burst moves the same ones again and again. So an append only notes it here, and it is written once for each conversation
//! and each of those who spoke: when the transaction ends, or before a step that is no append and may look.

use std::{collections::BTreeMap, mem};

use parlour_core::{ConversationId, Seq, UserId, model::Millis};

use super::{
    db::Db,
    facts::{Head, View},
    rows::int,
};

/// See the module. Empty outside of a transaction.
#[derive(Default)]
pub(super) struct Unwritten(BTreeMap<ConversationId, Moved>);

struct Moved {
    /// Where the log ends in its row.
    before: Seq,
    /// Where it ends.
    last: Seq,
    latest_at: Millis,
    /// How far those who spoke have read.
    marks: Vec<(UserId, Seq)>,
}

impl Unwritten {
    /// The log ends with a message now, of one who has read it up to there.
    pub(super) fn append(
        &mut self,
        conversation: ConversationId,
        head: &Head,
        before: Seq,
    ) -> rusqlite::Result<()> {
        let moved = self.0.entry(conversation).or_insert_with(|| Moved {
            before,
            last: before,
            latest_at: head.latest_at,
            marks: Vec::new(),
        });
        if moved.last != before {
            // No two Changes get one seq (guarantee G4), whatever was believed of the log.
            return Err(rusqlite::Error::StatementChangedRows(0));
        }
        moved.last = head.last_seq;
        moved.latest_at = head.latest_at;
        Ok(())
    }

    /// Somebody has read what there is, because he has said something.
    pub(super) fn read(&mut self, conversation: ConversationId, user: &UserId) {
        let Some(moved) = self.0.get_mut(&conversation) else { return };
        match moved.marks.iter_mut().find(|(reader, _)| reader == user) {
            Some((_, up_to)) => *up_to = moved.last,
            None => moved.marks.push((user.clone(), moved.last)),
        }
    }

    /// Adds it to what was read from the tables.
    pub(super) fn apply(&self, view: &mut View) {
        let Some(moved) = self.0.get(&view.conversation) else { return };
        view.head.last_seq = moved.last;
        view.head.latest_at = moved.latest_at;
        let mark = moved.marks.iter().find(|(reader, _)| *reader == view.user);
        if let (Some(mine), Some((_, up_to))) = (&mut view.place.mine, mark) {
            mine.watermark.delivered = *up_to;
            mine.watermark.read = *up_to;
        }
    }

    /// Forgets what is taken back.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

/// Writes everything. After an error the transaction must be rolled back.
pub(super) fn write_down(db: &Db) -> rusqlite::Result<()> {
    let all = mem::take(&mut db.unwritten().0);
    for (conversation, Moved { before, last, latest_at, marks }) in all {
        let conversation = int(conversation.0);
        let moved = db.run(
            "UPDATE conversations SET last_seq = ?2, active_at = ?3, latest_at = ?3 \
             WHERE id = ?1 AND last_seq = ?4",
            (conversation, int(last.0), latest_at, int(before.0)),
        )?;
        if moved != 1 {
            // Guarantee G4 again.
            return Err(rusqlite::Error::StatementChangedRows(moved));
        }
        for (user, up_to) in marks {
            db.run(
                "UPDATE participants SET delivered_seq = ?3, read_seq = ?3 \
                 WHERE conversation = ?1 AND user = ?2",
                (conversation, user.as_str(), int(up_to.0)),
            )?;
        }
    }
    Ok(())
}
