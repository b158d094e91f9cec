//! Faults on purpose, with which the harness shows that its checker sees them. Without the feature there are none.

/// Whether the program has this fault: the one that `PARLOUR_MUTANT` names.
#[cfg(feature = "mutants")]
#[must_use]
pub fn mutant(name: &str) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    CHOSEN.get_or_init(|| std::env::var("PARLOUR_MUTANT").ok()).as_deref() == Some(name)
}

/// Whether the program has this fault: never.
#[cfg(not(feature = "mutants"))]
#[must_use]
pub const fn mutant(_name: &str) -> bool {
    false
}
