//! A PostgreSQL database as source or target of a copy: one transaction on one connection.

use std::{
    iter,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::{SinkExt as _, TryStreamExt as _, pin_mut};
use parlour_core::port::BoxFuture;
use tokio::sync::mpsc;
use tokio_postgres::{
    Client, Row as Found, SimpleQueryMessage,
    types::{ToSql, Type, private::BytesMut},
};
use tokio_util::task::TaskTracker;

use super::{
    lease::{self, Lease, Use},
    migrate::{self, server_error},
};
use crate::{
    OpenError,
    copy::{Column, CopyError, Kind, PAGE, Role, Row, Table, Value},
};

/// Bytes that are sent at once.
const CHUNK: usize = 256 << 10;

/// References between the tables, and what makes them again.
const REFERENCES: &str = "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname), \
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) \
     FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace";

/// Indexes that are no part of a constraint, and what makes them again.
const INDEXES: &str = "SELECT format('DROP INDEX %s', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid) \
     FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid \
     WHERE t.relkind = 'r' AND t.relnamespace = current_schema()::regnamespace \
       AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid)";

/// A database that takes part in a copy.
pub(crate) struct CopySide {
    client: Client,
    /// What the operator calls it.
    at: String,
    in_use: bool,
    /// What was taken away while the tables are filled.
    put_off: Vec<String>,
    /// Nobody else uses it, as long as this is there and was not lost.
    lease: Option<Lease>,
    lost: Arc<AtomicBool>,
}

impl CopySide {
    /// Opens it for its part.
    pub(crate) async fn open(url: &str, role: Role) -> Result<Self, CopyError> {
        let server = super::server(url, &TaskTracker::new())?;
        let at = server.shown();
        let lost = Arc::new(AtomicBool::new(false));
        let noted = lost.clone();
        let on_fatal = Arc::new(move |_: &str| noted.store(true, Ordering::Relaxed));
        let lease = match role {
            Role::Target | Role::FinalSource => {
                Some(Lease::take(server.clone(), None, Use::Alone, on_fatal).await?)
            }
            Role::Source | Role::Compared => None,
        };
        if role == Role::Target {
            super::prepare(&server, &at).await?;
        }
        let client = server.connect().await.map_err(|source| server_error(&at, source))?;
        if !migrate::pending(&client, &at, migrate::ALL).await?.is_empty() {
            return Err(CopyError::Old(at));
        }
        let put_off = Vec::new();
        let mut side = Self { client, at, in_use: false, put_off, lease, lost };
        if role == Role::Target {
            side.begin_writing().await?;
        } else {
            side.begin_reading().await?;
            let users = side.texts(&lease::users_of_the_database()).await?;
            side.in_use = side.lease.is_none() && !users.is_empty();
        }
        Ok(side)
    }

    async fn begin_reading(&self) -> Result<(), CopyError> {
        self.run(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0; \
             SET LOCAL idle_in_transaction_session_timeout = 0; SELECT count(*) FROM meta",
        )
        .await
    }

    async fn begin_writing(&mut self) -> Result<(), CopyError> {
        self.run(
            "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '10s'; \
             SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL synchronous_commit = on",
        )
        .await?;
        for table in Table::all() {
            let found = self.texts(&format!("SELECT 1 FROM {} LIMIT 1", table.name)).await?;
            if !found.is_empty() {
                return Err(CopyError::NotEmpty { at: self.at.clone(), table: table.name });
            }
        }
        // Filled tables are indexed, and their references checked, much faster than one row after the other; and a
        // message may answer one that comes after it.
        for sql in [REFERENCES, INDEXES] {
            for row in self.texts(sql).await? {
                if let [drop, make] = row.as_slice() {
                    self.run(drop).await?;
                    self.put_off.push(make.clone());
                }
            }
        }
        Ok(())
    }

    async fn run(&self, sql: &str) -> Result<(), CopyError> {
        self.client.batch_execute(sql).await.map_err(|error| self.error(error))
    }

    /// The rows of a statement, as texts.
    async fn texts(&self, sql: &str) -> Result<Vec<Vec<String>>, CopyError> {
        let answers = self.client.simple_query(sql).await.map_err(|error| self.error(error))?;
        let rows = answers.iter().filter_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => {
                let values =
                    (0..row.len()).map(|place| row.get(place).unwrap_or_default().to_owned());
                Some(values.collect())
            }
            _ => None,
        });
        Ok(rows.collect())
    }

    /// The number that a statement gives; zero when it gives none.
    async fn number(&self, sql: &str) -> Result<i64, CopyError> {
        let rows = self.texts(sql).await?;
        Ok(rows.first().and_then(|row| row.first()?.parse().ok()).unwrap_or_default())
    }

    fn error(&self, source: tokio_postgres::Error) -> CopyError {
        CopyError::Database { at: self.at.clone(), source: Box::new(source) }
    }

    async fn read_all(
        &self,
        table: &'static Table,
        rows: mpsc::Sender<Vec<Row>>,
    ) -> Result<(), CopyError> {
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|column| match column.kind {
                Kind::Int => format!("{}::bigint", name(column)),
                Kind::Text | Kind::Bytes => name(column),
            })
            .collect();
        let sql = table.selection(&columns.join(", "));
        let nothing = iter::empty::<(&(dyn ToSql + Sync), Type)>();
        let found = self.client.query_typed_raw(&sql, nothing).await;
        let found = found.map_err(|error| self.error(error))?;
        pin_mut!(found);
        let mut page = Vec::with_capacity(PAGE);
        while let Some(row) = found.try_next().await.map_err(|error| self.error(error))? {
            page.push(values(&row, table)?);
            if page.len() == PAGE {
                let full = std::mem::replace(&mut page, Vec::with_capacity(PAGE));
                if rows.send(full).await.is_err() {
                    return Ok(());
                }
            }
        }
        if !page.is_empty() {
            // Who takes them may have failed; he says so himself.
            let _ = rows.send(page).await;
        }
        Ok(())
    }

    async fn write_all(
        &self,
        table: &'static Table,
        mut rows: mpsc::Receiver<Vec<Row>>,
    ) -> Result<(), CopyError> {
        let columns: Vec<String> = table.columns.iter().map(name).collect();
        let sql = format!("COPY {} ({}) FROM STDIN", table.name, columns.join(", "));
        let sink = self.client.copy_in(&sql).await.map_err(|error| self.error(error))?;
        pin_mut!(sink);
        let mut chunk = BytesMut::with_capacity(CHUNK + (CHUNK >> 2));
        while let Some(page) = rows.recv().await {
            for row in &page {
                encode(row, &mut chunk);
                if chunk.len() >= CHUNK {
                    let full = chunk.split().freeze();
                    sink.send(full).await.map_err(|error| self.error(error))?;
                }
            }
        }
        sink.send(chunk.freeze()).await.map_err(|error| self.error(error))?;
        sink.finish().await.map_err(|error| self.error(error))?;
        Ok(())
    }

    async fn sequence(&self, table: &'static Table) -> Result<String, CopyError> {
        let sql = format!("SELECT pg_get_serial_sequence('{}', 'id')", table.name);
        let rows = self.texts(&sql).await?;
        Ok(rows.into_iter().flatten().next().unwrap_or_default())
    }
}

/// The name of a column here, where `user` is a word of SQL.
fn name(column: &Column) -> String {
    if column.name == "user" { "user_id".to_owned() } else { format!("\"{}\"", column.name) }
}

fn values(row: &Found, table: &'static Table) -> Result<Row, CopyError> {
    let mut values = Vec::with_capacity(table.columns.len());
    for (place, column) in table.columns.iter().enumerate() {
        let value = match column.kind {
            Kind::Int => row.try_get::<_, Option<i64>>(place).map(|value| value.map(Value::Int)),
            Kind::Text => {
                row.try_get::<_, Option<String>>(place).map(|value| value.map(Value::Text))
            }
            Kind::Bytes => {
                row.try_get::<_, Option<Vec<u8>>>(place).map(|value| value.map(Value::Bytes))
            }
        };
        let unreadable = |_| CopyError::Unreadable { table: table.name, column: column.name };
        values.push(value.map_err(unreadable)?.unwrap_or(Value::Null));
    }
    Ok(values)
}

/// Writes a row as a line of COPY's text format.
fn encode(row: &Row, out: &mut BytesMut) {
    for (place, value) in row.iter().enumerate() {
        if place > 0 {
            out.extend_from_slice(b"\t");
        }
        match value {
            Value::Null => out.extend_from_slice(b"\\N"),
            Value::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Value::Text(text) => escape(text, out),
            Value::Bytes(bytes) => {
                out.extend_from_slice(b"\\\\x");
                for byte in bytes {
                    out.extend_from_slice(format!("{byte:02x}").as_bytes());
                }
            }
        }
    }
    out.extend_from_slice(b"\n");
}

fn escape(text: &str, out: &mut BytesMut) {
    let mut rest = text.as_bytes();
    while let Some(special) = rest.iter().position(|byte| b"\\\n\r\t".contains(byte)) {
        let (plain, after) = rest.split_at(special);
        out.extend_from_slice(plain);
        out.extend_from_slice(match after.first() {
            Some(b'\\') => b"\\\\",
            Some(b'\n') => b"\\n",
            Some(b'\r') => b"\\r",
            _ => b"\\t",
        });
        rest = after.get(1..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

impl crate::copy::Side for CopySide {
    fn in_use(&self) -> bool {
        self.in_use
    }

    fn count(&mut self, table: &'static Table) -> BoxFuture<'_, Result<u64, CopyError>> {
        Box::pin(async move {
            let rows = self.number(&format!("SELECT count(*) FROM {}", table.name)).await?;
            Ok(u64::try_from(rows).unwrap_or_default())
        })
    }

    fn read(
        &mut self,
        table: &'static Table,
        rows: mpsc::Sender<Vec<Row>>,
    ) -> BoxFuture<'_, Result<(), CopyError>> {
        Box::pin(self.read_all(table, rows))
    }

    fn write(
        &mut self,
        table: &'static Table,
        rows: mpsc::Receiver<Vec<Row>>,
    ) -> BoxFuture<'_, Result<(), CopyError>> {
        Box::pin(self.write_all(table, rows))
    }

    fn epoch(&mut self) -> BoxFuture<'_, Result<i64, CopyError>> {
        Box::pin(self.number("SELECT value FROM meta WHERE key = 'epoch'"))
    }

    fn set_epoch(&mut self, epoch: i64) -> BoxFuture<'_, Result<(), CopyError>> {
        Box::pin(async move {
            self.run(&format!("UPDATE meta SET value = {epoch} WHERE key = 'epoch'")).await
        })
    }

    fn last_id(&mut self, table: &'static Table) -> BoxFuture<'_, Result<i64, CopyError>> {
        Box::pin(async move {
            let sequence = self.sequence(table).await?;
            let sql =
                format!("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}");
            self.number(&sql).await
        })
    }

    fn set_last_id(
        &mut self,
        table: &'static Table,
        id: i64,
    ) -> BoxFuture<'_, Result<(), CopyError>> {
        Box::pin(async move {
            let sequence = self.sequence(table).await?;
            let table = table.name;
            // Not less than what is there: ids may have been given by hand.
            let sql = format!(
                "SELECT setval('{sequence}', last) FROM \
                   (SELECT greatest({id}, (SELECT max(id) FROM {table})) AS last) AS ids WHERE last > 0"
            );
            self.run(&sql).await
        })
    }

    fn filled(&mut self) -> BoxFuture<'_, Result<(), CopyError>> {
        Box::pin(async move {
            // The indexes, which were put off last, before the references, which need them.
            for sql in std::mem::take(&mut self.put_off).iter().rev() {
                self.run(sql).await?;
            }
            Ok(())
        })
    }

    fn keep(self: Box<Self>) -> BoxFuture<'static, Result<(), CopyError>> {
        Box::pin(async move {
            if self.lost.load(Ordering::Relaxed) {
                return Err(CopyError::Open(OpenError::Shared { address: self.at.clone() }));
            }
            self.run("COMMIT").await?;
            self.run("ANALYZE").await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_what_is_special_in_lines() {
        let row = vec![
            Value::Null,
            Value::Int(-7),
            Value::Text("a\tb\\N\r\nc".into()),
            Value::Text(String::new()),
            Value::Bytes(vec![0, 255]),
        ];
        let mut line = BytesMut::new();
        encode(&row, &mut line);
        assert_eq!(&line[..], b"\\N\t-7\ta\\tb\\\\N\\r\\nc\t\t\\\\x00ff\n");
    }
}
