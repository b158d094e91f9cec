//! Where sockets stand whose clients cannot say it themselves.
//!
//! A live row names the process that holds it. When that process is dead (its lease has ended, or its lock can be taken),
//! its rows are as good as waiting: `cluster` lets them wait when it notices, and a claim takes one at once.

mod claim;

use std::{collections::BTreeMap, sync::Arc};

use futures_util::{future::try_join_all, try_join};
use parlour_core::{
    ConversationId, Error, NodeId, Position, Result, Seq,
    model::Millis,
    port::{
        BoxFuture,
        store::{
            CLOSED_SOCKET_WAITS, CUT_SOCKET_WAITS, ClaimedSocket, Context, MOST_SWEPT_SOCKETS,
            MOST_WAITING_SOCKETS, Siblings, SocketId, SocketKey, SocketStore,
        },
    },
};
use tokio_postgres::Row;

use self::claim::{Claim, Taken, in_order, lock_key};
use super::{
    PostgresStore,
    batch::Tx,
    cluster,
    db::{Db, Failure, Step},
    deliveries, facts,
    rows::{int, integer, limit},
};

impl SocketStore for PostgresStore {
    fn claim_socket(
        &self,
        key: SocketKey,
        heads: Vec<(ConversationId, Position)>,
        siblings: Siblings,
        now: Millis,
    ) -> BoxFuture<'_, Result<ClaimedSocket>> {
        let bytes = (heads.len() + siblings.in_flight.len()) * 24 + 128;
        let heads = in_order(&heads);
        let (lock, tells) = (lock_key(&key), self.lease.tells());
        let claim = Claim { key, lock, heads, siblings, now, node: self.node, tells };
        let done = self.together(bytes, SocketStep::Claim(claim));
        Box::pin(async move {
            match done.await? {
                Done::Claimed(taken) => Ok(taken.into_socket()),
                Done::Stored => Err(Error::internal("a claim claimed nothing")),
            }
        })
    }

    fn acknowledge_socket(
        &self,
        context: Context,
        id: SocketId,
        received: Vec<(ConversationId, Seq)>,
    ) -> BoxFuture<'_, Result<()>> {
        let bytes = received.len() * 64;
        let received = furthest(&received);
        let step = Acknowledgement { context, id, received, node: self.node };
        let done = self.together(bytes, SocketStep::Acknowledge(step));
        Box::pin(async move { done.await.map(drop) })
    }

    fn release_socket(&self, id: SocketId, clean: bool, now: Millis) -> BoxFuture<'_, Result<()>> {
        let wait = if clean { CLOSED_SOCKET_WAITS } else { CUT_SOCKET_WAITS };
        let step = Release { id, now, until: now.saturating_add(wait), node: self.node };
        let done = self.together(32, SocketStep::Release(step));
        Box::pin(async move { done.await.map(drop) })
    }

    fn sweep_sockets(&self, now: Millis) -> BoxFuture<'_, Result<u64>> {
        self.write(0, (now, self.lease.tells()), |tx, (now, tells)| {
            Box::pin(async move {
                if *tells {
                    cluster::free_orphans(tx).await?;
                }
                let until = now.saturating_add(CUT_SOCKET_WAITS);
                let sql = "UPDATE sockets SET expires_at = $1 WHERE expires_at = 0";
                let begun = tx.db.send(sql, &[&until]).await?;
                let sql = "DELETE FROM sockets WHERE id IN (SELECT id FROM sockets WHERE expires_at <= $1 \
                             ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)";
                let swept = tx.db.send(sql, &[now, &limit(MOST_SWEPT_SOCKETS)]).await?;
                begun.count().await?;
                swept.count().await
            })
        })
    }
}

/// Of several places in a conversation the furthest.
fn furthest(places: &[(ConversationId, Seq)]) -> BTreeMap<ConversationId, Seq> {
    let mut found = BTreeMap::new();
    for (conversation, seq) in places {
        let place = found.entry(*conversation).or_insert(*seq);
        *place = (*place).max(*seq);
    }
    found
}

/// What a socket writes. Steps of several sockets may share a transaction ([`super::together`]).
pub(super) enum SocketStep {
    Claim(Claim),
    Acknowledge(Acknowledgement),
    Release(Release),
}

/// What became of it.
pub(super) enum Done {
    Claimed(Taken),
    Stored,
}

impl Done {
    /// The row that it has taken, if it has taken one.
    pub(super) const fn taken(&self) -> Option<&Taken> {
        match self {
            Self::Claimed(taken) => Some(taken),
            Self::Stored => None,
        }
    }
}

/// Whether the transaction that took a row was committed, seen from another one.
pub(super) fn is_there(tx: &mut Tx, taken: Taken) -> BoxFuture<'_, Step<bool>> {
    Box::pin(async move { taken.is_there(tx).await })
}

/// What a step needs for itself: no two in one transaction need the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Exclusive {
    /// A claim's [`lock_key`].
    Key(i64),
    /// A conversation in which marks move.
    Conversation(ConversationId),
}

impl SocketStep {
    pub(super) fn exclusives(&self) -> Vec<Exclusive> {
        match self {
            Self::Claim(claim) => vec![Exclusive::Key(claim.lock)],
            Self::Acknowledge(step) => {
                step.received.keys().copied().map(Exclusive::Conversation).collect()
            }
            Self::Release(_) => Vec::new(),
        }
    }
}

/// Runs steps in one transaction when they have their [`lock`]s, each of those that publish in a part of its own; what became
/// of each.
pub(super) async fn run(parts: &mut [Tx], db: &Db, steps: &[Arc<SocketStep>]) -> Step<Vec<Done>> {
    let (mut releases, mut claims, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for (step, tx) in steps.iter().zip(parts) {
        match &**step {
            SocketStep::Release(step) => releases.push(step),
            SocketStep::Claim(claim) => claims.push(claim),
            SocketStep::Acknowledge(step) => others.push(step.run(tx)),
        }
    }
    // What waits from now on is there for claims.
    let released = release(db, releases);
    let (_, taken, _) = try_join!(released, claim::run(db, &claims), try_join_all(others))?;
    let mut taken = taken.into_iter();
    let done = steps.iter().map(|step| match &**step {
        SocketStep::Claim(_) => taken.next().map(Done::Claimed).ok_or(Failure::Again),
        SocketStep::Release(_) | SocketStep::Acknowledge(_) => Ok(Done::Stored),
    });
    done.collect()
}

/// Takes what steps need for themselves, each kind in ascending order, so that no two transactions wait for each other.
pub(super) async fn lock(tx: &mut Tx, exclusives: impl Iterator<Item = Exclusive>) -> Step<()> {
    let (mut keys, mut conversations) = (Vec::new(), Vec::new());
    for exclusive in exclusives {
        match exclusive {
            Exclusive::Key(key) => keys.push(key),
            Exclusive::Conversation(id) => conversations.push(id),
        }
    }
    if !keys.is_empty() {
        keys.sort_unstable();
        tx.send("SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) AS k", &[&keys]).await?;
    }
    // The step itself takes the rows of a single one.
    if conversations.len() > 1 {
        let ids: Vec<i64> = conversations.iter().map(|id| int(id.0)).collect();
        tx.send(facts::LOCK_SEVERAL, &[&ids]).await?;
    }
    Ok(())
}

/// What has arrived at a socket.
pub(super) struct Acknowledgement {
    context: Context,
    id: SocketId,
    received: BTreeMap<ConversationId, Seq>,
    node: NodeId,
}

impl Acknowledgement {
    async fn run(&self, tx: &mut Tx) -> Step<()> {
        let Self { context, id, received, node } = self;
        let (id, user) = (int(id.0), &context.actor.user);
        // Locked, so that no other process takes it before its places are stored.
        let sql = "SELECT node = $3, expires_at = 0 FROM sockets WHERE id = $1 AND user_id = $2 FOR SHARE";
        let held = tx.db.one(sql, &[&id, &user.as_str(), &int(node.0)], holding).await?;
        let (is_ours, was_freed) = held.ok_or_else(Error::not_found)?;
        if !is_ours {
            // Another process has taken it: its client goes on there.
            return Ok(());
        }
        if was_freed {
            // We were taken for dead, and are not.
            tx.send(
                "UPDATE sockets SET waiting_since = NULL, expires_at = NULL WHERE id = $1",
                &[&id],
            )
            .await?;
        }
        let (conversations, seqs): (Vec<i64>, Vec<i64>) =
            received.iter().map(|(conversation, seq)| (int(conversation.0), int(seq.0))).unzip();
        // In a log's new life the old place means nothing.
        let sql = "INSERT INTO socket_positions AS p (socket, conversation, epoch, seq) \
             SELECT $1, c.id, c.epoch, least(r.seq, c.last_seq) \
             FROM unnest($2::bigint[], $3::bigint[]) AS r (conversation, seq) \
               JOIN conversations c ON c.id = r.conversation \
             ON CONFLICT (socket, conversation) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq \
             WHERE excluded.epoch <> p.epoch OR excluded.seq > p.seq";
        tx.send(sql, &[&id, &conversations, &seqs]).await?;
        deliveries::receive(tx, context, &conversations, &seqs).await
    }
}

/// Whether this process holds a row, and whether it was freed in the belief that nobody does.
fn holding(row: &Row) -> Step<(bool, bool)> {
    let is_true = |column| Ok::<_, Failure>(row.try_get::<_, Option<bool>>(column)? == Some(true));
    Ok((is_true(0)?, is_true(1)?))
}

/// A socket that has ended.
pub(super) struct Release {
    id: SocketId,
    now: Millis,
    until: Millis,
    node: NodeId,
}

/// Lets sockets wait that have ended.
async fn release(db: &Db, mut ended: Vec<&Release>) -> Step<()> {
    let Some(Release { node, .. }) = ended.first() else { return Ok(()) };
    // In the order in which others lock several.
    ended.sort_unstable_by_key(|release| release.id);
    let ids: Vec<i64> = ended.iter().map(|release| int(release.id.0)).collect();
    let times: Vec<Millis> = ended.iter().map(|release| release.now).collect();
    let ends: Vec<Millis> = ended.iter().map(|release| release.until).collect();
    // As a CASE no index knows it. While the server knows little about the table, it would go through the index of all
    // live sockets of the process instead of looking for these.
    let sql = "UPDATE sockets s SET waiting_since = r.now, expires_at = r.until \
         FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS r (id, now, until) \
         WHERE s.id = r.id AND CASE WHEN s.waiting_since IS NULL THEN s.node = $4 ELSE false END \
         RETURNING s.id, r.now";
    let released = db
        .all(sql, &[&ids, &times, &ends, &int(node.0)], |row| {
            Ok((integer(row, 0)?, integer(row, 1)?))
        })
        .await?;
    make_room(db, released.into_iter().unzip()).await
}

/// Forgets those that wait for too many of released sockets' keys: first those that have expired, then the oldest. Most keys
/// have few, so it looks first.
async fn make_room(db: &Db, (ids, times): (Vec<i64>, Vec<Millis>)) -> Step<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let sql = "SELECT f.id FROM unnest($1::bigint[], $2::bigint[]) AS r (id, now) \
           JOIN sockets s ON s.id = r.id CROSS JOIN LATERAL ( \
             SELECT o.id FROM sockets o WHERE o.user_id = s.user_id \
               AND o.dialect = s.dialect AND o.scope IS NOT DISTINCT FROM s.scope \
               AND o.device IS NOT DISTINCT FROM s.device AND o.waiting_since IS NOT NULL \
             ORDER BY o.expires_at BETWEEN 1 AND r.now, o.waiting_since DESC, o.id DESC OFFSET $3) f";
    let most = limit(MOST_WAITING_SOCKETS);
    let forgotten = db.all(sql, &[&ids, &times, &most], |row| integer(row, 0)).await?;
    if !forgotten.is_empty() {
        // Not one that was taken in the meantime.
        let sql = "DELETE FROM sockets WHERE id = ANY($1) AND waiting_since IS NOT NULL";
        db.run(sql, &[&forgotten]).await?;
    }
    Ok(())
}
