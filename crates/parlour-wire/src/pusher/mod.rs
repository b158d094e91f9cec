//! The Pusher Channels protocol, version 7: frames, channels and signatures, without a socket.
//!
//! Frames of clients are read by [`decode`], frames for them written by [`encode`]; [`signature`] tells who may
//! subscribe and who may call the HTTP API, whose bodies are in [`http`]. What a connection, an application or a
//! channel remembers is kept elsewhere.

pub mod auth;
pub mod channel;
pub mod chat;
pub mod decode;
pub mod encode;
pub mod error;
pub mod handshake;
pub mod http;
pub mod limits;
pub mod payload;
pub mod presence;
pub mod signature;
pub mod webhook;

pub use self::{
    channel::{Access, ChannelName, ChatChannel},
    chat::Chat,
    decode::{ClientFrame, Subscribe},
    error::{ApiError, CloseCode, Refusal},
    handshake::SocketId,
    limits::PusherLimits,
    payload::Payload,
    presence::{Member, SignedInUser},
    signature::{SignedQuery, Signer},
};
