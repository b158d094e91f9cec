//! The Parlour server: configuration, sign-in, REST, the gateway, and the only wiring of them.

pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
mod demo;
mod gateway;
pub mod hash;
mod http;
mod jobs;
pub mod metrics;
pub mod parts;
mod pusher;
pub mod system;
pub mod tasks;
mod transfer;

pub use gateway::socket::{Listener, Socket, Transport};
