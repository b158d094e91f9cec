//! The domain of Parlour: conversations, messages, and the rules about them.
//!
//! This crate does no I/O but through [`port`], and knows no JSON, HTTP, SQL or dialect. A command comes in
//! as a value ([`command`]), passes [`limits`] and [`policy`], becomes one atomic step of a store
//! ([`port::store`]), and goes out as an [`event::Envelope`].

pub mod command;
pub mod error;
pub mod event;
pub mod ids;
pub mod limits;
pub mod model;
pub mod policy;
pub mod port;
pub mod presence;
pub mod service;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::{Code, Error, Result};
pub use ids::{ClientId, ConversationId, Epoch, MessageId, NodeId, Position, Seq, UserId};
