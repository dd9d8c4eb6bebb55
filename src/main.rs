//! The `drawdown` program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    drawdown::cli::main()
}
