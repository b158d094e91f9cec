//! Moving data in and out: a host application's history, and everything of another store.

mod amend;
mod conversations;
mod dump;
mod dump_rows;
mod history;
mod keys;
mod log;
mod marks;
mod merge;
mod messages;
mod restore;

use parlour_core::{
    Result,
    port::{
        BoxFuture,
        store::transfer::{
            Dump, DumpCursor, History, ImportOptions, ImportReport, Problem, TransferStore,
        },
    },
};

use super::{SqliteStore, batch::Tx, db::Step};

/// About how many bytes a record of a batch takes, for the bound of the queue.
const RECORD_BYTES: usize = 512;

impl TransferStore for SqliteStore {
    fn import_history(
        &self,
        options: ImportOptions,
        records: Vec<History>,
    ) -> BoxFuture<'_, Result<ImportReport>> {
        self.write(records.len() * RECORD_BYTES, move |tx| {
            whole_or_nothing(tx, &options, |tx| history::import(tx, &options, &records))
        })
    }

    fn restore(
        &self,
        options: ImportOptions,
        records: Vec<Dump>,
    ) -> BoxFuture<'_, Result<ImportReport>> {
        self.write(records.len() * RECORD_BYTES, move |tx| {
            whole_or_nothing(tx, &options, |tx| restore::restore(tx, &options, &records))
        })
    }

    fn dump(
        &self,
        after: Option<DumpCursor>,
        limit: usize,
    ) -> BoxFuture<'_, Result<(Vec<Dump>, Option<DumpCursor>)>> {
        self.read(move |db| Ok(dump::page(db, after.as_ref(), limit)?))
    }
}

/// Runs a batch; with a fault in it, and without `leave_out`, takes back what it wrote and reports the faults alone.
fn whole_or_nothing(
    tx: &mut Tx<'_>,
    options: &ImportOptions,
    batch: impl FnOnce(&mut Tx<'_>) -> Step<ImportReport>,
) -> Step<ImportReport> {
    tx.db.run("SAVEPOINT batch", [])?;
    // A failure of the database rolls everything back, the savepoint too.
    let mut report = batch(tx)?;
    report.problems.sort_by_key(|problem: &Problem| problem.index);
    if !report.problems.is_empty() && !options.leave_out {
        tx.db.run("ROLLBACK TO batch", [])?;
        tx.db.forget_profiles();
        tx.db.client_ids().forget();
        report = ImportReport { problems: report.problems, ..ImportReport::default() };
    }
    tx.db.run("RELEASE batch", [])?;
    Ok(report)
}
