//! `parlour import` and `parlour export`: JSON Lines, as `docs/migrate/format.md` describes them.

mod exact;
mod export;
mod fields;
mod host;
mod import;
mod lines;
mod restored;

pub(crate) use self::{
    export::export,
    import::{Outcome, Settings, Totals, fresh_epoch, import},
};

/// The version of the format that is written, and the only one that is read.
const VERSION: u32 = 1;

/// Longest line, in bytes. A group of 10,000 participants fits many times.
const LONGEST_LINE: usize = 4 << 20;
