//! Load: how fast, how much memory, how quickly back.
