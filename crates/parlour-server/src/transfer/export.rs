//! From the store to lines.

use std::io::Write;

use anyhow::Context as _;
use parlour_core::{model::Millis, port::store::Store};
use serde::Serialize;

use super::{
    VERSION,
    exact::Line,
    fields::Time,
    lines::{First, FirstType, Last, LastType},
};

/// Records read at once.
const PAGE: usize = 1_000;

/// Writes everything. `progress` is called with the number of lines after every page. Returns that number.
pub(crate) async fn export(
    store: &dyn Store,
    now: Millis,
    mut output: impl Write,
    mut progress: impl FnMut(u64),
) -> anyhow::Result<u64> {
    let first = First {
        kind: FirstType::Parlour,
        version: VERSION,
        source: None,
        exact: true,
        made_at: Some(Time::of(now)),
    };
    write(&mut output, &first)?;
    let mut lines = 0;
    let mut after = None;
    loop {
        let (records, cursor) = store.dump(after, PAGE).await?;
        if records.is_empty() {
            break;
        }
        lines += records.len() as u64;
        for record in records {
            write(&mut output, &Line::from(record))?;
        }
        progress(lines);
        after = cursor;
    }
    write(&mut output, &Last { kind: LastType::End, lines })?;
    output.flush().context("cannot write on")?;
    Ok(lines)
}

fn write(output: &mut impl Write, line: &impl Serialize) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *output, line).context("cannot write on")?;
    output.write_all(b"\n").context("cannot write on")
}
