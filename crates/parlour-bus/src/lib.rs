//! How processes wake each other: in one process today, over Redis where there are several.

pub mod memory;

pub use memory::MemoryBus;
