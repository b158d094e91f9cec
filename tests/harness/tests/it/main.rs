//! Tests of the whole program, and of the rules of the repository.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what fails in a test ends the test")]

mod contract;
mod crash;
mod documents;
mod mutants;
mod repository;
mod tidy;
