//! Everything in the order in which it can be stored again, page by page.

use std::sync::Arc;

use parlour_core::port::store::transfer::{Dump, DumpCursor, DumpedKind};
use rusqlite::{Row, params_from_iter, types::Value};

use super::dump_rows as read;
use crate::sqlite::{db::Db, rows};

/// The key of a row, as a cursor carries it.
type Key = Arc<[Arc<str>]>;

/// How one kind of thing is read: its table, its columns, the key that orders it, and how a row becomes a record.
struct Reading {
    kind: DumpedKind,
    table: &'static str,
    columns: &'static str,
    key: &'static [Part],
    read: fn(&Row<'_>) -> rusqlite::Result<Dump>,
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
            Self::Number(_) => Value::Integer(text.parse().unwrap_or(i64::MAX)),
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
        columns: "conversation, user, role, joined_seq, entered_seq, delivered_seq, read_seq, \
                  receipt_version, receipt_at, joined_at",
        key: &[Part::Number("conversation"), Part::Text("user")],
        read: read::participant,
    },
    Reading {
        kind: DumpedKind::Memberships,
        table: "past_memberships",
        columns: "conversation, user, from_seq, to_seq",
        key: &[Part::Number("conversation"), Part::Text("user"), Part::Number("from_seq")],
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
        columns: "conversation, seq, kind, actor, user, role, title, state, metadata, at",
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
pub(super) fn page(
    db: &Db,
    after: Option<&DumpCursor>,
    limit: usize,
) -> rusqlite::Result<(Vec<Dump>, Option<DumpCursor>)> {
    let first = after.map_or(DumpedKind::Users, |cursor| cursor.kind);
    for reading in ALL.iter().filter(|reading| reading.kind >= first) {
        let after = after.filter(|cursor| cursor.kind == reading.kind);
        let rows = reading.page(db, after, limit.max(1))?;
        if let Some((_, last)) = rows.last() {
            let cursor = DumpCursor { kind: reading.kind, after: last.clone() };
            let records = rows.into_iter().map(|(record, _)| record).collect();
            return Ok((records, Some(cursor)));
        }
    }
    Ok((Vec::new(), None))
}

impl Reading {
    fn page(
        &self,
        db: &Db,
        after: Option<&DumpCursor>,
        limit: usize,
    ) -> rusqlite::Result<Vec<(Dump, Key)>> {
        let key: Vec<&str> = self.key.iter().map(Part::column).collect();
        let key = key.join(", ");
        let texts: Vec<String> =
            self.key.iter().map(|part| format!("CAST({} AS TEXT)", part.column())).collect();
        let mut values = vec![Value::Integer(rows::limit(limit))];
        let mut place = String::new();
        if let Some(cursor) = after {
            values.extend(self.key.iter().zip(&*cursor.after).map(|(part, text)| part.value(text)));
            let marks: Vec<String> = (2..=values.len()).map(|place| format!("?{place}")).collect();
            place = format!("WHERE ({key}) > ({})", marks.join(", "));
        }
        let (columns, table) = (self.columns, self.table);
        // The columns of a record come first, so that reading one does not depend on its key.
        let sql = format!(
            "SELECT {columns}, {} FROM {table} {place} ORDER BY {key} LIMIT ?1",
            texts.join(", ")
        );
        let width = columns.split(',').count();
        db.all(&sql, params_from_iter(values), |row| {
            let key: rusqlite::Result<Vec<Arc<str>>> =
                (0..self.key.len()).map(|part| rows::shared(row, width + part)).collect();
            Ok(((self.read)(row)?, key?.into()))
        })
    }
}
