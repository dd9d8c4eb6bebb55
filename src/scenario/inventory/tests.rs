//! Whole files, read.
