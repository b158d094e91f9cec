//! Where a socket begins: at a place that waits, or at the ends of the logs.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::try_join_all;
use parlour_core::{
    ConversationId, Epoch, NodeId, Position,
    model::Millis,
    port::store::{ClaimedSocket, Siblings, SocketId, SocketKey},
};
use sha2::{Digest as _, Sha256};
use tokio_postgres::Row;

use crate::postgres::{
    batch::Tx,
    db::{Db, Failure, Sent, Step},
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

/// Rows of keys that wait, or are live in other processes, or anywhere where one has just begun here: which claim they are for,
/// and whether it can have them; the longest waiting first. What a crash has left has waited longest.
macro_rules! siblings {
    ($scope:literal) => {
        concat!(
            "SELECT k.n, s.id, s.waiting_since IS NOT NULL OR s.node IS DISTINCT FROM $10 AND ( \
                 coalesce(o.lease_until <= (extract(epoch FROM clock_timestamp()) * 1000)::bigint, false) \
                 OR (k.tells AND pg_try_advisory_xact_lock_shared($11 | coalesce(s.node, 0)))) \
             FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], \
                 $7::bigint[], $8::boolean[], $9::boolean[]) \
                 AS k (n, user_id, dialect, scope, device, agent, now, tells, beginning) \
               JOIN sockets s ON s.user_id = k.user_id AND s.dialect = k.dialect AND ",
            $scope,
            " AND s.device IS NOT DISTINCT FROM k.device LEFT JOIN nodes o ON o.id = s.node \
             WHERE (s.waiting_since IS NULL AND (k.beginning OR s.node IS DISTINCT FROM $10) \
                 OR s.expires_at = 0 OR s.expires_at > k.now) \
               AND (s.agent = k.agent OR s.agent IS NULL OR k.agent IS NULL) \
             ORDER BY k.n, coalesce(s.waiting_since, 0), s.id"
        )
    };
}

/// Runs claims of different keys under their [`lock_key`]s: what each has taken, in their order. Statements are the same few
/// for all who come back, so that a crowd costs little; who is there for the first time has one of his own.
pub(super) async fn run(db: &Db, claims: &[&Claim]) -> Step<Vec<Taken>> {
    if claims.is_empty() {
        return Ok(Vec::new());
    }
    let courses = find(db, claims).await?;
    let rows = Rows::take(db, &courses).await?;
    let first: Vec<&Claim> =
        courses.iter().filter(|course| course.free.is_none()).map(|course| course.claim).collect();
    if let Some(now) = first.iter().map(|claim| claim.now).min() {
        let users: Vec<_> = first.iter().map(|claim| &claim.key.user).collect();
        users::known(db, &users, now).await?;
    }
    try_join_all(courses.iter().map(|course| course.end(db, &rows))).await
}

/// A claim, and what was found for it.
struct Course<'a> {
    claim: &'a Claim,
    /// The row that it takes; `None`: it makes one.
    free: Option<i64>,
    /// Live rows of its key of which more is not known than what they say.
    live: Vec<i64>,
}

/// Finds the rows of claims' keys.
async fn find<'a>(db: &Db, claims: &[&'a Claim]) -> Step<Vec<Course<'a>>> {
    let scoped = send_siblings(db, claims, true).await?;
    let unscoped = send_siblings(db, claims, false).await?;
    let new = |claim: &&'a Claim| Course { claim, free: None, live: Vec::new() };
    let mut courses: Vec<Course<'_>> = claims.iter().map(new).collect();
    for sent in [scoped, unscoped].into_iter().flatten() {
        for row in sent.rows().await? {
            let (n, id, is_free) = (number(&row, 0)?, integer(&row, 1)?, boolean(&row, 2)?);
            let course = usize::try_from(n).ok().and_then(|n| courses.get_mut(n));
            match course {
                Some(course) if !is_free => course.live.push(id),
                Some(course) => course.free = course.free.or(Some(id)),
                None => {}
            }
        }
    }
    Ok(courses)
}

/// Asks for the rows of those claims that carry one conversation, or of the others.
async fn send_siblings(db: &Db, claims: &[&Claim], scoped: bool) -> Step<Option<Sent>> {
    let asking = (0_i64..).zip(claims).filter(|(_, claim)| claim.key.scope.is_some() == scoped);
    let asking: Vec<(i64, &&Claim)> = asking.collect();
    let Some((_, Claim { node, .. })) = asking.first() else { return Ok(None) };
    let sql = if scoped {
        siblings!("s.scope = k.scope")
    } else {
        siblings!("s.scope IS NULL AND k.scope IS NULL")
    };
    db.send(
        sql,
        &[
            &column(&asking, |n, _| n),
            &column(&asking, |_, claim| claim.key.user.as_str()),
            &column(&asking, |_, claim| claim.key.dialect),
            &column(&asking, |_, claim| claim.key.scope.map(|scope| int(scope.0))),
            &column(&asking, |_, claim| claim.key.device.as_deref()),
            &column(&asking, |_, claim| claim.key.agent.map(i64::from)),
            &column(&asking, |_, claim| claim.now),
            &column(&asking, |_, claim| claim.tells),
            &column(&asking, |_, claim| claim.siblings.beginning),
            &int(node.0),
            &lease::OF_A_NODE,
        ],
    )
    .await
    .map(Some)
}

fn column<'a, T>(asking: &[(i64, &&'a Claim)], of: impl Fn(i64, &'a Claim) -> T) -> Vec<T> {
    asking.iter().map(|(n, claim)| of(*n, claim)).collect()
}

/// Rows that claims have taken, and what they and those of live siblings say.
struct Rows {
    versions: HashMap<i64, String>,
    places: HashMap<i64, Places>,
}

impl Rows {
    /// Takes rows that wait, or whose processes are dead.
    async fn take(db: &Db, courses: &[Course<'_>]) -> Step<Self> {
        let mut taking: Vec<(i64, &Claim)> =
            courses.iter().filter_map(|course| Some((course.free?, course.claim))).collect();
        // In the order in which others lock several.
        taking.sort_unstable_by_key(|(id, _)| *id);
        let mut ids: Vec<i64> = taking.iter().map(|(id, _)| *id).collect();
        let versions = match taking.first() {
            Some((_, Claim { node, .. })) => {
                let agents: Vec<_> =
                    taking.iter().map(|(_, claim)| claim.key.agent.map(i64::from)).collect();
                let sql = "UPDATE sockets s SET waiting_since = NULL, expires_at = NULL, node = $3, \
                       agent = coalesce(t.agent, s.agent) \
                     FROM unnest($1::bigint[], $2::bigint[]) AS t (id, agent) \
                     WHERE s.id = t.id RETURNING s.xmin::text, s.id";
                Some(db.send(sql, &[&ids, &agents, &int(node.0)]).await?)
            }
            None => None,
        };
        // Once a row is taken nobody else moves its places.
        ids.extend(courses.iter().flat_map(|course| &course.live));
        let mut places: HashMap<i64, Places> = HashMap::new();
        if !ids.is_empty() {
            let sql = "SELECT conversation, epoch, seq, socket FROM socket_positions \
                 WHERE socket = ANY($1)";
            for row in db.send(sql, &[&ids]).await?.rows().await? {
                places.entry(integer(&row, 3)?).or_default().extend([place(&row)?]);
            }
        }
        let versions = match versions {
            Some(versions) => versions.all(|row| Ok((integer(row, 1)?, version(row)?))).await?,
            None => Vec::new(),
        };
        Ok(Self { versions: versions.into_iter().collect(), places })
    }

    fn of(&self, row: i64) -> impl Iterator<Item = (ConversationId, Position)> {
        let places = self.places.get(&row).into_iter().flatten();
        places.map(|(conversation, position)| (*conversation, *position))
    }
}

impl Course<'_> {
    async fn end(&self, db: &Db, rows: &Rows) -> Step<Taken> {
        // How far it may begin at most: what is in flight here, and where those live siblings are proved to be.
        let mut bounds = self.claim.siblings.in_flight.clone();
        bounds.extend(self.live.iter().flat_map(|id| rows.of(*id)));
        let (socket, version) = match self.free {
            Some(id) => {
                // None: its wait has ended meanwhile.
                let version = rows.versions.get(&id).cloned().ok_or(Failure::Again)?;
                (take_over(db, id, rows.of(id).collect(), &bounds).await?, version)
            }
            None => self.claim.begin(db, &bounds).await?,
        };
        Ok(Taken { socket, lock: self.claim.lock, version })
    }
}

/// Begins where a row stands that was taken, or at the bounds.
async fn take_over(
    db: &Db,
    id: i64,
    mut positions: Places,
    bounds: &[(ConversationId, Position)],
) -> Step<ClaimedSocket> {
    let lowered = lower(&mut positions, bounds);
    if !lowered.is_empty() {
        let (conversations, epochs, seqs) = columns(lowered.iter());
        let sql = "UPDATE socket_positions p SET seq = l.seq \
             FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS l (conversation, epoch, seq) \
             WHERE p.socket = $1 AND p.conversation = l.conversation AND p.epoch = l.epoch";
        db.run(sql, &[&id, &conversations, &epochs, &seqs]).await?;
    }
    Ok(ClaimedSocket { id: socket(id), positions: Some(positions.into_iter().collect()) })
}

impl Claim {
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
