//! Where sockets stand whose clients cannot say it themselves.

use parlour_core::{
    ConversationId, Epoch, Error, Position, Result, Seq,
    model::Millis,
    port::{
        BoxFuture,
        store::{
            CLOSED_SOCKET_WAITS, CUT_SOCKET_WAITS, ClaimedSocket, Context, MOST_SWEPT_SOCKETS,
            MOST_WAITING_SOCKETS, Siblings, SocketId, SocketKey, SocketStore,
        },
    },
};
use rusqlite::Connection;

use super::{
    SqliteStore,
    batch::Tx,
    db::{Db, Step},
    marks,
    rows::{self, int, limit, number},
    users,
};

impl SocketStore for SqliteStore {
    fn claim_socket(
        &self,
        key: SocketKey,
        heads: Vec<(ConversationId, Position)>,
        siblings: Siblings,
        now: Millis,
    ) -> BoxFuture<'_, Result<ClaimedSocket>> {
        let bytes = (heads.len() + siblings.in_flight.len()) * 24 + 128;
        let seat = self.seat();
        self.write_seen(bytes, move |tx| {
            let Siblings { in_flight, beginning } = &siblings;
            // Those of other processes are there where a simulation puts several on one database.
            let elsewhere = seat.as_ref().map(|seat| seat.held_elsewhere()).unwrap_or_default();
            let claimed = if *beginning || !elsewhere.is_empty() {
                let counts = |id: u64| *beginning || elsewhere.contains(&id);
                let bounds = [&**in_flight, &*positions_of_live(tx.db, &key, counts)?].concat();
                claim(tx, &key, &heads, &bounds, now)?
            } else {
                claim(tx, &key, &heads, in_flight, now)?
            };
            if let Some(seat) = &seat {
                seat.hold(claimed.id.0);
            }
            Ok(claimed)
        })
    }

    fn acknowledge_socket(
        &self,
        context: Context,
        id: SocketId,
        received: Vec<(ConversationId, Seq)>,
    ) -> BoxFuture<'_, Result<()>> {
        let bytes = received.len() * 64;
        self.write_seen(bytes, move |tx| acknowledge(tx, &context, id, &received))
    }

    fn release_socket(&self, id: SocketId, clean: bool, now: Millis) -> BoxFuture<'_, Result<()>> {
        let seat = self.seat();
        self.write_seen(32, move |tx| {
            release(tx.db, id, clean, now)?;
            if let Some(seat) = &seat {
                seat.let_go(id.0);
            }
            Ok(())
        })
    }

    fn sweep_sockets(&self, now: Millis) -> BoxFuture<'_, Result<u64>> {
        self.write_seen(0, move |tx| {
            tx.db.run(
                "UPDATE sockets SET expires_at = ?1 WHERE expires_at = 0",
                [now.saturating_add(CUT_SOCKET_WAITS)],
            )?;
            let swept = tx.db.run(
                "DELETE FROM sockets WHERE id IN \
                   (SELECT id FROM sockets WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
                (now, limit(MOST_SWEPT_SOCKETS)),
            )?;
            Ok(swept as u64)
        })
    }
}

/// Lets the rows wait that were live when the last process ended: nobody can have them now.
pub(super) fn recover(connection: &mut Connection) -> rusqlite::Result<()> {
    let step = connection.transaction()?;
    let left = step.execute(
        "UPDATE sockets SET waiting_since = 0, expires_at = 0 WHERE waiting_since IS NULL",
        [],
    )?;
    if left > 0 {
        // Those that a crash has left before those that waited already.
        step.execute(
            "DELETE FROM sockets WHERE id IN (SELECT id FROM ( \
               SELECT id, row_number() OVER (PARTITION BY user, dialect, scope, device \
                 ORDER BY expires_at = 0 DESC, waiting_since DESC, id DESC) AS place FROM sockets) \
             WHERE place > ?1)",
            [limit(MOST_WAITING_SOCKETS)],
        )?;
    }
    step.commit()
}

fn claim(
    tx: &Tx<'_>,
    key: &SocketKey,
    heads: &[(ConversationId, Position)],
    bounds: &[(ConversationId, Position)],
    now: Millis,
) -> Step<ClaimedSocket> {
    let scope = key.scope.map(|scope| int(scope.0));
    let agent = key.agent.map(i64::from);
    let waiting = tx.db.one(
        "SELECT id FROM sockets WHERE user = ?1 AND dialect = ?2 AND scope IS ?3 AND device IS ?4 \
           AND waiting_since IS NOT NULL AND (expires_at = 0 OR expires_at > ?5) \
           AND (agent = ?6 OR agent IS NULL OR ?6 IS NULL) \
         ORDER BY waiting_since, id LIMIT 1",
        (key.user.as_str(), key.dialect, scope, &key.device, now, agent),
        |row| row.get::<_, i64>(0),
    )?;
    let id = match waiting {
        Some(id) => {
            let sql = "UPDATE sockets SET waiting_since = NULL, expires_at = NULL, \
                         agent = coalesce(?2, agent) WHERE id = ?1";
            tx.db.run(sql, (id, agent))?;
            id
        }
        None => {
            users::ensure(tx, &key.user, now)?;
            tx.db.run(
                "INSERT INTO sockets (user, dialect, scope, device, agent) VALUES (?1, ?2, ?3, ?4, ?5)",
                (key.user.as_str(), key.dialect, scope, &key.device, agent),
            )?;
            let id = tx.db.connection().last_insert_rowid();
            place(tx.db, id, heads)?;
            id
        }
    };
    let mut lowered = 0;
    for (conversation, position) in bounds {
        lowered += tx.db.run(
            "UPDATE socket_positions SET seq = ?4 \
             WHERE socket = ?1 AND conversation = ?2 AND epoch = ?3 AND seq > ?4",
            (id, int(conversation.0), int(position.epoch.0), int(position.seq.0)),
        )?;
    }
    let positions =
        if waiting.is_some() || lowered > 0 { Some(positions(tx.db, id)?) } else { None };
    Ok(ClaimedSocket { id: SocketId(u64::try_from(id).unwrap_or_default()), positions })
}

/// Where live sockets of the same key stand, of those that count.
fn positions_of_live(
    db: &Db,
    key: &SocketKey,
    counts: impl Fn(u64) -> bool,
) -> rusqlite::Result<Vec<(ConversationId, Position)>> {
    let live = db.all(
        "SELECT id FROM sockets WHERE user = ?1 AND dialect = ?2 AND scope IS ?3 AND device IS ?4 \
           AND waiting_since IS NULL AND (agent = ?5 OR agent IS NULL OR ?5 IS NULL)",
        (
            key.user.as_str(),
            key.dialect,
            key.scope.map(|scope| int(scope.0)),
            &key.device,
            key.agent.map(i64::from),
        ),
        |row| number(row, 0),
    )?;
    let mut found = Vec::new();
    for socket in live.into_iter().filter(|id| counts(*id)) {
        found.extend(positions(db, int(socket))?);
    }
    Ok(found)
}

/// Where a new socket stands.
fn place(db: &Db, id: i64, heads: &[(ConversationId, Position)]) -> rusqlite::Result<()> {
    for (conversation, position) in heads {
        db.run(
            "INSERT INTO socket_positions (socket, conversation, epoch, seq) \
             SELECT ?1, c.id, ?3, ?4 FROM conversations c WHERE c.id = ?2 ON CONFLICT DO NOTHING",
            (id, int(conversation.0), int(position.epoch.0), int(position.seq.0)),
        )?;
    }
    Ok(())
}

fn positions(db: &Db, id: i64) -> rusqlite::Result<Vec<(ConversationId, Position)>> {
    db.all(
        "SELECT conversation, epoch, seq FROM socket_positions WHERE socket = ?1 ORDER BY conversation",
        [id],
        |row| {
            let position = Position { epoch: Epoch(number(row, 1)?), seq: rows::seq(row, 2)? };
            Ok((ConversationId(number(row, 0)?), position))
        },
    )
}

fn acknowledge(
    tx: &mut Tx<'_>,
    context: &Context,
    id: SocketId,
    received: &[(ConversationId, Seq)],
) -> Step<()> {
    let (id, user) = (int(id.0), &context.actor.user);
    let is_his = "SELECT 1 FROM sockets WHERE id = ?1 AND user = ?2";
    if !tx.db.exists(is_his, (id, user.as_str()))? {
        return Err(Error::not_found().into());
    }
    for (conversation, seq) in received {
        // In a log's new life the old place means nothing.
        tx.db.run(
            "INSERT INTO socket_positions (socket, conversation, epoch, seq) \
             SELECT ?1, c.id, c.epoch, min(?3, c.last_seq) FROM conversations c WHERE c.id = ?2 \
             ON CONFLICT DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq \
             WHERE excluded.epoch <> epoch OR excluded.seq > seq",
            (id, int(conversation.0), int(seq.0)),
        )?;
        marks::receive(tx, context, *conversation, *seq)?;
    }
    Ok(())
}

fn release(db: &Db, id: SocketId, clean: bool, now: Millis) -> rusqlite::Result<()> {
    let wait = if clean { CLOSED_SOCKET_WAITS } else { CUT_SOCKET_WAITS };
    let released = db.run(
        "UPDATE sockets SET waiting_since = ?2, expires_at = ?3 WHERE id = ?1 AND waiting_since IS NULL",
        (int(id.0), now, now.saturating_add(wait)),
    )?;
    if released > 0 {
        // Those that have expired make room first.
        db.run(
            "DELETE FROM sockets WHERE id IN ( \
               SELECT o.id FROM sockets s JOIN sockets o ON o.user = s.user AND o.dialect = s.dialect \
                 AND o.scope IS s.scope AND o.device IS s.device \
               WHERE s.id = ?1 AND o.waiting_since IS NOT NULL \
               ORDER BY o.expires_at BETWEEN 1 AND ?2, o.waiting_since DESC, o.id DESC \
               LIMIT -1 OFFSET ?3)",
            (int(id.0), now, limit(MOST_WAITING_SOCKETS)),
        )?;
    }
    Ok(())
}
