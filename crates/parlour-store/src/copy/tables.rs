//! What is copied: every table with its columns, the same in both databases.

/// A value of a column, as both databases can hold it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A row, its values in the order of [`Table::columns`].
pub(crate) type Row = Vec<Value>;

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Int,
    Text,
    Bytes,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// A table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [Column],
    /// By what it is read in order; nothing where the order does not matter.
    pub(crate) order: &'static [&'static str],
    /// Its `id` is given by the database, and never twice.
    pub(crate) gives_ids: bool,
}

const fn int(name: &'static str) -> Column {
    Column { name, kind: Kind::Int }
}

const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text }
}

const fn bytes(name: &'static str) -> Column {
    Column { name, kind: Kind::Bytes }
}

const fn table(name: &'static str, columns: &'static [Column]) -> Table {
    Table { name, columns, order: &[], gives_ids: false }
}

const fn with_ids(
    name: &'static str,
    columns: &'static [Column],
    order: &'static [&'static str],
) -> Table {
    Table { name, columns, order, gives_ids: true }
}

/// Every table whose rows are copied. Tickets last half a minute, and leases and duties belong to processes: they stay.
static ALL: [Table; 15] = [
    table(
        "users",
        &[
            text("id"),
            text("username"),
            text("name"),
            text("email"),
            text("avatar"),
            int("state"),
            int("revoked_before"),
            int("last_seen"),
            int("created_at"),
            text("id_fold"),
            text("username_fold"),
            text("name_fold"),
            int("version"),
        ],
    ),
    table("blocks", &[text("blocker"), text("blocked"), int("at")]),
    with_ids(
        "conversations",
        &[
            int("id"),
            int("kind"),
            int("state"),
            text("title"),
            text("title_fold"),
            text("subject"),
            text("external_id"),
            text("direct_key"),
            text("metadata"),
            int("epoch"),
            int("last_seq"),
            int("receipts"),
            int("created_at"),
            int("active_at"),
            int("latest_at"),
        ],
        &["id"],
    ),
    table(
        "participants",
        &[
            int("conversation"),
            text("user"),
            int("role"),
            int("joined_seq"),
            int("entered_seq"),
            int("delivered_seq"),
            int("read_seq"),
            int("receipt_version"),
            int("receipt_at"),
            int("joined_at"),
        ],
    ),
    table("past_memberships", &[int("conversation"), text("user"), int("from_seq"), int("to_seq")]),
    with_ids(
        "messages",
        &[
            int("id"),
            int("conversation"),
            int("seq"),
            int("change_seq"),
            text("sender"),
            text("client_id"),
            bytes("content_hash"),
            int("kind"),
            text("text"),
            text("metadata"),
            int("reply_to"),
            int("created_at"),
            int("edited_at"),
            int("deleted_at"),
        ],
        // The order of the logs, by which those are compared.
        &["conversation", "seq"],
    ),
    table("revisions", &[int("message"), int("seq"), text("text"), int("at")]),
    table(
        "changes",
        &[
            int("conversation"),
            int("seq"),
            int("kind"),
            text("actor"),
            text("user"),
            int("role"),
            text("title"),
            int("state"),
            text("metadata"),
            int("at"),
        ],
    ),
    table(
        "credentials",
        &[
            text("user"),
            text("username"),
            text("username_fold"),
            text("password"),
            int("changed_at"),
        ],
    ),
    table("api_keys", &[text("name"), bytes("secret"), int("created_at")]),
    table(
        "sessions",
        &[
            text("id"),
            text("user"),
            bytes("refresh"),
            bytes("cookie"),
            int("created_at"),
            int("expires_at"),
        ],
    ),
    table("used_refresh_tokens", &[bytes("hash"), text("session")]),
    table(
        "import_keys",
        &[text("source"), int("kind"), text("host_id"), int("target"), bytes("state")],
    ),
    with_ids(
        "sockets",
        &[
            int("id"),
            text("user"),
            text("dialect"),
            int("scope"),
            text("device"),
            int("agent"),
            int("waiting_since"),
            int("expires_at"),
        ],
        &["id"],
    ),
    table("socket_positions", &[int("socket"), int("conversation"), int("epoch"), int("seq")]),
];

impl Table {
    /// All of them, in the order in which they are copied.
    pub(crate) fn all() -> &'static [Self] {
        &ALL
    }

    /// The place of a column.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Its columns for a statement. Some of their names are words of SQL.
    pub(crate) fn column_list(&self) -> String {
        list(self.columns.iter().map(|column| column.name))
    }

    /// The statement that reads it, with these expressions for its columns.
    pub(crate) fn selection(&self, columns: &str) -> String {
        let order = match self.order {
            [] => String::new(),
            order => format!(" ORDER BY {}", list(order.iter().copied())),
        };
        format!("SELECT {columns} FROM {}{order}", self.name)
    }

    /// Makes a row as it is to stand in the copy: a socket that is live has nobody there, and waits as after a crash.
    pub(crate) fn settle(&self, row: &mut Row) {
        if self.name != "sockets" {
            return;
        }
        for name in ["waiting_since", "expires_at"] {
            if let Some(value) = self.place(name).and_then(|place| row.get_mut(place))
                && *value == Value::Null
            {
                *value = Value::Int(0);
            }
        }
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_socket_waits_in_the_copy() {
        let sockets = ALL.iter().find(|table| table.name == "sockets").unwrap();
        let mut live = vec![Value::Null; sockets.columns.len()];
        let mut waiting = live.clone();
        waiting[6] = Value::Int(7);
        waiting[7] = Value::Int(8);
        let before = waiting.clone();
        sockets.settle(&mut live);
        sockets.settle(&mut waiting);
        assert_eq!(live[6..], [Value::Int(0), Value::Int(0)]);
        assert_eq!(waiting, before);
    }

    #[test]
    fn tables_are_ordered_by_columns_that_they_have() {
        for table in &ALL {
            assert!(table.order.iter().all(|name| table.place(name).is_some()), "{}", table.name);
            assert_eq!(
                table.gives_ids,
                table.place("id") == Some(0) && table.columns[0].kind == Kind::Int
            );
        }
    }
}
