//! How far appends have moved logs and marks in the running transaction.
//!
//! A burst moves the same ones again and again. So an append only notes it here, and it is written once for each conversation
//! and each of those who spoke: when the transaction ends, or before a step that is no append and may look.

use std::mem;

use parlour_core::{ConversationId, Seq, UserId, model::Millis};

use super::{
    db::Db,
    facts::{Head, View},
    rows::int,
};

/// See the module. Empty outside of a transaction, but for the room that earlier ones needed.
///
/// It holds no more than a batch: to look through it costs less than to look up where something is.
#[derive(Default)]
pub(super) struct Unwritten {
    logs: Vec<Log>,
    marks: Vec<Mark>,
}

struct Log {
    conversation: ConversationId,
    /// Where it ends in its row.
    before: Seq,
    /// Where it ends.
    last: Seq,
    latest_at: Millis,
}

/// How far one who spoke has read.
struct Mark {
    conversation: ConversationId,
    user: UserId,
    up_to: Seq,
}

impl Unwritten {
    /// The log ends with a message now.
    pub(super) fn append(
        &mut self,
        conversation: ConversationId,
        head: &Head,
        before: Seq,
    ) -> rusqlite::Result<()> {
        let &Head { last_seq: last, latest_at, .. } = head;
        let Some(log) = self.logs.iter_mut().find(|log| log.conversation == conversation) else {
            self.logs.push(Log { conversation, before, last, latest_at });
            return Ok(());
        };
        if log.last != before {
            // No two Changes get one seq (guarantee G4), whatever was believed of the log.
            return Err(rusqlite::Error::StatementChangedRows(0));
        }
        (log.last, log.latest_at) = (last, latest_at);
        Ok(())
    }

    /// Somebody has read up to what he has said himself.
    pub(super) fn read(&mut self, conversation: ConversationId, user: &UserId, up_to: Seq) {
        let is_his = |mark: &&mut Mark| mark.conversation == conversation && mark.user == *user;
        match self.marks.iter_mut().find(is_his) {
            Some(mark) => mark.up_to = up_to,
            None => self.marks.push(Mark { conversation, user: user.clone(), up_to }),
        }
    }

    /// Adds it to what was read from the tables.
    pub(super) fn apply(&self, view: &mut View) {
        let conversation = view.conversation;
        if let Some(log) = self.logs.iter().find(|log| log.conversation == conversation) {
            view.head.last_seq = log.last;
            view.head.latest_at = log.latest_at;
        }
        let is_his = |mark: &&Mark| mark.conversation == conversation && mark.user == view.user;
        if let (Some(mine), Some(mark)) = (&mut view.place.mine, self.marks.iter().find(is_his)) {
            mine.watermark.delivered = mark.up_to;
            mine.watermark.read = mark.up_to;
        }
    }

    /// Forgets what is written or taken back.
    pub(super) fn forget(&mut self) {
        self.logs.clear();
        self.marks.clear();
    }

    fn write(&self, db: &Db) -> rusqlite::Result<()> {
        for Log { conversation, before, last, latest_at } in &self.logs {
            let moved = db.run(
                "UPDATE conversations SET last_seq = ?2, active_at = ?3, latest_at = ?3 \
                 WHERE id = ?1 AND last_seq = ?4",
                (int(conversation.0), int(last.0), latest_at, int(before.0)),
            )?;
            if moved != 1 {
                // Guarantee G4 again.
                return Err(rusqlite::Error::StatementChangedRows(moved));
            }
        }
        for Mark { conversation, user, up_to } in &self.marks {
            db.run(
                "UPDATE participants SET delivered_seq = ?3, read_seq = ?3 \
                 WHERE conversation = ?1 AND user = ?2",
                (int(conversation.0), user.as_str(), int(up_to.0)),
            )?;
        }
        Ok(())
    }
}

/// Writes everything. After an error the transaction must be rolled back.
pub(super) fn write_down(db: &Db) -> rusqlite::Result<()> {
    let mut all = mem::take(&mut *db.unwritten());
    let written = all.write(db);
    all.forget();
    *db.unwritten() = all;
    written
}
