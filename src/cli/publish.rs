//! What a command that simulates ends with: its files, its page on stdout, and what it took on stderr.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{Failure, told};

/// Prints the page once its files are there; `say` is told the folder in which they are, if any were asked for. What has been
/// simulated is told whether or not it could be written, and what could not is the failure then.
pub(super) fn publish(
    page: &str,
    written: Option<Result<PathBuf, Failure>>,
    say: impl FnOnce(Option<&Path>),
) -> Result<(), Failure> {
    let (folder, unwritten) = match written.transpose() {
        Ok(folder) => (folder, Ok(())),
        Err(failure) => (None, Err(failure)),
    };
    let printed = told::page().write_all(page.as_bytes());
    say(folder.as_deref());
    unwritten?;
    Ok(printed?)
}

/// The failure of files below a folder.
pub(super) fn below(output: &Path) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::Run(format!("{}: {error}", output.display()))
}
