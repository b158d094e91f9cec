//! The native dialect against the contract: its frames are kept as transcripts, its words are those of AsyncAPI.

mod hostile;
mod transcripts;
mod words;
