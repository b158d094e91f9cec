//! The generator, tested on a server that misbehaves on purpose: what it does must be found, and nothing else.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops there")]

mod misbehaviour;
mod server;
