//! The second floor: stores each text in the SQLite file that its argument names, then relays it.

use std::io::Write as _;

use anyhow::Context as _;
use parlour_floors::{Store, port, serve};

fn main() -> anyhow::Result<()> {
    let file = std::env::args_os().nth(1).context("usage: floor-store FILE")?;
    let store = Store::open(file.as_ref())?;
    serve(port()?, Some(store), |address| {
        // Whoever started it may not read.
        let _ = writeln!(std::io::stdout(), "{address}");
    })
}
