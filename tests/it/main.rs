//! Tests of the whole program from outside.

mod bad_input;
