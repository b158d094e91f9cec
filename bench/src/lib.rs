//! Compares Parlour with floors and with other servers: the same clients, the same messages, measured in one run.
//!
//! One thread has all clients ([`sockets`], [`clients`]), which speak a [`dialect`]. [`traffic`] sends messages at a pace, and a
//! [`checker`] looks at every one that arrives. A [`scenario`] starts a [target](targets) and gives [`figures`], of which [`report`]
//! makes tables and charts.

pub mod checker;
pub mod clients;
pub mod dialect;
pub mod figures;
pub mod frame;
pub mod meter;
pub mod report;
pub mod rest;
pub mod scenario;
pub mod sockets;
pub mod targets;
pub mod text;
pub mod traffic;
