//! The generator, tested on a server that misbehaves on purpose: what it does must be found, and nothing else.

mod misbehaviour;
mod server;
