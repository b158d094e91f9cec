//! The bus over real servers of Redis: the suite that every bus passes, and what happens when they fail.

mod conformance;
mod envelope;
mod failover;
mod faults;
mod half_open;
mod measure;
mod rig;
mod secure;
