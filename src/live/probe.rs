//! Load and fill of the stores.
