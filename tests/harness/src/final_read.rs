//! Reading everything at the end: through REST, and straight from the database file.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use rusqlite::{Connection, Row, params};

use crate::{
    history::{FinalRead, Message},
    process::Server,
};

/// All messages of a conversation as a user gets them through REST.
///
/// # Errors
/// When the server does not answer.
pub async fn through_rest(
    server: &Server,
    user: &str,
    conversation: u64,
    as_of: usize,
) -> Result<FinalRead> {
    let values = server.rest(user)?.all_messages(conversation).await?;
    let messages = values
        .iter()
        .map(|value| Message::from_wire(value).with_context(|| format!("no message: {value}")))
        .collect::<Result<Vec<_>>>()?;
    Ok(FinalRead {
        source: format!("rest:{user}"),
        as_of,
        conversation,
        from: 0,
        last_seq: None,
        messages,
        others: Vec::new(),
        complete: false,
    })
}

/// Every conversation of a database whose server is not running. It is read from a copy, recovered as the
/// server would recover it, so that the original stays as the crash left it.
///
/// # Errors
/// When the file is no database of Parlour's.
pub fn from_database(file: &Path, as_of: usize) -> Result<Vec<FinalRead>> {
    let copy = tempfile::tempdir()?;
    let path = copy.path().join("copy.db");
    fs::copy(file, &path)?;
    let journal = file.with_extension("db-wal");
    if journal.exists() {
        fs::copy(journal, path.with_extension("db-wal"))?;
    }
    let db = Connection::open(&path)?;
    let damage: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    anyhow::ensure!(damage == "ok", "the database is damaged: {damage}");
    let mut select = db.prepare("SELECT id, last_seq FROM conversations ORDER BY id")?;
    let heads = select
        .query_map([], |row| Ok((number(row, 0)?, number(row, 1)?)))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    heads.into_iter().map(|head| conversation(&db, head, as_of)).collect()
}

fn conversation(db: &Connection, (id, last_seq): (u64, u64), as_of: usize) -> Result<FinalRead> {
    let mut messages = db.prepare(
        "SELECT id, seq, change_seq, sender, client_id, text FROM messages WHERE conversation = ?1 ORDER BY seq",
    )?;
    let messages = messages
        .query_map(params![id.cast_signed()], |row| {
            Ok(Message {
                id: number(row, 0)?,
                seq: number(row, 1)?,
                change_seq: number(row, 2)?,
                sender: row.get(3)?,
                client_id: row.get(4)?,
                content: row.get(5)?,
            })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut others = db.prepare(
        "SELECT seq FROM changes WHERE conversation = ?1
         UNION ALL
         SELECT r.seq FROM revisions r JOIN messages m ON m.id = r.message
         WHERE m.conversation = ?1 AND r.seq NOT IN (m.seq, m.change_seq)",
    )?;
    let others = others
        .query_map(params![id.cast_signed()], |row| number(row, 0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(FinalRead {
        source: "database".into(),
        as_of,
        conversation: id,
        from: 0,
        last_seq: Some(last_seq),
        messages,
        others,
        complete: true,
    })
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}
