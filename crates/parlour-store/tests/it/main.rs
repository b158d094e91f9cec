//! The store on SQLite: the suite that every store passes, and what only this one promises.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops there")]

mod backup;
mod cluster;
mod copying;
mod durability;
mod failing;
mod files;
mod grouping;
mod sockets;
mod suite;
mod support;
mod transfer;
