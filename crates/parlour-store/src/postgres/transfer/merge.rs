//! Room in the middle of a log: everything after moves up, and the log begins a new life.

use parlour_core::{
    ConversationId, Seq, UserId, model::Millis, port::store::transfer::HostMessage,
};

use super::log::Log;
use crate::{
    postgres::{
        batch::Tx,
        db::{Db, Step},
        rows::{self, ChangeKind, boolean, int, integer, seq, user_id},
    },
    transfer::{ASIDE, Shift, ascending},
};

/// Moves what is in the log so that messages of these times fit in: how it moved, and their seqs. The messages are in
/// the order of time. A new message comes after everything that is as old as itself.
pub(super) async fn make_room(
    tx: &mut Tx,
    log: &mut Log,
    fresh: &[(usize, &HostMessage)],
) -> Step<(Shift, Vec<Seq>)> {
    let entries = entries(&tx.db, log.id).await?;
    let (shift, places) =
        Shift::plan(&entries, fresh.iter().map(|(_, message)| message.created_at()));
    for (_, message) in fresh {
        let at = message.created_at();
        log.created_at = log.created_at.min(at);
        log.active_at = log.active_at.max(at);
        // Takes one seq for each; which one it gets is decided above.
        log.next(at);
    }
    move_messages(tx, log.id, &shift).await?;
    // Before the Changes, which tell who joined where.
    move_participants(tx, log.id, &shift).await?;
    move_past_memberships(tx, log.id, &shift).await?;
    move_changes(tx, log.id, &shift).await?;
    log.relived = true;
    Ok((shift, places))
}

/// The log as seqs with their times, in order. Superseded seqs may be missing.
async fn entries(db: &Db, id: ConversationId) -> Step<Vec<(Seq, Millis)>> {
    let mut entries = db
        .all(
            "SELECT seq, created_at FROM messages WHERE conversation = $1 \
             UNION ALL SELECT change_seq, coalesce(deleted_at, edited_at, created_at) FROM messages \
               WHERE conversation = $1 AND change_seq > seq \
             UNION ALL SELECT r.seq, r.at FROM revisions r JOIN messages m ON m.id = r.message \
               WHERE m.conversation = $1 AND r.seq > m.seq \
             UNION ALL SELECT seq, at FROM changes WHERE conversation = $1 \
             ORDER BY 1",
            &[&int(id.0)],
            |row| Ok((seq(row, 0)?, integer(row, 1)?)),
        )
        .await?;
    ascending(&mut entries);
    Ok(entries)
}

async fn move_messages(tx: &mut Tx, id: ConversationId, shift: &Shift) -> Step<()> {
    let id = int(id.0);
    for (after, to, by) in shift.ranges() {
        let aside = by + ASIDE;
        // First the last change, which is never before the creation, then the rest.
        tx.send(
            "UPDATE messages SET change_seq = change_seq + $4 \
             WHERE conversation = $1 AND change_seq > $2 AND change_seq <= $3",
            &[&id, &after, &to, &aside],
        )
        .await?;
        tx.send(
            "UPDATE messages SET seq = seq + $4 WHERE conversation = $1 AND seq > $2 AND seq <= $3",
            &[&id, &after, &to, &by],
        )
        .await?;
        tx.send(
            "UPDATE revisions SET seq = seq + $4 WHERE seq > $2 AND seq <= $3 \
             AND message IN (SELECT id FROM messages WHERE conversation = $1)",
            &[&id, &after, &to, &aside],
        )
        .await?;
    }
    tx.send(
        "UPDATE messages SET change_seq = change_seq - $2 WHERE conversation = $1 AND change_seq >= $2",
        &[&id, &ASIDE],
    )
    .await?;
    tx.send(
        "UPDATE revisions SET seq = seq - $2 WHERE seq >= $2 \
         AND message IN (SELECT id FROM messages WHERE conversation = $1)",
        &[&id, &ASIDE],
    )
    .await
}

async fn move_changes(tx: &mut Tx, id: ConversationId, shift: &Shift) -> Step<()> {
    let id = int(id.0);
    for (after, to, by) in shift.ranges() {
        tx.send(
            "UPDATE changes SET seq = seq + $4 WHERE conversation = $1 AND seq > $2 AND seq <= $3",
            &[&id, &after, &to, &(by + ASIDE)],
        )
        .await?;
    }
    let sql = "UPDATE changes SET seq = seq - $2 WHERE conversation = $1 AND seq >= $2";
    tx.send(sql, &[&id, &ASIDE]).await
}

/// Who has seen and read how much: the same things as before.
async fn move_participants(tx: &mut Tx, id: ConversationId, shift: &Shift) -> Step<()> {
    type Seqs = (UserId, Seq, Seq, Seq, Seq);
    let sql = "SELECT user_id, joined_seq, entered_seq, delivered_seq, read_seq FROM participants \
               WHERE conversation = $1";
    let all: Vec<Seqs> = tx
        .db
        .all(sql, &[&int(id.0)], |row| {
            Ok((user_id(row, 0)?, seq(row, 1)?, seq(row, 2)?, seq(row, 3)?, seq(row, 4)?))
        })
        .await?;
    for (user, joined, entered, delivered, read) in all {
        let joined = if entered > Seq::ZERO { just_before(shift.of(entered)) } else { joined };
        tx.send(
            "UPDATE participants SET joined_seq = $3, entered_seq = $4, \
               delivered_seq = greatest($3, $5), read_seq = greatest($3, $6) \
             WHERE conversation = $1 AND user_id = $2",
            &[
                &int(id.0),
                &user.as_str(),
                &int(joined.0),
                &int(shift.of(entered).0),
                &int(shift.of(delivered).0),
                &int(shift.of(read).0),
            ],
        )
        .await?;
    }
    Ok(())
}

/// The same for those who have left. Who joined by a Change sees nothing before it, also nothing that is new there.
async fn move_past_memberships(tx: &mut Tx, id: ConversationId, shift: &Shift) -> Step<()> {
    let past: Vec<(UserId, Seq, Seq, bool)> = tx
        .db
        .all(
            "SELECT p.user_id, p.from_seq, p.to_seq, EXISTS (SELECT 1 FROM changes h WHERE \
               h.conversation = p.conversation AND h.seq = p.from_seq + 1 AND h.user_id = p.user_id \
               AND h.kind = $2) \
             FROM past_memberships p WHERE p.conversation = $1",
            &[&int(id.0), &rows::change_kind(ChangeKind::Joined)],
            |row| Ok((user_id(row, 0)?, seq(row, 1)?, seq(row, 2)?, boolean(row, 3)?)),
        )
        .await?;
    tx.send("DELETE FROM past_memberships WHERE conversation = $1", &[&int(id.0)]).await?;
    for (user, from, to, joined) in past {
        let from = if joined { just_before(shift.of(from.next())) } else { shift.of(from) };
        tx.send(
            "INSERT INTO past_memberships (conversation, user_id, from_seq, to_seq) VALUES ($1, $2, $3, $4)",
            &[&int(id.0), &user.as_str(), &int(from.0), &int(shift.of(to).0)],
        )
        .await?;
    }
    Ok(())
}

const fn just_before(seq: Seq) -> Seq {
    Seq(seq.0.saturating_sub(1))
}
