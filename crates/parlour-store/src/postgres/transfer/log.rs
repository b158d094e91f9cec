//! Conversations' logs while an import adds to them.

use std::collections::BTreeMap;

use parlour_core::{
    ConversationId, Epoch, Seq,
    model::{ConversationKind, Millis},
    port::store::transfer::ImportReport,
};

use crate::postgres::{
    batch::Tx,
    db::{Db, Failure, Step},
    rows::{int, integer, number, read_conversation_kind, seq},
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
    pub(super) async fn load(db: &Db, id: ConversationId) -> Step<Self> {
        let mut logs = Self::load_all(db, &[int(id.0)]).await?;
        logs.remove(&id).ok_or(Failure::Again)
    }

    /// Takes the rows of these conversations.
    pub(super) async fn load_all(db: &Db, ids: &[i64]) -> Step<BTreeMap<ConversationId, Self>> {
        let logs = db
            .all(
                "SELECT id, kind, last_seq, receipts, created_at, active_at, latest_at, epoch \
                 FROM conversations WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE",
                &[&ids],
                |row| {
                    let id = ConversationId(number(row, 0)?);
                    let log = Self {
                        id,
                        kind: read_conversation_kind(row, 1)?,
                        last_seq: seq(row, 2)?,
                        receipts: number(row, 3)?,
                        created_at: integer(row, 4)?,
                        active_at: integer(row, 5)?,
                        latest_at: integer(row, 6)?,
                        epoch: Epoch(number(row, 7)?),
                        relived: false,
                        changed: false,
                    };
                    Ok((id, log))
                },
            )
            .await?;
        Ok(logs.into_iter().collect())
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
    pub(super) async fn save(
        &self,
        tx: &mut Tx,
        new_epoch: Epoch,
        report: &mut ImportReport,
    ) -> Step<()> {
        if !self.changed && !self.relived {
            return Ok(());
        }
        if self.relived && self.epoch != new_epoch {
            report.relived += 1;
        }
        let epoch = if self.relived { new_epoch } else { self.epoch };
        tx.send(
            "UPDATE conversations SET last_seq = $2, receipts = $3, created_at = $4, active_at = $5, \
               latest_at = $6, epoch = $7 WHERE id = $1",
            &[
                &int(self.id.0),
                &int(self.last_seq.0),
                &int(self.receipts),
                &self.created_at,
                &self.active_at,
                &self.latest_at,
                &int(epoch.0),
            ],
        )
        .await
    }
}
