//! What the domain needs of the world: traits whose contracts are in their comments.

pub mod bus;
pub mod clock;
pub mod store;

use std::{future::Future, pin::Pin};

/// A future that a dyn-safe trait returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
