//! The first floor: relays, and stores nothing.

use std::io::Write as _;

fn main() -> anyhow::Result<()> {
    parlour_floors::serve(parlour_floors::port()?, None, |address| {
        // Whoever started it may not read.
        let _ = writeln!(std::io::stdout(), "{address}");
    })
}
