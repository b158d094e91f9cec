//! Where a socket begins: at a place that waits, or at the ends of the logs.

use std::collections::BTreeMap;

use parlour_core::{
    ConversationId, Epoch, NodeId, Position,
    model::Millis,
    port::store::{ClaimedSocket, Siblings, SocketId, SocketKey},
};
use sha2::{Digest as _, Sha256};
use tokio_postgres::Row;

use crate::postgres::{
    batch::Tx,
    db::{Db, Failure, Step},
    lease,
    rows::{self, boolean, int, integer, number},
    users,
};

pub(super) type Places = BTreeMap<ConversationId, Position>;

/// Of several places in a conversation the first that is named.
pub(super) fn in_order(places: &[(ConversationId, Position)]) -> Places {
    let mut found = Places::new();
    for (conversation, position) in places {
        found.entry(*conversation).or_insert(*position);
    }
    found
}

/// The columns of places, for statements that take them as arrays.
fn columns<'a>(
    places: impl Iterator<Item = (&'a ConversationId, &'a Position)>,
) -> (Vec<i64>, Vec<i64>, Vec<i64>) {
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for (conversation, position) in places {
        columns.0.push(int(conversation.0));
        columns.1.push(int(position.epoch.0));
        columns.2.push(int(position.seq.0));
    }
    columns
}

/// A socket that begins, and wants to know where.
pub(in crate::postgres) struct Claim {
    pub(super) key: SocketKey,
    /// The [`lock_key`] of this.
    pub(super) lock: i64,
    pub(super) heads: Places,
    pub(super) siblings: Siblings,
    pub(super) now: Millis,
    pub(super) node: NodeId,
    /// Whether a lock that can be taken tells that its process is dead.
    pub(super) tells: bool,
}

/// A row that a claim has taken.
#[derive(Clone)]
pub(in crate::postgres) struct Taken {
    socket: ClaimedSocket,
    /// The claim's [`lock_key`].
    lock: i64,
    /// The number of the transaction that has written this version of the row. After a crash another one may get it, but
    /// hardly one that takes just this row.
    version: String,
}

impl Taken {
    pub(super) fn into_socket(self) -> ClaimedSocket {
        self.socket
    }

    /// Whether it was taken indeed, seen from another transaction, which waits until that of the claim is over.
    pub(super) async fn is_there(&self, tx: &Tx) -> Step<bool> {
        let sql = "SELECT pg_advisory_xact_lock($1)";
        let lock = tx.db.send(sql, &[&self.lock]).await?;
        let sql = "SELECT 1 FROM sockets WHERE id = $1 AND xmin::text = $2";
        let found = tx.db.send(sql, &[&int(self.socket.id.0), &self.version.as_str()]).await?;
        lock.done().await?;
        Ok(!found.rows().await?.is_empty())
    }
}

/// Rows of a key that wait, or are live in other processes, or anywhere where one has just begun here: whether they can be
/// had, the longest waiting first. What a crash has left has waited longest.
macro_rules! siblings {
    ($scope:literal) => {
        concat!(
            "SELECT s.id, s.waiting_since IS NOT NULL OR s.node IS DISTINCT FROM $6 AND ( \
                 coalesce(n.lease_until <= (extract(epoch FROM clock_timestamp()) * 1000)::bigint, false) \
                 OR ($7 AND pg_try_advisory_xact_lock_shared($8 | coalesce(s.node, 0)))) \
             FROM sockets s LEFT JOIN nodes n ON n.id = s.node \
             WHERE s.user_id = $1 AND s.dialect = $2 AND ",
            $scope,
            " AND s.device IS NOT DISTINCT FROM $4 \
               AND (s.waiting_since IS NULL AND ($10 OR s.node IS DISTINCT FROM $6) \
                 OR s.expires_at = 0 OR s.expires_at > $5) \
               AND (s.agent = $9 OR s.agent IS NULL OR $9 IS NULL) \
             ORDER BY coalesce(s.waiting_since, 0), s.id"
        )
    };
}

impl Claim {
    /// Runs under its [`lock_key`].
    pub(super) async fn run(&self, tx: &mut Tx) -> Step<Taken> {
        let siblings = self.siblings(&tx.db).await?;
        let free = siblings.iter().find(|(_, free)| *free).map(|(id, _)| *id);
        let live: Vec<i64> = siblings.iter().filter(|(_, free)| !free).map(|(id, _)| *id).collect();
        let bounds = self.bounds(&tx.db, &live).await?;
        let (socket, version) = match free {
            Some(id) => self.take(&tx.db, id, &bounds).await?,
            None => {
                users::ensure(tx, &self.key.user, self.now).await?;
                self.begin(&tx.db, &bounds).await?
            }
        };
        Ok(Taken { socket, lock: self.lock, version })
    }

    async fn siblings(&self, db: &Db) -> Step<Vec<(i64, bool)>> {
        let scope = self.key.scope.map(|scope| int(scope.0));
        let sql = match scope {
            Some(_) => siblings!("s.scope = $3"),
            None => siblings!("s.scope IS NULL AND $3::bigint IS NULL"),
        };
        db.all(
            sql,
            &[
                &self.key.user.as_str(),
                &self.key.dialect,
                &scope,
                &self.key.device.as_deref(),
                &self.now,
                &int(self.node.0),
                &self.tells,
                &lease::OF_A_NODE,
                &self.key.agent.map(i64::from),
                &self.siblings.beginning,
            ],
            |row| Ok((integer(row, 0)?, boolean(row, 1)?)),
        )
        .await
    }

    /// How far the new socket may begin at most: what is in flight here, and where those live siblings are proved to be
    /// of which more is not known.
    async fn bounds(&self, db: &Db, live: &[i64]) -> Step<Vec<(ConversationId, Position)>> {
        let mut bounds = self.siblings.in_flight.clone();
        if !live.is_empty() {
            let sql =
                "SELECT conversation, epoch, seq FROM socket_positions WHERE socket = ANY($1)";
            bounds.extend(db.all(sql, &[&live], place).await?);
        }
        Ok(bounds)
    }

    /// Takes a row that waits, or whose process is dead.
    async fn take(
        &self,
        db: &Db,
        id: i64,
        bounds: &[(ConversationId, Position)],
    ) -> Step<(ClaimedSocket, String)> {
        let sql = "UPDATE sockets SET waiting_since = NULL, expires_at = NULL, node = $2, \
                     agent = coalesce($3, agent) WHERE id = $1 RETURNING xmin::text";
        let params = (int(self.node.0), self.key.agent.map(i64::from));
        let taken = db.send(sql, &[&id, &params.0, &params.1]).await?;
        let sql = "SELECT conversation, epoch, seq FROM socket_positions WHERE socket = $1";
        let positions = db.send(sql, &[&id]).await?;
        // None: its wait has ended meanwhile.
        let version = taken.one(version).await?.ok_or(Failure::Again)?;
        let mut positions: Places = positions.all(place).await?.into_iter().collect();
        let lowered = lower(&mut positions, bounds);
        if !lowered.is_empty() {
            let (conversations, epochs, seqs) = columns(lowered.iter());
            db
                .run(
                    "UPDATE socket_positions p SET seq = l.seq \
                     FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS l (conversation, epoch, seq) \
                     WHERE p.socket = $1 AND p.conversation = l.conversation AND p.epoch = l.epoch",
                    &[&id, &conversations, &epochs, &seqs],
                )
                .await?;
        }
        let positions = Some(positions.into_iter().collect());
        Ok((ClaimedSocket { id: socket(id), positions }, version))
    }

    /// Makes a row for a first socket.
    async fn begin(
        &self,
        db: &Db,
        bounds: &[(ConversationId, Position)],
    ) -> Step<(ClaimedSocket, String)> {
        let mut positions = self.heads.clone();
        let lowered = !lower(&mut positions, bounds).is_empty();
        let (conversations, epochs, seqs) = columns(positions.iter());
        let made = db
            .one(
                "WITH made AS (INSERT INTO sockets (user_id, dialect, scope, device, agent, node) \
                     VALUES ($1, $2, $3, $4, $5, $6) RETURNING id, xmin::text AS version), \
                   placed AS (INSERT INTO socket_positions (socket, conversation, epoch, seq) \
                     SELECT made.id, c.id, h.epoch, h.seq FROM made, \
                       unnest($7::bigint[], $8::bigint[], $9::bigint[]) AS h (conversation, epoch, seq) \
                       JOIN conversations c ON c.id = h.conversation RETURNING conversation) \
                 SELECT version, id, (SELECT coalesce(array_agg(conversation), '{}') FROM placed) FROM made",
                &[
                    &self.key.user.as_str(),
                    &self.key.dialect,
                    &self.key.scope.map(|scope| int(scope.0)),
                    &self.key.device.as_deref(),
                    &self.key.agent.map(i64::from),
                    &int(self.node.0),
                    &conversations,
                    &epochs,
                    &seqs,
                ],
                |row| Ok((version(row)?, integer(row, 1)?, row.try_get::<_, Vec<i64>>(2)?)),
            )
            .await?;
        let (version, id, placed) = made.ok_or(Failure::Again)?;
        positions.retain(|conversation, _| placed.contains(&int(conversation.0)));
        let positions = lowered.then(|| positions.into_iter().collect());
        Ok((ClaimedSocket { id: socket(id), positions }, version))
    }
}

/// Claims of one key come one after the other, so that each finds what the last one has left. Different keys rarely
/// share one; then they wait for each other.
pub(super) fn lock_key(key: &SocketKey) -> i64 {
    let mut hash = Sha256::new();
    let scope = key.scope.map(|scope| scope.0.to_be_bytes());
    let parts = [
        Some(key.user.as_str().as_bytes()),
        Some(key.dialect.as_bytes()),
        scope.as_ref().map(<[u8; 8]>::as_slice),
        key.device.as_deref().map(str::as_bytes),
    ];
    for part in parts {
        hash.update([u8::from(part.is_some())]);
        let part = part.unwrap_or_default();
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let number = hash.finalize().iter().take(8).fold(0, |sum, byte| sum << 8 | i64::from(*byte));
    // Negative ones are of nobody else's locks.
    number | i64::MIN
}

fn version(row: &Row) -> Step<String> {
    Ok(rows::text(row, 0)?.to_owned())
}

fn socket(id: i64) -> SocketId {
    SocketId(u64::try_from(id).unwrap_or_default())
}

/// From `conversation, epoch, seq`.
fn place(row: &Row) -> Step<(ConversationId, Position)> {
    let position = Position { epoch: Epoch(number(row, 1)?), seq: rows::seq(row, 2)? };
    Ok((ConversationId(number(row, 0)?), position))
}

/// Lowers places to bounds in the same life of the same log; those that it has lowered.
fn lower(positions: &mut Places, bounds: &[(ConversationId, Position)]) -> Places {
    let mut lowered = Places::new();
    for (conversation, bound) in bounds {
        if let Some(position) = positions.get_mut(conversation)
            && position.epoch == bound.epoch
            && position.seq > bound.seq
        {
            *position = *bound;
            lowered.insert(*conversation, *bound);
        }
    }
    lowered
}
