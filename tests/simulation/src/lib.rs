//! The real server, with the real store, in a simulated network and simulated time: a seed gives the same run, byte for byte.
//!
//! [`world`] puts one to three servers ([`server`]) and people ([`person`], [`robot`]) on hosts of a simulated network ([`net`]),
//! lets [`faults`] break the network, the processes and the [`bus`] by a seed, and hands the history to the checker of the
//! harness. The [`trace`] is a hash over everything that happened.

pub mod bus;
pub mod device;
pub mod faults;
pub mod net;
pub mod parts;
pub mod person;
pub mod robot;
pub mod run;
pub mod server;
pub mod socket;
pub mod trace;
pub mod world;

pub use world::{Outcome, Plan};
