//! The Pusher protocol over several processes: clients and servers at any of them, and a bus that forgets.

mod events;
mod hooks;
mod presence;
mod questions;
mod stage;
mod users;
