//! Room in the middle of a log: everything after moves up, and the log begins a new life.

use parlour_core::{
    ConversationId, Seq, UserId, model::Millis, port::store::transfer::HostMessage,
};

use super::log::Log;
use crate::sqlite::{
    db::Db,
    rows::{self, ChangeKind, int, seq},
};

/// Above every seq: while rows move, moved ones are up here, so that none meets one that has not moved yet.
const ASIDE: i64 = 1 << 52;

/// Where seqs move: `(after, by)`, ascending; what lies after the first moves by at least the second.
struct Shift {
    steps: Vec<(Seq, u64)>,
}

impl Shift {
    fn of(&self, old: Seq) -> Seq {
        let passed = self.steps.partition_point(|(after, _)| *after < old);
        let by =
            passed.checked_sub(1).and_then(|last| self.steps.get(last)).map_or(0, |step| step.1);
        Seq(old.0 + by)
    }

    /// The ranges that move: after, up to and with, by how much; the last first.
    fn ranges(&self) -> impl Iterator<Item = (i64, i64, i64)> {
        let ends = self.steps.iter().skip(1).map(|(after, _)| int(after.0));
        let ends = ends.chain(std::iter::once(ASIDE - 1)).collect::<Vec<_>>();
        self.steps.iter().zip(ends).rev().map(|((after, by), end)| (int(after.0), end, int(*by)))
    }
}

/// Moves what is in the log so that messages of these times fit in, and returns their seqs. The messages are in
/// the order of time. A new message comes after everything that is as old as itself.
pub(super) fn make_room(
    db: &Db,
    log: &mut Log,
    fresh: &[(usize, &HostMessage)],
) -> rusqlite::Result<Vec<Seq>> {
    let entries = entries(db, log.id)?;
    let mut steps: Vec<(Seq, u64)> = Vec::new();
    let mut places = Vec::with_capacity(fresh.len());
    for (count, (_, message)) in (1_u64..).zip(fresh) {
        let before = entries.partition_point(|(_, at)| *at <= message.created_at());
        let after = before
            .checked_sub(1)
            .and_then(|last| entries.get(last))
            .map_or(Seq::ZERO, |entry| entry.0);
        places.push(Seq(after.0 + count));
        match steps.last_mut() {
            Some(step) if step.0 == after => step.1 = count,
            _ => steps.push((after, count)),
        }
        let at = message.created_at();
        log.created_at = log.created_at.min(at);
        log.active_at = log.active_at.max(at);
        // Takes one seq for each; which one it gets is decided above.
        log.next(at);
    }
    let shift = Shift { steps };
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
    // A deletion's time covers the edits before it, which are gone.
    let mut latest = Millis::MIN;
    for entry in &mut entries {
        latest = latest.max(entry.1);
        entry.1 = latest;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_a_place_moves_by_what_was_put_before_it() {
        // Two new ones after 0, one after 3.
        let shift = Shift { steps: vec![(Seq(0), 2), (Seq(3), 3)] };
        let moved: Vec<u64> = (0..6).map(|seq| shift.of(Seq(seq)).0).collect();
        assert_eq!(moved, [0, 3, 4, 5, 7, 8]);
        let ranges: Vec<_> = shift.ranges().collect();
        assert_eq!(ranges, [(3, ASIDE - 1, 3), (0, 3, 2)]);
        assert_eq!(Shift { steps: vec![(Seq(9), 1)] }.of(Seq(9)), Seq(9));
    }
}
