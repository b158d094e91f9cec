//! What tests of every crate share: named people, a clock that is driven by hand, and the conformance
//! suites that every store and every bus runs.

pub mod bus_suite;
mod clock;
mod model;
pub mod store_suite;

pub use clock::FakeClock;

use crate::{command::Actor, ids::UserId};

/// A user id that is known to be valid.
///
/// # Panics
/// When it is not.
#[must_use]
#[expect(clippy::expect_used, reason = "only tests call it, with literals")]
pub fn user(id: &str) -> UserId {
    UserId::new(id).expect("a valid user id")
}

/// User 1.
#[must_use]
pub fn alice() -> Actor {
    Actor::user(user("1"))
}

/// User 2.
#[must_use]
pub fn bob() -> Actor {
    Actor::user(user("2"))
}

/// User 3, who is not in what alice and bob share.
#[must_use]
pub fn mallory() -> Actor {
    Actor::user(user("3"))
}
