//! The native dialect against the contract: its frames are kept as transcripts, its words are those of AsyncAPI.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod hostile;
mod transcripts;
mod words;
