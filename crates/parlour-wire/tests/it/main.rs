//! The dialects against the contract: their frames are kept as transcripts, the native words are those of AsyncAPI.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod dialects;
mod fixtures;
mod hostile;
mod pusher_hostile;
mod rooms;
mod transcripts;
mod users;
mod words;
