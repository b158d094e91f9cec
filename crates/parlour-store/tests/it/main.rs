//! The stores: the suite that every one passes, and what only one of them promises.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops there")]

mod backup;
mod client_ids;
mod cluster;
mod copying;
mod durability;
mod failing;
mod files;
mod grouping;
mod locked;
mod postgres;
mod postgres_gathered;
mod postgres_lost;
mod postgres_plans;
mod postgres_shared;
mod proxy;
mod sockets;
mod suite;
mod support;
mod transfer;
