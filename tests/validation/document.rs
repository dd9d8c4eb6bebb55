//! The tables of `docs/validation.md`.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

/// Tests write one after the other.
static WRITING: Mutex<()> = Mutex::new(());

/// Compares a table with the document's, which stands between `<!-- name -->` and `<!-- end -->`; or writes it.
///
/// # Panics
/// When the document has another table.
pub(crate) fn shows(name: &str, head: &[&str], rows: &[Vec<String>]) {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let mut table = line(&head) + &"|---".repeat(head.len()) + "|\n";
    for row in rows {
        assert_eq!(row.len(), head.len(), "{row:?}");
        table += &line(row);
    }
    let _writing = WRITING.lock();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/validation.md");
    let text = fs::read_to_string(&path).unwrap();
    let start = format!("<!-- {name} -->\n");
    let (before, rest) = text.split_once(&start).unwrap_or_else(|| panic!("the document has no place for {name:?}"));
    let (shown, after) = rest.split_once("<!-- end -->").unwrap();
    if std::env::var_os("DRAWDOWN_UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{start}{table}<!-- end -->{after}")).unwrap();
    } else {
        assert_eq!(shown, table, "docs/validation.md shows another table for {name:?}");
    }
}
