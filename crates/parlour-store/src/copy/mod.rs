//! Copies everything from one database to another, of whichever kinds, and proves that it is the same.
//!
//! Unlike an export it holds also what signs people in, and it keeps the epochs: clients go on in the copy where they
//! were in the source. What is written to the source after its snapshot is not in the copy.

mod digest;
mod tables;

use std::fmt;

use parlour_core::port::BoxFuture;
use tokio::sync::mpsc;

pub use self::digest::{LogDigest, Tally};
use self::digest::{Summary, TableDigest};
pub(crate) use self::tables::{Column, Kind, Row, Table, Value};
use crate::{Address, OpenError, postgres, sqlite};

/// Rows that are handed on at once.
pub(crate) const PAGE: usize = 500;

/// Pages on their way from one database to the other.
const PAGES: usize = 4;

/// Conversations that differ are named up to this number.
const MOST_NAMED: usize = 20;

/// Why a copy was not made. The texts are for the operator. The target is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// One of the two cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is no such file to copy from.
    #[error("there is no database at `{0}`")]
    Missing(String),
    /// The source lacks migrations.
    #[error(
        "{0} was written by an older Parlour: bring it up to date first (`parlour migrate --database …`)"
    )]
    Old(String),
    /// The target holds something.
    #[error(
        "{at} is not empty (there is something in its table `{table}`): a copy goes into an empty database"
    )]
    NotEmpty {
        /// The target.
        at: String,
        /// A table that has rows.
        table: &'static str,
    },
    /// A database refused.
    #[error("cannot copy {at}")]
    Database {
        /// Which.
        at: String,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A row holds something that no Parlour writes.
    #[error(
        "a row of the table `{table}` cannot be read: column `{column}` holds something unexpected"
    )]
    Unreadable {
        /// Its table.
        table: &'static str,
        /// Its column.
        column: &'static str,
    },
}

/// How far a copy is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CopyProgress {
    /// Whether rows are being compared, not copied.
    pub comparing: bool,
    /// The table.
    pub table: &'static str,
    /// Rows so far, of all tables.
    pub rows: u64,
    /// Rows in all.
    pub of: u64,
}

/// What the two databases hold of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableComparison {
    /// Which table.
    pub table: &'static str,
    /// What the source has.
    pub source: Tally,
    /// What the target has.
    pub target: Tally,
}

/// A log that is not the same in both; `None` where it is not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogDifference {
    /// In the source.
    pub source: Option<LogDigest>,
    /// In the target.
    pub target: Option<LogDigest>,
}

/// What a comparison of two databases has found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Comparison {
    /// Every table.
    pub tables: Vec<TableComparison>,
    /// How many conversations the source has.
    pub conversations: u64,
    /// How many logs differ.
    pub differing_logs: u64,
    /// The first of them.
    pub logs: Vec<LogDifference>,
    /// Whether the lives that new logs begin with are the same.
    pub same_epoch: bool,
    /// A server may be writing to the source: what it has written since the snapshot is not in the copy.
    pub source_in_use: bool,
}

impl Comparison {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.same_epoch
            && self.differing_logs == 0
            && self.tables.iter().all(|table| table.source == table.target)
    }

    fn new(source: &Summary, target: &Summary) -> Self {
        let other = |table| target.tallies.iter().find(|(name, _)| *name == table);
        let tables = source.tallies.iter().map(|(table, tally)| TableComparison {
            table,
            source: *tally,
            target: other(*table).map(|(_, tally)| *tally).unwrap_or_default(),
        });
        let mut comparison = Self {
            tables: tables.collect(),
            conversations: source.logs.len() as u64,
            ..Self::default()
        };
        comparison.compare_logs(&source.logs, &target.logs);
        comparison
    }

    /// Both are in the order of conversations.
    fn compare_logs(&mut self, source: &[LogDigest], target: &[LogDigest]) {
        let (mut source, mut target) = (source.iter().peekable(), target.iter().peekable());
        loop {
            let difference = match (source.peek().copied(), target.peek().copied()) {
                (None, None) => return,
                (Some(one), Some(other)) if one.conversation == other.conversation => {
                    source.next();
                    target.next();
                    if one == other {
                        continue;
                    }
                    LogDifference { source: Some(*one), target: Some(*other) }
                }
                (Some(one), other)
                    if other.is_none_or(|other| one.conversation < other.conversation) =>
                {
                    source.next();
                    LogDifference { source: Some(*one), target: None }
                }
                (_, other) => {
                    target.next();
                    LogDifference { source: None, target: other.copied() }
                }
            };
            self.differing_logs += 1;
            if self.logs.len() < MOST_NAMED {
                self.logs.push(difference);
            }
        }
    }
}

/// One of the two databases, open for a copy. Its reads are of one snapshot; its writes are one transaction.
pub(crate) trait Side: Send {
    /// Whether somebody may be writing to it.
    fn in_use(&self) -> bool;

    /// How many rows a table has.
    fn count(&mut self, table: &'static Table) -> BoxFuture<'_, Result<u64, CopyError>>;

    /// Hands on all rows of a table. Ends early, without an error, when nobody takes them any more.
    fn read(
        &mut self,
        table: &'static Table,
        rows: mpsc::Sender<Vec<Row>>,
    ) -> BoxFuture<'_, Result<(), CopyError>>;

    /// Stores rows of a table.
    fn write(
        &mut self,
        table: &'static Table,
        rows: mpsc::Receiver<Vec<Row>>,
    ) -> BoxFuture<'_, Result<(), CopyError>>;

    /// The life that new logs begin with.
    fn epoch(&mut self) -> BoxFuture<'_, Result<i64, CopyError>>;

    /// Sets it.
    fn set_epoch(&mut self, epoch: i64) -> BoxFuture<'_, Result<(), CopyError>>;

    /// The last id that a table has ever given; zero when it has given none.
    fn last_id(&mut self, table: &'static Table) -> BoxFuture<'_, Result<i64, CopyError>>;

    /// Lets a table give ids after this one only.
    fn set_last_id(
        &mut self,
        table: &'static Table,
        id: i64,
    ) -> BoxFuture<'_, Result<(), CopyError>>;

    /// All tables are filled: puts in order what was put off.
    fn filled(&mut self) -> BoxFuture<'_, Result<(), CopyError>>;

    /// Keeps what was written. Without it nothing of it stays.
    fn keep(self: Box<Self>) -> BoxFuture<'static, Result<(), CopyError>>;
}

/// What a database is opened for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// To be copied, while a server may use it.
    Source,
    /// To be copied; nobody else may use it.
    FinalSource,
    /// To take the copy; it is empty, and nobody else may use it.
    Target,
    /// To be compared only.
    Compared,
}

async fn side(url: &str, role: Role) -> Result<Box<dyn Side>, CopyError> {
    match Address::parse(url)? {
        Address::Sqlite(place) => Ok(Box::new(sqlite::CopySide::open(place, role).await?)),
        Address::Postgres(url) => Ok(Box::new(postgres::CopySide::open(&url, role).await?)),
    }
}

/// Copies everything from the database at `from` into the empty one at `to`, which is made up to date first, and
/// compares the two. Only when they are the same the copy is kept; else the target stays empty.
///
/// Tickets, leases and duties are left out. Sockets that are live in the source wait in the copy for their clients.
/// `alone` refuses a source that is in use; without it a server may go on writing there, and
/// [`Comparison::source_in_use`] tells that one may have.
///
/// # Errors
/// [`CopyError`]; then too the target stays empty.
pub async fn copy(
    from: &str,
    to: &str,
    alone: bool,
    progress: &mut (dyn FnMut(CopyProgress) + Send),
) -> Result<Comparison, CopyError> {
    let mut source = side(from, if alone { Role::FinalSource } else { Role::Source }).await?;
    let mut target = side(to, Role::Target).await?;
    let of = total(&mut *source).await?;
    let mut shown = Shown { progress, comparing: false, rows: 0, of };
    let mut here = Summary::default();
    for table in Table::all() {
        let mut digest = TableDigest::new(table);
        let (give, taken) = mpsc::channel(PAGES);
        let (hand_on, rows) = mpsc::channel(PAGES);
        let look = async {
            pass(taken, Some(hand_on), table, &mut digest, &mut here, &mut shown).await;
        };
        let (written, (), read) =
            tokio::join!(target.write(table, rows), look, source.read(table, give));
        written?;
        read?;
        digest.end(&mut here);
        if table.gives_ids {
            target.set_last_id(table, source.last_id(table).await?).await?;
        }
    }
    let epoch = source.epoch().await?;
    target.set_epoch(epoch).await?;
    target.filled().await?;
    shown.comparing = true;
    shown.rows = 0;
    let there = summary(&mut *target, &mut shown).await?;
    let mut comparison = Comparison::new(&here, &there);
    comparison.same_epoch = target.epoch().await? == epoch;
    comparison.source_in_use = source.in_use();
    if comparison.is_same() {
        target.keep().await?;
    }
    Ok(comparison)
}

/// Compares two databases, which may be in use. Changes nothing.
///
/// # Errors
/// [`CopyError`].
pub async fn compare(
    from: &str,
    to: &str,
    progress: &mut (dyn FnMut(CopyProgress) + Send),
) -> Result<Comparison, CopyError> {
    let mut source = side(from, Role::Compared).await?;
    let mut target = side(to, Role::Compared).await?;
    let of = total(&mut *source).await? + total(&mut *target).await?;
    let mut shown = Shown { progress, comparing: true, rows: 0, of };
    let here = summary(&mut *source, &mut shown).await?;
    let there = summary(&mut *target, &mut shown).await?;
    let mut comparison = Comparison::new(&here, &there);
    comparison.same_epoch = source.epoch().await? == target.epoch().await?;
    comparison.source_in_use = source.in_use();
    Ok(comparison)
}

/// How far it is, and who wants to know.
struct Shown<'a> {
    progress: &'a mut (dyn FnMut(CopyProgress) + Send),
    comparing: bool,
    rows: u64,
    of: u64,
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").field("rows", &self.rows).finish_non_exhaustive()
    }
}

async fn total(side: &mut dyn Side) -> Result<u64, CopyError> {
    let mut total = 0;
    for table in Table::all() {
        total += side.count(table).await?;
    }
    Ok(total)
}

/// What a database holds, in short.
async fn summary(side: &mut dyn Side, shown: &mut Shown<'_>) -> Result<Summary, CopyError> {
    let mut summary = Summary::default();
    for table in Table::all() {
        let mut digest = TableDigest::new(table);
        let (give, taken) = mpsc::channel(PAGES);
        let look = pass(taken, None, table, &mut digest, &mut summary, shown);
        let (read, ()) = tokio::join!(side.read(table, give), look);
        read?;
        digest.end(&mut summary);
    }
    Ok(summary)
}

/// Lets rows pass by, as they are to stand in a copy.
async fn pass(
    mut taken: mpsc::Receiver<Vec<Row>>,
    hand_on: Option<mpsc::Sender<Vec<Row>>>,
    table: &'static Table,
    digest: &mut TableDigest,
    summary: &mut Summary,
    shown: &mut Shown<'_>,
) {
    while let Some(mut rows) = taken.recv().await {
        for row in &mut rows {
            table.settle(row);
            digest.add(row, summary);
        }
        shown.rows += rows.len() as u64;
        let Shown { comparing, rows: so_far, of, .. } = *shown;
        (shown.progress)(CopyProgress { comparing, table: table.name, rows: so_far, of });
        if let Some(hand_on) = &hand_on
            && hand_on.send(rows).await.is_err()
        {
            // Who writes has failed, and says so himself.
            return;
        }
    }
}
