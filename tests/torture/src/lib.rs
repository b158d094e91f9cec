//! The torture harness: servers, databases, buses and links are broken under load by a seeded plan, healed, and asked
//! whether everything that was promised is there.
//!
//! [`cluster`] starts processes with engines of their own and a [`proxy`] on every link. [`people`] of every dialect
//! talk ([`native`], [`robot`]); [`fault`] plans what [`breaker`] breaks; [`run`] puts it together, and the history
//! checker of `parlour-harness` tells what is wrong.

mod artifacts;
pub mod blast;
pub mod breaker;
pub mod cluster;
pub mod crowd;
pub mod fault;
pub mod figures;
pub mod native;
pub mod people;
pub mod phase;
pub mod proxy;
pub mod robot;
pub mod run;
pub mod truth;
