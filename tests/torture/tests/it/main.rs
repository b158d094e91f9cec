//! The short form of the torture, and the mutants that it must catch.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "what fails in a test ends the test, and what it found is worth saying"
)]

mod log;
mod mutants;
mod short;
