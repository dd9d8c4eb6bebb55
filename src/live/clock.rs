//! The time of a running migration: it never goes back, and a step of the system's clock is told.
