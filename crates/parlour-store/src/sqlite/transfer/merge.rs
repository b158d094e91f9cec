//! Room in the middle of a log: everything after moves up, and the log begins a new life.

use parlour_core::{
    ConversationId, Seq, UserId, model::Millis, port::store::transfer::HostMessage,
};

use super::log::Log;
use crate::sqlite::{
    db::Db,
    rows::{self, ChangeKind, int, seq},
};
use crate::transfer::{ASIDE, Shift, ascending};

/// Moves what is in the log so that messages of these times fit in, and returns their seqs. The messages are in
/// the order of time. A new message comes after everything that is as old as itself.
pub(super) fn make_room(
    db: &Db,
    log: &mut Log,
    fresh: &[(usize, &HostMessage)],
) -> rusqlite::Result<Vec<Seq>> {
    let entries = entries(db, log.id)?;
    let (shift, places) =
        Shift::plan(&entries, fresh.iter().map(|(_, message)| message.created_at()));
    for (_, message) in fresh {
        let at = message.created_at();
        log.created_at = log.created_at.min(at);
        log.active_at = log.active_at.max(at);
        // Takes one seq for each; which one it gets is decided above.
        log.next(at);
    }
    move_messages(db, log.id, &shift)?;
    // Before the Changes, which tell who joined where.
    move_participants(db, log.id, &shift)?;
    move_past_memberships(db, log.id, &shift)?;
    move_changes(db, log.id, &shift)?;
    log.relived = true;
    Ok(places)
}

/// The log as seqs with their times, in order. Superseded seqs may be missing.
fn entries(db: &Db, id: ConversationId) -> rusqlite::Result<Vec<(Seq, Millis)>> {
    let mut entries = db.all(
        "SELECT seq, created_at FROM messages WHERE conversation = ?1 \
         UNION ALL SELECT change_seq, coalesce(deleted_at, edited_at, created_at) FROM messages \
           WHERE conversation = ?1 AND change_seq > seq \
         UNION ALL SELECT r.seq, r.at FROM revisions r JOIN messages m ON m.id = r.message \
           WHERE m.conversation = ?1 AND r.seq > m.seq \
         UNION ALL SELECT seq, at FROM changes WHERE conversation = ?1 \
         ORDER BY 1",
        [int(id.0)],
        |row| Ok((seq(row, 0)?, row.get(1)?)),
    )?;
    ascending(&mut entries);
    Ok(entries)
}

fn move_messages(db: &Db, id: ConversationId, shift: &Shift) -> rusqlite::Result<()> {
    let id = int(id.0);
    for (after, to, by) in shift.ranges() {
        // First the last change, which is never before the creation, then the rest.
        db.run(
            "UPDATE messages SET change_seq = change_seq + ?4 \
             WHERE conversation = ?1 AND change_seq > ?2 AND change_seq <= ?3",
            (id, after, to, by + ASIDE),
        )?;
        db.run(
            "UPDATE messages SET seq = seq + ?4 WHERE conversation = ?1 AND seq > ?2 AND seq <= ?3 ",
            (id, after, to, by),
        )?;
        db.run(
            "UPDATE revisions SET seq = seq + ?4 WHERE seq > ?2 AND seq <= ?3 \
             AND message IN (SELECT id FROM messages WHERE conversation = ?1)",
            (id, after, to, by + ASIDE),
        )?;
    }
    db.run(
        "UPDATE messages SET change_seq = change_seq - ?2 WHERE conversation = ?1 AND change_seq >= ?2",
        (id, ASIDE),
    )?;
    db.run(
        "UPDATE revisions SET seq = seq - ?2 WHERE seq >= ?2 \
         AND message IN (SELECT id FROM messages WHERE conversation = ?1)",
        (id, ASIDE),
    )?;
    Ok(())
}

fn move_changes(db: &Db, id: ConversationId, shift: &Shift) -> rusqlite::Result<()> {
    let id = int(id.0);
    for (after, to, by) in shift.ranges() {
        db.run(
            "UPDATE changes SET seq = seq + ?4 WHERE conversation = ?1 AND seq > ?2 AND seq <= ?3",
            (id, after, to, by + ASIDE),
        )?;
    }
    db.run("UPDATE changes SET seq = seq - ?2 WHERE conversation = ?1 AND seq >= ?2", (id, ASIDE))?;
    Ok(())
}

/// Who has seen and read how much: the same things as before.
fn move_participants(db: &Db, id: ConversationId, shift: &Shift) -> rusqlite::Result<()> {
    type Seqs = (UserId, Seq, Seq, Seq, Seq);
    let all: Vec<Seqs> = db.all(
        "SELECT user, joined_seq, entered_seq, delivered_seq, read_seq FROM participants \
         WHERE conversation = ?1",
        [int(id.0)],
        |row| Ok((rows::user_id(row, 0)?, seq(row, 1)?, seq(row, 2)?, seq(row, 3)?, seq(row, 4)?)),
    )?;
    for (user, joined, entered, delivered, read) in all {
        let joined = if entered > Seq::ZERO { just_before(shift.of(entered)) } else { joined };
        db.run(
            "UPDATE participants SET joined_seq = ?3, entered_seq = ?4, \
               delivered_seq = max(?3, ?5), read_seq = max(?3, ?6) WHERE conversation = ?1 AND user = ?2",
            (
                int(id.0),
                user.as_str(),
                int(joined.0),
                int(shift.of(entered).0),
                int(shift.of(delivered).0),
                int(shift.of(read).0),
            ),
        )?;
    }
    Ok(())
}

/// The same for those who have left. Who joined by a Change sees nothing before it, also nothing that is new there.
fn move_past_memberships(db: &Db, id: ConversationId, shift: &Shift) -> rusqlite::Result<()> {
    let past: Vec<(UserId, Seq, Seq, bool)> = db.all(
        "SELECT p.user, p.from_seq, p.to_seq, EXISTS (SELECT 1 FROM changes h WHERE \
           h.conversation = p.conversation AND h.seq = p.from_seq + 1 AND h.user = p.user AND h.kind = ?2) \
         FROM past_memberships p WHERE p.conversation = ?1",
        (int(id.0), rows::change_kind(ChangeKind::Joined)),
        |row| Ok((rows::user_id(row, 0)?, seq(row, 1)?, seq(row, 2)?, row.get(3)?)),
    )?;
    db.run("DELETE FROM past_memberships WHERE conversation = ?1", [int(id.0)])?;
    for (user, from, to, joined) in past {
        let from = if joined { just_before(shift.of(from.next())) } else { shift.of(from) };
        db.run(
            "INSERT INTO past_memberships (conversation, user, from_seq, to_seq) VALUES (?1, ?2, ?3, ?4)",
            (int(id.0), user.as_str(), int(from.0), int(shift.of(to).0)),
        )?;
    }
    Ok(())
}

const fn just_before(seq: Seq) -> Seq {
    Seq(seq.0.saturating_sub(1))
}
