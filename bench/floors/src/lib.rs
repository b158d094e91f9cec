//! The floors: the least that relaying a message over WebSocket costs on tokio, and the same with a durable store.
//!
//! Nobody is signed in, nothing is checked, and nothing is kept but rows. What a chat server costs above this is
//! what its features cost; what it costs above the second floor, all but its storage.
//!
//! Both run on one thread for the sockets. They read into one buffer for all connections, keep nothing for a
//! connection that is idle, encode a frame once for all its receivers, and write to a socket once for all
//! that is due to it.
//!
//! A client connects to `/?user=<n>`, with `&room=<r>` where it is in a room, and says `{"to":<n>,"text":"…"}`,
//! `{"room":<r>,"text":"…"}` or `{"typing":<n>}`. A receiver gets `{"from":<n>,"text":"…"}` or `{"typing":<n>}`,
//! the sender `{"ok":<count of its frames so far>}` afterwards.

mod connection;
mod door;
mod hub;
mod server;
mod store;
pub mod wire;

pub use server::{port, serve};
pub use store::Store;
