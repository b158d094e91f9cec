//! What processes on one database must agree on, all by the clock of the server.
//!
//! A process is dead when its lease has ended, or when its lock can be taken (see [`super::lease`]).

use std::time::Duration;

use parlour_core::{
    NodeId, Result, UserId,
    model::Millis,
    port::{
        BoxFuture,
        store::{ClusterStore, LEASE, MOST_WAITING_SOCKETS, Node},
    },
};
use tokio_postgres::Row;

use super::{
    PostgresStore,
    batch::Tx,
    db::{Db, Step},
    lease,
    params::Param,
    rows::{self, int, integer, limit, number, shared},
    users,
};

/// The server's clock, in milliseconds.
macro_rules! now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    };
}

/// One renewal of a lease lets so many sockets of dead processes wait at most; the next goes on.
const MOST_FREED_SOCKETS: usize = 2_000;

/// How long a dead process is remembered that has no sockets any more, in milliseconds.
const REMEMBERED: Millis = 60_000;

impl ClusterStore for PostgresStore {
    fn renew_lease(&self, own: Node) -> BoxFuture<'_, Result<Vec<Node>>> {
        let started_at = self.opened_at;
        let tells = self.lease.tells();
        self.write(512, (own, started_at, tells), |tx, (own, started_at, tells)| {
            Box::pin(renew(tx, own, *started_at, *tells))
        })
    }

    fn take_duty(&self, duty: &'static str, period: Duration) -> BoxFuture<'_, Result<bool>> {
        self.write(32, (duty, millis(period), self.node), |tx, (duty, period, node)| {
            Box::pin(async move {
                let sql = concat!(
                    "INSERT INTO duties AS d (name, node, until) VALUES ($1, $2, ",
                    now!(),
                    " + $3) ON CONFLICT (name) DO UPDATE SET node = excluded.node, until = excluded.until \
                     WHERE d.node = excluded.node OR d.until <= ",
                    now!()
                );
                Ok(tx.db.run(sql, &[duty, &int(node.0), period]).await? > 0)
            })
        })
    }

    fn user_versions(&self, users: Vec<UserId>) -> BoxFuture<'_, Result<Vec<(UserId, u64)>>> {
        Box::pin(async move {
            let versions = match users.as_slice() {
                // Everybody who comes is asked for so.
                [user] => vec![self.gathered.versions.read(&self.runner, user.clone()).await?],
                _ => self.runner.read(&users, &|db, users| Box::pin(versions(db, users))).await?,
            };
            let known = |(user, version): (_, Option<u64>)| Some((user, version?));
            Ok(users.into_iter().zip(versions).filter_map(known).collect())
        })
    }

    fn database_time(&self) -> BoxFuture<'_, Result<Millis>> {
        self.read((), |db, ()| {
            Box::pin(async move {
                let time = db.one(concat!("SELECT ", now!()), &[], |row| integer(row, 0)).await?;
                Ok(time.unwrap_or_default())
            })
        })
    }
}

/// The versions of users, in their order; `None` for who is unknown.
pub(super) async fn versions(db: &Db, users: &[UserId]) -> Step<Vec<Option<u64>>> {
    let sql = "SELECT u.version, t.place FROM unnest($1::text[]) WITH ORDINALITY t (id, place) \
         JOIN users u ON u.id = t.id";
    let found = db.send(sql, &[&users::ids(users)]).await?.rows().await?;
    rows::one_each(&found, users.len(), 1, |row| number(row, 0))
}

fn millis(time: Duration) -> Millis {
    Millis::try_from(time.as_millis()).unwrap_or(Millis::MAX / 2)
}

/// When the store has its locks and its schema: the sockets wait that nobody can have now, which are those of this
/// process's number, and all when it is alone. The server's time.
pub(super) async fn begin(tx: &mut Tx, node: NodeId, alone: bool) -> Step<Millis> {
    let sql = "UPDATE sockets SET waiting_since = 0, expires_at = 0 \
               WHERE waiting_since IS NULL AND (node = $1 OR $2) RETURNING user_id";
    free(tx, sql, &[&int(node.0), &alone]).await?;
    if alone {
        tx.db.run("DELETE FROM nodes", &[]).await?;
    }
    let time = tx.db.one(concat!("SELECT ", now!()), &[], |row| integer(row, 0)).await?;
    Ok(time.unwrap_or_default())
}

/// Lets sockets wait whose processes are not known any more.
pub(super) async fn free_orphans(tx: &mut Tx) -> Step<()> {
    let sql = "UPDATE sockets SET waiting_since = 0, expires_at = 0 WHERE id IN ( \
                 SELECT id FROM sockets WHERE waiting_since IS NULL AND node IN ( \
                   SELECT o.node FROM (SELECT DISTINCT s.node FROM sockets s WHERE s.waiting_since IS NULL \
                     AND NOT EXISTS (SELECT 1 FROM nodes n WHERE n.id = s.node)) o \
                   WHERE pg_try_advisory_xact_lock_shared($1 | o.node)) \
                 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING user_id";
    free(tx, sql, &[&lease::OF_A_NODE, &limit(MOST_FREED_SOCKETS)]).await
}

/// Lets sockets wait as after a crash. Their number stays bounded: those that were left now before those that waited
/// already. `sql` gives their users.
async fn free(tx: &mut Tx, sql: &str, params: &[&dyn Param]) -> Step<()> {
    let mut users = tx.db.all(sql, params, |row| shared(row, 0)).await?;
    if users.is_empty() {
        return Ok(());
    }
    users.sort_unstable();
    users.dedup();
    let users: Vec<&str> = users.iter().map(|user| &**user).collect();
    tx.db
        .run(
            "DELETE FROM sockets WHERE id IN (SELECT id FROM ( \
               SELECT id, row_number() OVER (PARTITION BY user_id, dialect, scope, device \
                 ORDER BY expires_at = 0 DESC, waiting_since DESC, id DESC) AS place \
               FROM sockets WHERE user_id = ANY($1) AND waiting_since IS NOT NULL) AS waiting \
             WHERE place > $2)",
            &[&users, &limit(MOST_WAITING_SOCKETS)],
        )
        .await?;
    Ok(())
}

async fn renew(tx: &mut Tx, own: &Node, started_at: Millis, tells: bool) -> Step<Vec<Node>> {
    let renewed = tx
        .db
        .send(
            concat!(
                "INSERT INTO nodes (id, version, address, bus, started_at, lease_until) \
                 VALUES ($1, $2, $3, $4, $5, ",
                now!(),
                " + $6) ON CONFLICT (id) DO UPDATE SET version = excluded.version, \
                   address = excluded.address, bus = excluded.bus, started_at = excluded.started_at, \
                   lease_until = excluded.lease_until"
            ),
            &[
                &int(own.id.0),
                &&*own.version,
                &&*own.address,
                &&*own.bus,
                &started_at,
                &millis(LEASE),
            ],
        )
        .await?;
    let all = tx
        .db
        .send(
            concat!(
                "SELECT id, version, address, bus, started_at, lease_until > ",
                now!(),
                ", lease_until <= ",
                now!(),
                " OR ($2 AND id <> $1 AND pg_try_advisory_xact_lock_shared($3 | id)) \
                 FROM nodes ORDER BY id"
            ),
            &[&int(own.id.0), &tells, &lease::OF_A_NODE],
        )
        .await?;
    renewed.count().await?;
    let (mut living, mut dead) = (Vec::new(), Vec::new());
    for row in all.rows().await? {
        if row.try_get(6)? {
            dead.push(integer(&row, 0)?);
        }
        if row.try_get(5)? {
            living.push(node(&row)?);
        }
    }
    if !dead.is_empty() {
        bury(tx, &dead).await?;
    }
    Ok(living)
}

/// From `id, version, address, bus, started_at`.
fn node(row: &Row) -> Step<Node> {
    Ok(Node {
        id: NodeId(number(row, 0)?),
        version: shared(row, 1)?,
        address: shared(row, 2)?,
        bus: shared(row, 3)?,
        started_at: integer(row, 4)?,
    })
}

/// Lets the sockets of dead processes wait, and forgets those processes in the end.
async fn bury(tx: &mut Tx, dead: &[i64]) -> Step<()> {
    let sql = "UPDATE sockets SET waiting_since = 0, expires_at = 0 WHERE id IN ( \
                 SELECT id FROM sockets WHERE waiting_since IS NULL AND node = ANY($1) \
                 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING user_id";
    free(tx, sql, &[&dead, &limit(MOST_FREED_SOCKETS)]).await?;
    tx.db
        .run(
            concat!(
                "DELETE FROM nodes n WHERE id = ANY($1) AND lease_until < ",
                now!(),
                " - $2 AND NOT EXISTS (SELECT 1 FROM sockets s WHERE s.node = n.id AND s.waiting_since IS NULL)"
            ),
            &[&dead, &REMEMBERED],
        )
        .await?;
    Ok(())
}
