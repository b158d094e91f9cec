//! The generator, tested on servers that misbehave.
