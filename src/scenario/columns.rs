//! Names as columns of data files: what two stores must not have in common.

use std::collections::BTreeMap;

use super::item::Item;
use super::reader::Reader;
use crate::migration::message::Milestone;

/// A name as a column: `head-1 40 % moved` becomes `head_1_40_percent_moved`.
#[must_use]
pub fn column_name(name: &str) -> String {
    let spelled = name.replace('%', "percent");
    let parts = spelled.split(|letter: char| !letter.is_alphanumeric());
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_")
}

/// Refuses stores of one kind that the data files could not tell apart. Those of one and the same name are refused before.
pub(crate) fn tell_apart(stores: &Item, kind: &str, reader: &mut Reader<'_>) {
    let mut known: Vec<(String, &str)> = Vec::new();
    for name in stores.list().iter().filter_map(|store| store.get("name")) {
        let Some(text) = name.text() else { continue };
        let column = column_name(text);
        if column.is_empty() {
            reader.problem(name, format!("is \"{text}\", must have a letter or a digit"));
        } else if kind == "head" && column == "all" {
            let text =
                format!("is \"{text}\": \"all emptied\" is the milestone of all heads, no head may be called so");
            reader.problem(name, text);
        } else if let Some((_, other)) = known.iter().find(|(one, other)| *one == column && *other != text) {
            let message = format!(
                "is \"{text}\", which the data files cannot tell from {kind} \"{other}\": both are {column} there; names \
                 must differ in more than \"-\" and \"_\""
            );
            reader.problem(name, message);
        }
        known.push((column, text));
    }
}

/// Refuses clusters that are called as heads are: nobody could tell which of the two is full, and what is drawn for one by its
/// name would be drawn for the other.
pub(crate) fn tell_kinds_apart(clusters: &Item, heads: &[String], reader: &mut Reader<'_>) {
    for name in clusters.list().iter().filter_map(|cluster| cluster.get("name")) {
        let Some(text) = name.text() else { continue };
        let alike = |head: &&String| !head.is_empty() && column_name(head) == column_name(text);
        if let Some(head) = heads.iter().find(alike) {
            reader.problem(
                name,
                format!("is \"{text}\", and there is a head \"{head}\": stores need names of their own"),
            );
        }
    }
}

/// Refuses milestones of heads whose names give one column only together with their shares: `a 99.5 % moved` and
/// `a-99 5 % moved`.
pub(crate) fn tell_milestones_apart(wanted: &[Milestone], heads: &[String], at: &Item, reader: &mut Reader<'_>) {
    let named = wanted.iter().filter_map(|milestone| match milestone {
        Milestone::HeadShareMoved { head, share } => Some(format!("{} {share} moved", heads.get(head.index())?)),
        Milestone::HeadEmptied { .. }
        | Milestone::HeadPurged { .. }
        | Milestone::ClusterOpened { .. }
        | Milestone::ClusterFull { .. }
        | Milestone::ShareMoved { .. }
        | Milestone::AllEmptied
        | Milestone::Decommissioned
        | Milestone::WaveMoved { .. }
        | Milestone::Stopped { .. }
        | Milestone::WindowsEnd => None,
    });
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for name in named {
        let one = known.entry(column_name(&name)).or_insert_with(|| name.clone());
        if *one != name {
            let column = column_name(&name);
            let message = format!(
                "has milestones that the data files cannot tell apart: \"{one}\" and \"{name}\" are both {column} there"
            );
            reader.problem(at, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_letters_and_digits_with_a_line_between_them() {
        assert_eq!(column_name("head-1 40 % moved"), "head_1_40_percent_moved");
        assert_eq!(column_name("--a__b-"), "a_b");
    }
}
