//! Everything in the order in which it can be stored again, page by page.

use std::{error::Error, sync::Arc};

use parlour_core::port::store::transfer::{Dump, DumpCursor, DumpedKind};
use tokio_postgres::Row;

use super::dump_rows as read;
use crate::postgres::{
    db::{Db, Step},
    params::{Encoded, Param},
    rows,
};

/// The key of a row, as a cursor carries it.
type Key = Arc<[Arc<str>]>;

/// How one kind of thing is read: its table, its columns, the key that orders it, and how a row becomes a record.
struct Reading {
    kind: DumpedKind,
    table: &'static str,
    columns: &'static str,
    key: &'static [Part],
    read: fn(&Row) -> Step<Dump>,
}

/// A column of a key.
enum Part {
    Text(&'static str),
    Number(&'static str),
}

impl Part {
    const fn column(&self) -> &'static str {
        match self {
            Self::Text(column) | Self::Number(column) => column,
        }
    }

    fn value(&self, text: &str) -> Value {
        match self {
            Self::Text(_) => Value::Text(text.to_owned()),
            Self::Number(_) => Value::Number(text.parse().unwrap_or(i64::MAX)),
        }
    }
}

/// A part of a key as a parameter.
enum Value {
    Text(String),
    Number(i64),
}

impl Param for Value {
    fn encode(&self) -> Result<Encoded, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Text(text) => text.encode(),
            Self::Number(number) => number.encode(),
        }
    }
}

const ALL: [Reading; 9] = [
    Reading {
        kind: DumpedKind::Users,
        table: "users",
        columns: "id, username, name, email, avatar, state, revoked_before, last_seen, created_at",
        key: &[Part::Text("id")],
        read: read::user,
    },
    Reading {
        kind: DumpedKind::Blocks,
        table: "blocks",
        columns: "blocker, blocked, at",
        key: &[Part::Text("blocker"), Part::Text("blocked")],
        read: read::block,
    },
    Reading {
        kind: DumpedKind::Conversations,
        table: "conversations",
        columns: "id, kind, state, title, subject, external_id, direct_key, metadata, last_seq, receipts, \
                  created_at, active_at, latest_at",
        key: &[Part::Number("id")],
        read: read::conversation,
    },
    Reading {
        kind: DumpedKind::Participants,
        table: "participants",
        columns: "conversation, user_id, role, joined_seq, entered_seq, delivered_seq, read_seq, \
                  receipt_version, receipt_at, joined_at",
        key: &[Part::Number("conversation"), Part::Text("user_id")],
        read: read::participant,
    },
    Reading {
        kind: DumpedKind::Memberships,
        table: "past_memberships",
        columns: "conversation, user_id, from_seq, to_seq",
        key: &[Part::Number("conversation"), Part::Text("user_id"), Part::Number("from_seq")],
        read: read::membership,
    },
    Reading {
        kind: DumpedKind::Messages,
        table: "messages",
        columns: "id, conversation, seq, change_seq, sender, client_id, content_hash, kind, text, metadata, \
                  reply_to, created_at, edited_at, deleted_at",
        key: &[Part::Number("conversation"), Part::Number("seq")],
        read: read::message,
    },
    Reading {
        kind: DumpedKind::Revisions,
        table: "revisions",
        columns: "message, seq, text, at",
        key: &[Part::Number("message"), Part::Number("seq")],
        read: read::revision,
    },
    Reading {
        kind: DumpedKind::Changes,
        table: "changes",
        columns: "conversation, seq, kind, actor, user_id, role, title, state, metadata, at",
        key: &[Part::Number("conversation"), Part::Number("seq")],
        read: read::change,
    },
    Reading {
        kind: DumpedKind::Keys,
        table: "import_keys",
        columns: "source, kind, host_id, target, state",
        key: &[Part::Text("source"), Part::Number("kind"), Part::Text("host_id")],
        read: read::key,
    },
];

/// The next records, all of one kind.
pub(super) async fn page(
    db: &Db,
    after: Option<&DumpCursor>,
    limit: usize,
) -> Step<(Vec<Dump>, Option<DumpCursor>)> {
    let first = after.map_or(DumpedKind::Users, |cursor| cursor.kind);
    for reading in ALL.iter().filter(|reading| reading.kind >= first) {
        let after = after.filter(|cursor| cursor.kind == reading.kind);
        let rows = reading.page(db, after, limit.max(1)).await?;
        if let Some((_, last)) = rows.last() {
            let cursor = DumpCursor { kind: reading.kind, after: last.clone() };
            let records = rows.into_iter().map(|(record, _)| record).collect();
            return Ok((records, Some(cursor)));
        }
    }
    Ok((Vec::new(), None))
}

impl Reading {
    async fn page(
        &self,
        db: &Db,
        after: Option<&DumpCursor>,
        limit: usize,
    ) -> Step<Vec<(Dump, Key)>> {
        let key: Vec<&str> = self.key.iter().map(Part::column).collect();
        let key = key.join(", ");
        // With names of their own, so that the order is by the columns themselves.
        let texts: Vec<String> = (0..)
            .zip(self.key)
            .map(|(place, part)| format!("{}::text AS key_{place}", part.column()))
            .collect();
        let mut values = vec![Value::Number(rows::limit(limit))];
        let mut place = String::new();
        if let Some(cursor) = after {
            values.extend(self.key.iter().zip(&*cursor.after).map(|(part, text)| part.value(text)));
            let marks: Vec<String> = (2..=values.len()).map(|place| format!("${place}")).collect();
            place = format!("WHERE ({key}) > ({})", marks.join(", "));
        }
        let (columns, table) = (self.columns, self.table);
        // The columns of a record come first, so that reading one does not depend on its key.
        let sql = format!(
            "SELECT {columns}, {} FROM {table} {place} ORDER BY {key} LIMIT $1",
            texts.join(", ")
        );
        let width = columns.split(',').count();
        let params: Vec<&dyn Param> = values.iter().map(|value| value as &dyn Param).collect();
        db.all(&sql, &params, |row| {
            let key: Step<Vec<Arc<str>>> =
                (0..self.key.len()).map(|part| rows::shared(row, width + part)).collect();
            Ok(((self.read)(row)?, key?.into()))
        })
        .await
    }
}
