//! Moving data in and out: a host application's history, and everything of another store.
//!
//! A batch is thousands of records, so its questions are asked for all of them at once ([`known`]), and what it writes
//! is sent without waiting for each answer.

mod amend;
mod conversations;
mod dump;
mod dump_rows;
mod history;
mod known;
mod log;
mod marks;
mod merge;
mod messages;
mod restore;
mod restore_rows;

use parlour_core::{
    Result,
    port::{
        BoxFuture,
        store::transfer::{
            Dump, DumpCursor, History, ImportOptions, ImportReport, Problem, TransferStore,
        },
    },
};

use super::{PostgresStore, batch::Tx, db::Step};

/// About how many bytes a record of a batch takes, for the bound of the queue.
const RECORD_BYTES: usize = 512;

impl TransferStore for PostgresStore {
    fn import_history(
        &self,
        options: ImportOptions,
        records: Vec<History>,
    ) -> BoxFuture<'_, Result<ImportReport>> {
        let bytes = records.len() * RECORD_BYTES;
        self.write(bytes, (options, records), |tx, (options, records)| {
            Box::pin(async move {
                begin(tx).await?;
                let report = history::import(tx, options, records).await?;
                whole_or_nothing(tx, options, report).await
            })
        })
    }

    fn restore(
        &self,
        options: ImportOptions,
        records: Vec<Dump>,
    ) -> BoxFuture<'_, Result<ImportReport>> {
        let bytes = records.len() * RECORD_BYTES;
        self.write(bytes, (options, records), |tx, (options, records)| {
            Box::pin(async move {
                begin(tx).await?;
                let report = restore::restore(tx, options, records).await?;
                whole_or_nothing(tx, options, report).await
            })
        })
    }

    fn dump(
        &self,
        after: Option<DumpCursor>,
        limit: usize,
    ) -> BoxFuture<'_, Result<(Vec<Dump>, Option<DumpCursor>)>> {
        self.read((after, limit), |db, (after, limit)| {
            Box::pin(dump::page(db, after.as_ref(), *limit))
        })
    }
}

/// Begins a batch. A failure of the database takes everything back, the savepoint too.
async fn begin(tx: &mut Tx) -> Step<()> {
    tx.send("SAVEPOINT batch", &[]).await
}

/// Ends a batch; with a fault in it, and without `leave_out`, takes back what it wrote and reports the faults alone.
async fn whole_or_nothing(
    tx: &mut Tx,
    options: &ImportOptions,
    mut report: ImportReport,
) -> Step<ImportReport> {
    report.problems.sort_by_key(|problem: &Problem| problem.index);
    if !report.problems.is_empty() && !options.leave_out {
        tx.send("ROLLBACK TO batch", &[]).await?;
        report = ImportReport { problems: report.problems, ..ImportReport::default() };
    }
    tx.send("RELEASE batch", &[]).await?;
    Ok(report)
}
