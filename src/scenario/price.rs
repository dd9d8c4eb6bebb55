//! What the old storage costs while it is kept.

use super::item::Item;
use super::reader::Reader;
use crate::migration::message::Milestone;

/// Money that is paid by the day.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    /// By the day.
    pub a_day: f64,
    /// Of which currency, as people write it: "EUR".
    pub currency: String,
    /// Until when: a milestone of the scenario.
    pub until: Milestone,
}

/// Reads what is paid, if anything is said of it.
pub(crate) fn read(file: &Item, known: &[Milestone], reader: &mut Reader<'_>) -> Option<Price> {
    let item = file.get("price")?;
    reader.section();
    let until = match reader.text(item, "until") {
        "all emptied" => Milestone::AllEmptied,
        _ => Milestone::Decommissioned,
    };
    if !known.contains(&until) {
        reader.problem(
            item,
            "is paid until \"decommissioned\", and with this plan nothing is ever purged; \"all emptied\" happens",
        );
    }
    Some(Price { a_day: reader.number(item, "a_day"), currency: reader.text(item, "currency").to_owned(), until })
}
