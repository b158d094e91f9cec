//! A new life for every log, after the database was put back to an earlier state by its own means.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use super::{
    lease::{Lease, Use},
    migrate::server_error,
    prepare, server,
};
use crate::{OpenError, SKIPPED_IDS};

/// Gives every log of a database that nobody uses a new life. `session_url` leads around a pooler, where `url` leads to one.
pub(crate) async fn renew(url: &str, session_url: Option<&str>) -> Result<(), OpenError> {
    let tasks = TaskTracker::new();
    let server = server(url, &tasks)?;
    let place = server.shown();
    let session =
        session_url.map_or_else(|| Ok(server.clone()), |url| super::server(url, &tasks))?;
    // Processes that run would go on with what they know of the old life.
    let lease = Lease::take(session, None, Use::Alone, Arc::new(|_: &str| {})).await?;
    prepare(&server, &place).await?;
    let failed = |source| server_error(&place, source);
    let mut client = server.connect().await.map_err(failed)?;
    let step = client.transaction().await.map_err(failed)?;
    step.batch_execute(&format!(
        "UPDATE meta SET value = floor(random() * 281474976710655)::bigint + 1 WHERE key = 'epoch';
         UPDATE conversations SET epoch = (SELECT value FROM meta WHERE key = 'epoch');
         SELECT setval('messages_id_seq', {SKIPPED_IDS} + (SELECT last_value FROM messages_id_seq));
         SELECT setval('conversations_id_seq', {SKIPPED_IDS} + (SELECT last_value FROM conversations_id_seq));"
    ))
    .await
    .map_err(failed)?;
    step.commit().await.map_err(failed)?;
    lease.end();
    Ok(())
}
