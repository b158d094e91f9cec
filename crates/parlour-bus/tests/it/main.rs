//! The bus over real servers of Redis: the suite that every bus passes, and what happens when they fail.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "what fails in a test ends the test, and measurements are printed"
)]

mod conformance;
mod envelope;
mod failover;
mod faults;
mod half_open;
mod measure;
mod rig;
mod secure;
