//! Tests of the whole program from outside, through its front door.
//!
//! [`process`] starts, kills and restarts the real binary. [`device`] is a client of the native protocol on a
//! plain WebSocket library; what it asks and gets goes into a [`history`], and [`checker`] tells whether that
//! history keeps the guarantees. [`crash`] and [`load`] put these together; [`power`] makes up power cuts. [`dialects`] has clients of every
//! dialect, and compares what they are told.

pub mod checker;
pub mod crash;
pub mod device;
pub mod dialects;
pub mod final_read;
pub mod held;
pub mod history;
pub mod load;
pub mod power;
pub mod process;
pub mod random;
pub mod rest;
pub mod socket;
pub mod token;
pub mod wire;
