//! The codec through its public interface.

#[cfg(test)]
mod client;
#[cfg(test)]
mod corpus;
#[cfg(all(test, feature = "deflate"))]
mod deflate;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod handshake;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod outgoing;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod support;
