//! What the gateway and REST both call: checks of size and rate, then one step of the store.
//!
//! Services hold no state of their own but the rate buckets, and call nothing of each other.

mod chat;
mod rates;

pub use chat::Chat;
pub use rates::Rates;
