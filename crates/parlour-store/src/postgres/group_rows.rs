//! Writes what was decided for a group.

use parlour_core::{ClientId, model::Message};

use super::{
    batch::Tx,
    db::Step,
    decisions::Decisions,
    directs,
    rows::{int, message_kind},
    users,
};

/// All rows in one statement: its parts write different tables, and none sees what another writes.
const ROWS: &str = "WITH said AS ( \
       INSERT INTO messages (id, conversation, seq, change_seq, sender, client_id, content_hash, kind, text, metadata, \
         reply_to, created_at) \
       SELECT k.id, k.conversation, k.seq, k.seq, k.sender, k.client_id, k.content_hash, k.kind, k.text, k.metadata, \
         k.reply_to, k.created_at \
       FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bytea[], $7::bigint[], \
         $8::text[], $9::text[], $10::bigint[], $11::bigint[]) \
         AS k (id, conversation, seq, sender, client_id, content_hash, kind, text, metadata, reply_to, created_at)), \
     heads AS ( \
       UPDATE conversations c \
       SET last_seq = k.last_seq, receipts = k.receipts, latest_at = k.latest_at, \
         active_at = coalesce(k.active_at, c.active_at) \
       FROM unnest($12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[]) \
         AS k (id, last_seq, receipts, latest_at, active_at) \
       WHERE c.id = k.id) \
     UPDATE participants p \
     SET delivered_seq = k.delivered, read_seq = k.read, \
       receipt_version = coalesce(k.version, p.receipt_version), receipt_at = coalesce(k.at, p.receipt_at) \
     FROM unnest($17::bigint[], $18::text[], $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[]) \
       AS k (conversation, user_id, delivered, read, version, at) \
     WHERE p.conversation = k.conversation AND p.user_id = k.user_id";

impl Decisions {
    /// Sends what is to be written.
    pub(super) async fn write(&self, tx: &mut Tx) -> Step<()> {
        for (user, now) in &self.new_users {
            users::ensure(tx, user, *now).await?;
        }
        self.write_rows(tx).await?;
        for (view, subject) in &self.subjects {
            directs::adopt_subject(tx, view, subject).await?;
        }
        Ok(())
    }

    async fn write_rows(&self, tx: &mut Tx) -> Step<()> {
        let changed: Vec<_> =
            self.known.conversations.iter().filter(|(_, found)| found.is_changed).collect();
        // What is said or published changes its conversation, and only what is said moves a mark silently.
        if changed.is_empty() {
            return Ok(());
        }
        let numbers = |of: fn(&Message) -> i64| -> Vec<i64> {
            self.messages.iter().map(|new| of(&new.message)).collect()
        };
        let texts = |of: fn(&Message) -> Option<&str>| -> Vec<Option<&str>> {
            self.messages.iter().map(|new| of(&new.message)).collect()
        };
        let senders: Vec<&str> =
            self.messages.iter().map(|new| new.message.sender.id.as_str()).collect();
        let hashes: Vec<[u8; 32]> = self.messages.iter().map(|new| new.hash).collect();
        let replies: Vec<Option<i64>> =
            self.messages.iter().map(|new| new.message.reply_to.map(|id| int(id.0))).collect();

        let ids: Vec<i64> = changed.iter().map(|(id, _)| int(id.0)).collect();
        let seqs: Vec<i64> = changed.iter().map(|(_, found)| int(found.last_seq.0)).collect();
        let receipts: Vec<i64> = changed.iter().map(|(_, found)| int(found.receipts)).collect();
        let latest: Vec<i64> = changed.iter().map(|(_, found)| found.latest_at).collect();
        let active: Vec<Option<i64>> = changed.iter().map(|(_, found)| found.active_at).collect();

        let (places, users): (Vec<i64>, Vec<&str>) =
            self.moved.keys().map(|(id, user)| (int(id.0), user.as_str())).unzip();
        let (delivered, read): (Vec<i64>, Vec<i64>) = self
            .moved
            .values()
            .map(|moved| (int(moved.to.delivered.0), int(moved.to.read.0)))
            .unzip();
        let (versions, times): (Vec<Option<i64>>, Vec<Option<i64>>) = self
            .moved
            .values()
            .map(|moved| (moved.told.map(|told| int(told.0)), moved.told.map(|told| told.1)))
            .unzip();
        tx.send(
            ROWS,
            &[
                &numbers(|message| int(message.id.0)),
                &numbers(|message| int(message.conversation.0)),
                &numbers(|message| int(message.seq.0)),
                &senders,
                &texts(|message| message.client_id.as_ref().map(ClientId::as_str)),
                &hashes,
                &numbers(|message| message_kind(message.kind)),
                &texts(|message| message.content.as_ref().map(|content| &*content.text)),
                &texts(|message| message.content.as_ref()?.metadata.as_deref()),
                &replies,
                &numbers(|message| message.created_at),
                &ids,
                &seqs,
                &receipts,
                &latest,
                &active,
                &places,
                &users,
                &delivered,
                &read,
                &versions,
                &times,
            ],
        )
        .await
    }
}
