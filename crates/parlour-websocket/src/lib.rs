//! RFC 6455 and RFC 7692 without I/O: bytes in, messages out.
//!
//! Nothing here reads a socket, a clock or random numbers. The parts:
//!
//! * [`handshake`] answers an upgrade request, given its header values; [`Deflate`] negotiates
//!   compression.
//! * [`Decoder`] turns what a connection read into [`Message`]s. Connections share the buffer they
//!   read into, and a decoder keeps bytes only while a message is incomplete.
//! * [`Frame`] is a message for the way out, encoded once with its header and shared by all its
//!   receivers; [`Deflater`] makes compressed ones.
//! * [`close`] has the close codes, [`ProtocolError`] what a peer can do wrong, [`client`] the
//!   masked frames that tests and load generators send.
//!
//! What stays with the caller: the time a message may take ([`Decoder::is_mid_message`]), pings,
//! how much a connection may have queued, and closing the socket after the close frames.
//!
//! # A connection
//!
//! ```
//! use parlour_websocket::{Decoder, Frame, Message, ProtocolError};
//!
//! /// Handles what one read of the socket brought; `send` queues a frame.
//! fn received(
//!     decoder: &mut Decoder,
//!     mut input: &mut [u8],
//!     send: &mut dyn FnMut(Frame),
//! ) -> Result<(), ProtocolError> {
//!     while let Some(message) = decoder.next(&mut input)? {
//!         match message {
//!             Message::Text(text) => send(Frame::text(&format!("you said {text}"))),
//!             // Answers pings and the close; `decoder.is_finished()` is true after a close.
//!             other => other.answer().into_iter().for_each(&mut *send),
//!         }
//!     }
//!     Ok(())
//! }
//!
//! // One per thread, for all its connections.
//! let mut scratch = vec![0; 16 * 1024];
//! // One per connection.
//! let mut decoder = Decoder::server(parlour_websocket::Limits::default());
//!
//! // `let n = socket.try_read(&mut scratch)?`
//! let wire = parlour_websocket::client::text("hello", [1, 2, 3, 4]);
//! let (first, second) = wire.split_at(4);
//! let mut sent = Vec::new();
//! for read in [first, second] {
//!     scratch[..read.len()].copy_from_slice(read);
//!     let outcome = received(&mut decoder, &mut scratch[..read.len()], &mut |f| sent.push(f));
//!     if let Err(error) = outcome {
//!         sent.push(error.close_frame()); // then close
//!     }
//! }
//! assert_eq!(sent, [Frame::text("you said hello")]);
//! assert_eq!(decoder.capacity(), 0); // idle: no heap memory
//!
//! // `socket.try_write_vectored(&[IoSlice::new(frame.as_bytes()), ..])`
//! let shared = Frame::text_with(64, |payload| {
//!     payload.extend_from_slice(br#"{"kind":"message"}"#); // or serde_json::to_writer
//!     Ok::<(), std::convert::Infallible>(())
//! });
//! let Ok(frame) = shared;
//! assert_eq!(frame.as_bytes()[..2], [0x81, 18]);
//! ```

#![forbid(unsafe_code)]

pub mod client;
pub mod close;
mod decoder;
#[cfg(feature = "deflate")]
mod deflate;
mod error;
#[cfg(feature = "deflate")]
mod extension;
mod frame;
pub mod handshake;
mod header;
pub mod mask;
mod message;
mod partial;

pub use decoder::{Decoder, Limits};
#[cfg(feature = "deflate")]
pub use deflate::Deflater;
pub use error::ProtocolError;
#[cfg(feature = "deflate")]
pub use extension::Deflate;
pub use frame::{Frame, MAX_CONTROL_BYTES, encode_binary_into, encode_text_into};
pub use header::Opcode;
pub use message::Message;
