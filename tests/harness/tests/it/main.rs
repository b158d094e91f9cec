//! Tests of the whole program, and of the rules of the repository.
