//! What processes on one database must agree on: here there is one process, so it always agrees.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parlour_core::{
    Result, UserId,
    model::Millis,
    port::{
        BoxFuture,
        store::{ClusterStore, Node},
    },
};

use super::{SqliteStore, db::Db, rows::number};

impl ClusterStore for SqliteStore {
    fn renew_lease(&self, own: Node) -> BoxFuture<'_, Result<Vec<Node>>> {
        let node = Node { started_at: self.opened_at, ..own };
        Box::pin(std::future::ready(Ok(vec![node])))
    }

    fn take_duty(&self, _: &'static str, _: Duration) -> BoxFuture<'_, Result<bool>> {
        Box::pin(std::future::ready(Ok(true)))
    }

    fn user_versions(&self, users: Vec<UserId>) -> BoxFuture<'_, Result<Vec<(UserId, u64)>>> {
        self.read(move |db| {
            let mut versions = Vec::with_capacity(users.len());
            for user in users {
                versions.extend(version(db, &user)?.map(|version| (user, version)));
            }
            Ok(versions)
        })
    }

    fn database_time(&self) -> BoxFuture<'_, Result<Millis>> {
        Box::pin(std::future::ready(Ok(self.wall_clock())))
    }
}

fn version(db: &Db, user: &UserId) -> rusqlite::Result<Option<u64>> {
    db.one("SELECT version FROM users WHERE id = ?1", [user.as_str()], |row| number(row, 0))
}

/// The database runs in this process, so its clock is the system's.
#[expect(clippy::disallowed_methods, reason = "it stands for the clock of a database server")]
pub(super) fn wall_clock() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}
