//! The dialects of existing clients through the front door: each row of the contract for each of them, as far as it has
//! frames for it.

mod doors;
mod hostile;
mod interop;
mod lifetimes;
mod process;
mod receipts;
mod resume;
mod resume_bounds;
mod resume_tabs;
mod rights;
mod sends;
mod signals;
mod socket;
mod speech;
mod stage;

use self::{
    socket::Socket,
    speech::{ALL, DIRECT, Heard, INBOX, PLAIN, Place, ROOM, Spoken, rich},
    stage::{ALICE, BOB, CAROL, Knock, MALLORY, Stage},
};

/// What others hear when somebody says something.
fn said(id: u64, by: &str, text: &str) -> Heard {
    Heard::Said { id, by: by.to_owned(), text: text.to_owned() }
}
