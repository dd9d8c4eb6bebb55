//! Reads a scenario file and the files that it extends, none of them outside the scenario's own folder.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::format::FILE;
use super::merge::merge_files;
use super::problems::{Place, Problem, SourceText};
use super::syntax;
use super::tree::{self, Data, Node};

/// The largest file that is read.
const FILE_MAX: u64 = 16_000_000;
/// The longest chain of `extends`.
const CHAIN_MAX: usize = 16;

/// Where `extends` and an inventory may lead.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    /// The folder of the file given by the user, with symbolic links resolved.
    root: PathBuf,
    /// The file, as it was given.
    given: PathBuf,
    allow_path: bool,
}

impl Folder {
    /// A file that is named at a place of the scenario, relative to the file of that place.
    pub(crate) fn beside(&self, place: &Place, target: &str) -> Result<PathBuf, String> {
        let from = if place.source.is_override { self.given.as_path() } else { Path::new(&place.source.name) };
        let joined = from.parent().unwrap_or(Path::new("")).join(target);
        // Nothing is opened yet: a pipe would wait for somebody to write.
        if !find(&joined, target, from, self)?.is_file() {
            return Err(format!("is \"{target}\", which cannot be read: it is not a file"));
        }
        Ok(joined)
    }
}

/// Reads a file with everything that it extends.
pub(crate) fn load(path: &Path, allow_path: bool, problems: &mut Vec<Problem>) -> Option<(Node, Folder)> {
    let root = folder_of(path, allow_path, problems)?;
    let canonical = path.canonicalize().ok()?;
    let node = load_chain(path, &root, &mut vec![canonical], problems)?;
    Some((node, root))
}

/// Reads a text that stands in no folder, so that it cannot extend anything.
pub(crate) fn load_text(name: &str, text: &str, problems: &mut Vec<Problem>) -> Option<Node> {
    let node = parse(name, text.as_bytes().to_vec(), problems)?;
    if let Some(extends) = node.get("extends") {
        problems.push(Problem::at(&extends.place, "extends", "a text without a folder cannot extend a file"));
    }
    Some(node)
}

/// Reads a text in the place of a file.
pub(crate) fn load_text_beside(
    path: &Path,
    text: &str,
    allow_path: bool,
    problems: &mut Vec<Problem>,
) -> Option<(Node, Folder)> {
    let folder = folder_of(path, allow_path, problems)?;
    // The name has the file's folder: what the text names is looked for from there.
    let node = load_text(&format!("{} (earlier)", path.display()), text, problems)?;
    Some((node, folder))
}

/// The folder in which a file may name others.
fn folder_of(path: &Path, allow_path: bool, problems: &mut Vec<Problem>) -> Option<Folder> {
    match path.canonicalize() {
        Ok(canonical) => {
            let root = canonical.parent().unwrap_or(&canonical).to_owned();
            Some(Folder { root, given: path.to_owned(), allow_path })
        }
        Err(error) => {
            problems.push(Problem::of_file(&path.display().to_string(), format!("cannot be read: {error}")));
            None
        }
    }
}

fn load_chain(path: &Path, root: &Folder, chain: &mut Vec<PathBuf>, problems: &mut Vec<Problem>) -> Option<Node> {
    let name = path.display().to_string();
    let bytes = match read_limited(path) {
        Ok(bytes) => bytes,
        Err(message) => {
            problems.push(Problem::of_file(&name, message));
            return None;
        }
    };
    let mut node = parse(&name, bytes, problems)?;
    let Some(base) = take(&mut node, "extends") else { return Some(node) };
    let Some(target) = base.text() else {
        let message = format!("is {}, must be the path of a file in quotes", super::check::shown(&base));
        problems.push(Problem::at(&base.place, "extends", message));
        return Some(node);
    };
    let joined = path.parent().unwrap_or(Path::new("")).join(target);
    let canonical = match resolve(&joined, target, path, root, chain) {
        Ok(canonical) => canonical,
        Err(message) => {
            problems.push(Problem::at(&base.place, "extends", message));
            return Some(node);
        }
    };
    chain.push(canonical);
    let inherited = load_chain(&joined, root, chain, problems);
    Some(match inherited {
        Some(inherited) => merge_files(&FILE, inherited, node),
        None => node,
    })
}

/// The file that is meant, with symbolic links resolved, when it may be read.
fn find(joined: &Path, target: &str, from: &Path, root: &Folder) -> Result<PathBuf, String> {
    let outside = || format!("is \"{target}\", which leaves the scenario's folder; allow it with --allow-path");
    if !root.allow_path {
        // Looked at before the file system is asked, so that nothing is learnt about files elsewhere.
        let folder = from.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
        let inside = folder.and_then(|folder| folder.canonicalize().ok()).and_then(|folder| {
            let depth = folder.strip_prefix(&root.root).ok()?.components().count();
            stays_below(Path::new(target), depth).then_some(())
        });
        inside.ok_or_else(outside)?;
    }
    let canonical = joined.canonicalize().map_err(|error| format!("is \"{target}\", which cannot be read: {error}"))?;
    if !root.allow_path && !canonical.starts_with(&root.root) {
        return Err(format!(
            "is \"{target}\", a symbolic link that leaves the scenario's folder; allow it with --allow-path"
        ));
    }
    Ok(canonical)
}

/// The file that `extends` means, when it may be read.
fn resolve(joined: &Path, target: &str, from: &Path, root: &Folder, chain: &[PathBuf]) -> Result<PathBuf, String> {
    let canonical = find(joined, target, from, root)?;
    if chain.contains(&canonical) {
        let file_name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let names: Vec<String> = chain.iter().chain([&canonical]).map(file_name).collect();
        return Err(format!("goes round in a circle: {}", names.join(" -> ")));
    }
    if chain.len() >= CHAIN_MAX {
        return Err(format!("is the {CHAIN_MAX}th file of a chain, at most {CHAIN_MAX} are read"));
    }
    Ok(canonical)
}

/// Whether a relative path, taken from `depth` folders below the root, never climbs above the root.
fn stays_below(target: &Path, depth: usize) -> bool {
    let mut depth = depth;
    target.components().all(|component| match component {
        Component::Prefix(_) | Component::RootDir => false,
        Component::CurDir => true,
        Component::Normal(_) => {
            depth += 1;
            true
        }
        Component::ParentDir => {
            let above = depth == 0;
            depth = depth.saturating_sub(1);
            !above
        }
    })
}

fn read_limited(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err("is not a file".to_owned());
    }
    let too_large = |size: u64| format!("has {size} bytes, a scenario has at most {FILE_MAX}");
    if metadata.len() > FILE_MAX {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(unreadable)?.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(bytes)
}

fn parse(name: &str, bytes: Vec<u8>, problems: &mut Vec<Problem>) -> Option<Node> {
    let mut refuse = |message: String| {
        problems.push(Problem::of_file(name, message));
        None
    };
    if bytes.len() as u64 > FILE_MAX {
        return refuse(format!("has {} bytes, a scenario has at most {FILE_MAX}", bytes.len()));
    }
    if bytes.contains(&0) {
        return refuse("is a binary file, a scenario is TOML text".to_owned());
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            return refuse(format!("is not UTF-8 text: byte {} is the first wrong one", at + 1));
        }
    };
    if text.trim_start_matches('\u{feff}').lines().all(|line| line.trim().is_empty() || line.trim().starts_with('#')) {
        return refuse("is empty; `drawdown new` writes a file to start from".to_owned());
    }
    let source = Arc::new(SourceText { name: name.to_owned(), text, is_override: false });
    if let Some(at) = syntax::too_deep(&source.text) {
        let place = Place { source, span: at..at + 1 };
        problems.push(Problem::at(&place, "", format!("nests brackets more than {} deep", syntax::NESTING_MAX)));
        return None;
    }
    Some(tree::parse(&source, problems))
}

/// Takes an entry out of a table.
pub(crate) fn take(node: &mut Node, name: &str) -> Option<Node> {
    let Data::Table(entries) = &mut node.data else { return None };
    let at = entries.iter().position(|entry| entry.name == name)?;
    Some(entries.remove(at).node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_below_the_root_or_is_refused() {
        for (target, depth, stays) in [
            ("a.toml", 0, true),
            ("../a.toml", 0, false),
            ("../a.toml", 1, true),
            ("x/../../a.toml", 0, false),
            ("/etc/a", 3, false),
        ] {
            assert_eq!(stays_below(Path::new(target), depth), stays, "{target}");
        }
    }
}
