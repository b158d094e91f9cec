//! A file as source or target of a copy: one transaction on one connection.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use parlour_core::port::BoxFuture;
use rusqlite::{Connection, OptionalExtension, params_from_iter, types};
use tokio::{sync::mpsc, task};

use super::{
    client_ids,
    file::{self, Held, Place},
    message_ids, migrate,
};
use crate::{
    OpenError,
    copy::{CopyError, Kind, PAGE, Role, Row, Table, Value},
};

/// A file that takes part in a copy.
pub(crate) struct CopySide {
    connection: Arc<Mutex<Connection>>,
    /// What the operator calls it.
    at: Arc<str>,
    in_use: bool,
    /// After the connection, so that it is dropped after it: it may remove the file.
    _held: Held,
}

impl CopySide {
    /// Opens it for its part.
    pub(crate) async fn open(place: Place, role: Role) -> Result<Self, CopyError> {
        blocking(move || match (place, role) {
            (Place::File(path), Role::Target) => open_target(&path),
            (Place::File(path), _) if !path.exists() => {
                Err(CopyError::Missing(path.display().to_string()))
            }
            (Place::File(path), role) => open_source(&path, role),
            (Place::Temporary | Place::CopyOf(_), _) => {
                Err(CopyError::Open(OpenError::Address("sqlite::memory:".into())))
            }
        })
        .await
    }

    /// Does something with the connection, on a thread that may block.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, CopyError> {
        let (connection, at) = (self.connection.clone(), self.at.clone());
        blocking(move || {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&connection).map_err(|failure| failure.into_error(&at))
        })
        .await
    }
}

/// Why something could not be done with the file.
enum Failure {
    Database(rusqlite::Error),
    Unreadable(&'static str, &'static str),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl Failure {
    fn into_error(self, at: &str) -> CopyError {
        match self {
            Self::Database(source) => {
                CopyError::Database { at: at.to_owned(), source: Box::new(source) }
            }
            Self::Unreadable(table, column) => CopyError::Unreadable { table, column },
        }
    }
}

/// Runs something that blocks beside the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CopyError> + Send + 'static,
) -> Result<T, CopyError> {
    task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(CopyError::Database { at: "the database".into(), source: Box::new(error) })
    })
}

/// One that is in use is copied first, so that its server is not held up for as long as the whole takes.
fn open_source(path: &Path, role: Role) -> Result<CopySide, CopyError> {
    let (held, in_use) = match Held::take(Place::File(path.to_owned())) {
        Err(OpenError::InUse { .. }) if role != Role::FinalSource => {
            (Held::take(Place::CopyOf(path.to_owned()))?, true)
        }
        held => (held?, false),
    };
    let connection = file::connect_reader(&held.file)?;
    if !migrate::pending(&connection, path, migrate::ALL)?.is_empty() {
        return Err(CopyError::Old(path.display().to_string()));
    }
    let snapshot = "BEGIN; SELECT count(*) FROM meta";
    connection.execute_batch(snapshot).map_err(|source| migrate::database_error(path, source))?;
    Ok(side(connection, held, path, in_use))
}

fn open_target(path: &Path) -> Result<CopySide, CopyError> {
    let held = Held::take(Place::File(path.to_owned()))?;
    let (connection, _) = super::prepare(&held)?;
    for table in Table::all() {
        let sql = format!("SELECT 1 FROM {} LIMIT 1", table.name);
        let found = connection.prepare(&sql).and_then(|mut rows| rows.exists([]));
        if found.map_err(|source| migrate::database_error(path, source))? {
            let at = path.display().to_string();
            return Err(CopyError::NotEmpty { at, table: table.name });
        }
    }
    // References are checked at the end: a message may answer one that comes after it.
    let begin = "BEGIN IMMEDIATE; PRAGMA defer_foreign_keys = ON";
    connection.execute_batch(begin).map_err(|source| migrate::database_error(path, source))?;
    Ok(side(connection, held, path, false))
}

fn side(connection: Connection, held: Held, path: &Path, in_use: bool) -> CopySide {
    let connection = Arc::new(Mutex::new(connection));
    CopySide { connection, at: path.display().to_string().into(), in_use, _held: held }
}

impl crate::copy::Side for CopySide {
    fn in_use(&self) -> bool {
        self.in_use
    }

    fn count(&mut self, table: &'static Table) -> BoxFuture<'_, Result<u64, CopyError>> {
        Box::pin(self.with(move |connection| {
            let sql = format!("SELECT count(*) FROM {}", table.name);
            let rows: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
            Ok(u64::try_from(rows).unwrap_or_default())
        }))
    }

    fn read(
        &mut self,
        table: &'static Table,
        rows: mpsc::Sender<Vec<Row>>,
    ) -> BoxFuture<'_, Result<(), CopyError>> {
        Box::pin(self.with(move |connection| read(connection, table, &rows)))
    }

    fn write(
        &mut self,
        table: &'static Table,
        mut rows: mpsc::Receiver<Vec<Row>>,
    ) -> BoxFuture<'_, Result<(), CopyError>> {
        Box::pin(self.with(move |connection| write(connection, table, &mut rows)))
    }

    fn epoch(&mut self) -> BoxFuture<'_, Result<i64, CopyError>> {
        Box::pin(self.with(|connection| {
            let sql = "SELECT value FROM meta WHERE key = 'epoch'";
            Ok(connection.query_row(sql, [], |row| row.get(0))?)
        }))
    }

    fn set_epoch(&mut self, epoch: i64) -> BoxFuture<'_, Result<(), CopyError>> {
        Box::pin(self.with(move |connection| {
            connection.execute("UPDATE meta SET value = ?1 WHERE key = 'epoch'", [epoch])?;
            Ok(())
        }))
    }

    fn last_id(&mut self, table: &'static Table) -> BoxFuture<'_, Result<i64, CopyError>> {
        Box::pin(self.with(move |connection| {
            if table.name == "messages" {
                return Ok(message_ids::last_given(connection)?);
            }
            let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
            let last = connection.query_row(sql, [table.name], |row| row.get(0)).optional()?;
            Ok(last.unwrap_or_default())
        }))
    }

    fn set_last_id(
        &mut self,
        table: &'static Table,
        id: i64,
    ) -> BoxFuture<'_, Result<(), CopyError>> {
        Box::pin(self.with(move |connection| {
            if table.name == "messages" {
                return Ok(message_ids::begin_after(connection, id)?);
            }
            let sql = "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1";
            if connection.execute(sql, (table.name, id))? == 0 {
                let sql = "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)";
                connection.execute(sql, (table.name, id))?;
            }
            Ok(())
        }))
    }

    fn filled(&mut self) -> BoxFuture<'_, Result<(), CopyError>> {
        Box::pin(self.with(|connection| Ok(client_ids::fill(connection)?)))
    }

    fn keep(self: Box<Self>) -> BoxFuture<'static, Result<(), CopyError>> {
        Box::pin(async move {
            self.with(|connection| {
                connection
                    .execute_batch("COMMIT; PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE)")?;
                Ok(())
            })
            .await
        })
    }
}

fn read(
    connection: &Connection,
    table: &'static Table,
    rows: &mpsc::Sender<Vec<Row>>,
) -> Result<(), Failure> {
    let mut statement = connection.prepare(&table.selection(&table.column_list()))?;
    let mut found = statement.query([])?;
    let mut page = Vec::with_capacity(PAGE);
    while let Some(row) = found.next()? {
        page.push(values(row, table)?);
        if page.len() == PAGE {
            let full = std::mem::replace(&mut page, Vec::with_capacity(PAGE));
            if rows.blocking_send(full).is_err() {
                return Ok(());
            }
        }
    }
    if !page.is_empty() {
        // Who takes them may have failed; he says so himself.
        let _ = rows.blocking_send(page);
    }
    Ok(())
}

fn values(row: &rusqlite::Row<'_>, table: &'static Table) -> Result<Row, Failure> {
    let mut values = Vec::with_capacity(table.columns.len());
    for (place, column) in table.columns.iter().enumerate() {
        let unreadable = || Failure::Unreadable(table.name, column.name);
        values.push(match (row.get_ref(place)?, column.kind) {
            (types::ValueRef::Null, _) => Value::Null,
            (types::ValueRef::Integer(number), Kind::Int) => Value::Int(number),
            (types::ValueRef::Text(text), Kind::Text) => {
                let text = std::str::from_utf8(text).map_err(|_| unreadable())?;
                Value::Text(text.to_owned())
            }
            (types::ValueRef::Blob(bytes), Kind::Bytes) => Value::Bytes(bytes.to_owned()),
            _ => return Err(unreadable()),
        });
    }
    Ok(values)
}

fn write(
    connection: &Connection,
    table: &'static Table,
    rows: &mut mpsc::Receiver<Vec<Row>>,
) -> Result<(), Failure> {
    let marks: Vec<String> = (1..=table.columns.len()).map(|place| format!("?{place}")).collect();
    let (columns, marks) = (table.column_list(), marks.join(", "));
    let sql = format!("INSERT INTO {} ({columns}) VALUES ({marks})", table.name);
    let mut insert = connection.prepare(&sql)?;
    while let Some(page) = rows.blocking_recv() {
        for row in page {
            insert.execute(params_from_iter(row.into_iter().map(owned)))?;
        }
    }
    Ok(())
}

fn owned(value: Value) -> types::Value {
    match value {
        Value::Null => types::Value::Null,
        Value::Int(number) => types::Value::Integer(number),
        Value::Text(text) => types::Value::Text(text),
        Value::Bytes(bytes) => types::Value::Blob(bytes),
    }
}
