

mod bad_input;
mod cli;
