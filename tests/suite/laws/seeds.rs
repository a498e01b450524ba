//! Seeds that have broken a law once. They are played first.

/// The seeds, each with what it found.
pub(crate) const FAILED_ONCE: &[(u64, &str)] = &[];
