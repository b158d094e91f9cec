//! Tests of the whole program, and of the rules of the repository.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "what fails in a test ends the test, and what it found is worth saying"
)]

mod contract;
mod crash;
mod device;
mod documents;
mod drop;
mod matrix;
mod mutants;
mod power;
mod repository;
mod socket;
mod tidy;
