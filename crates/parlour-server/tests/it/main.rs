//! The whole server through its front door: real sockets, a real database.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on stops there"
)]

mod accounts;
mod browsers;
mod cli;
mod cluster;
mod compression;
mod conversations;
mod dialects;
mod gateway;
mod goldens;
mod messages;
mod problems;
mod pusher;
mod pusher_api;
mod pusher_cluster;
mod seed_rest;
mod server_keys;
mod support;
mod tokens;
mod transfer;
