//! A conversation's log while an import adds to it.

use parlour_core::{
    ConversationId, Epoch, Seq,
    model::{ConversationKind, Millis},
    port::store::transfer::ImportReport,
};

use crate::sqlite::{
    db::Db,
    rows::{self, int, number, seq},
};

/// The end of a log, and what is to be written of it.
pub(super) struct Log {
    pub(super) id: ConversationId,
    pub(super) kind: ConversationKind,
    pub(super) last_seq: Seq,
    pub(super) receipts: u64,
    pub(super) created_at: Millis,
    pub(super) active_at: Millis,
    pub(super) latest_at: Millis,
    /// It was changed elsewhere than at its end.
    pub(super) relived: bool,
    epoch: Epoch,
    changed: bool,
}

impl Log {
    pub(super) fn load(db: &Db, id: ConversationId) -> rusqlite::Result<Self> {
        let log = db.one(
            "SELECT kind, last_seq, receipts, created_at, active_at, latest_at, epoch \
             FROM conversations WHERE id = ?1",
            [int(id.0)],
            |row| {
                Ok(Self {
                    id,
                    kind: rows::read_conversation_kind(row, 0)?,
                    last_seq: seq(row, 1)?,
                    receipts: number(row, 2)?,
                    created_at: row.get(3)?,
                    active_at: row.get(4)?,
                    latest_at: row.get(5)?,
                    epoch: Epoch(number(row, 6)?),
                    relived: false,
                    changed: false,
                })
            },
        )?;
        log.ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    /// Takes the next seq for something of that time.
    pub(super) fn next(&mut self, at: Millis) -> Seq {
        self.last_seq = self.last_seq.next();
        self.latest_at = self.latest_at.max(at);
        self.changed = true;
        self.last_seq
    }

    /// A watermark has moved: the version of that.
    pub(super) const fn next_receipt(&mut self) -> u64 {
        self.receipts += 1;
        self.changed = true;
        self.receipts
    }

    /// Writes what has changed.
    pub(super) fn save(
        &self,
        db: &Db,
        new_epoch: Epoch,
        report: &mut ImportReport,
    ) -> rusqlite::Result<()> {
        if !self.changed && !self.relived {
            return Ok(());
        }
        if self.relived && self.epoch != new_epoch {
            report.relived += 1;
        }
        let epoch = if self.relived { new_epoch } else { self.epoch };
        db.run(
            "UPDATE conversations SET last_seq = ?2, receipts = ?3, created_at = ?4, active_at = ?5, \
               latest_at = ?6, epoch = ?7 WHERE id = ?1",
            (
                int(self.id.0),
                int(self.last_seq.0),
                int(self.receipts),
                self.created_at,
                self.active_at,
                self.latest_at,
                int(epoch.0),
            ),
        )?;
        Ok(())
    }
}
