//! Whether a server keeps what it says it has kept, looked at before anything is written.

use tokio_postgres::Client;

use super::{migrate::server_error, transaction};
use crate::OpenError;

/// The oldest server that is used, as `server_version_num`.
const OLDEST: i32 = 130_000;

/// Refuses a server that cannot keep guarantee G1; else how transactions begin on it.
pub(super) async fn look(client: &Client, place: &str) -> Result<&'static str, OpenError> {
    let row = client
        .query_one(
            "SELECT current_setting('server_version_num')::int4, current_setting('server_version'), \
               current_setting('fsync')::bool, current_setting('full_page_writes')::bool, \
               pg_is_in_recovery(), current_setting('transaction_read_only')::bool, \
               current_setting('server_encoding'), current_setting('synchronous_commit')",
            &[],
        )
        .await
        .map_err(|source| server_error(place, source))?;
    let unfit = |reason: String| Err(OpenError::Unfit { address: place.to_owned(), reason });
    let (number, version): (i32, String) = (row.get(0), row.get(1));
    if number < OLDEST {
        return unfit(format!("it is PostgreSQL {version}: 13 or later is needed"));
    }
    if !row.get::<_, bool>(2) {
        return unfit(
            "it has `fsync = off`: a crash of the machine would lose what was acknowledged, \
             or the whole database; switch fsync on"
                .to_owned(),
        );
    }
    if !row.get::<_, bool>(3) {
        return unfit(
            "it has `full_page_writes = off`: a crash of the machine could damage it; \
             switch full_page_writes on"
                .to_owned(),
        );
    }
    if row.get(4) {
        return unfit(
            "it is a standby, which cannot be written to: use the primary, or name all \
             servers with `target_session_attrs=read-write`"
                .to_owned(),
        );
    }
    if row.get(5) {
        return unfit(
            "its transactions are read-only here: check `default_transaction_read_only` \
             of the server, the database and the role"
                .to_owned(),
        );
    }
    let encoding: String = row.get(6);
    if encoding != "UTF8" {
        return unfit(format!("the database has the encoding {encoding}: make one with UTF8"));
    }
    let commit: String = row.get(7);
    Ok(if commit == "remote_apply" { transaction::BEGIN_APPLIED } else { transaction::BEGIN })
}
