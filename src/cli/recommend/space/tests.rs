use super::*;
use crate::scenario::{ReadSettings, starter};

/// The plans about the starter's with some settings over it.
fn space(settings: &[&str], kept: &[Part]) -> Space {
    let overrides = settings.iter().map(|one| (*one).to_owned()).collect();
    let source = Source::from_text("starter", starter(), &ReadSettings { overrides, allow_path: false });
    let source = source.unwrap_or_else(|problems| panic!("{problems}"));
    Space::of(&source, source.middle(), kept)
}

#[test]
fn a_fixed_law_can_go_down_to_a_quarter_of_its_streams() {
    let space = space(&["plan.throttle={ law = \"fixed\", streams = 12 }"], &[Part::Windows, Part::Order]);
    assert_eq!(space.paces, PACES);
    assert_eq!(space.settings(&vec![0, 0, 0, 0]), ["plan.throttle.streams=3"]);
    for law in 0..space.laws.len() {
        let settings = space.settings(&vec![law, 0, 0, 0]).join(" ");
        assert!(!settings.contains("min = ") || settings.contains("min = 1,"), "{settings}");
    }
}

#[test]
fn steps_whose_fewest_streams_are_their_most_are_no_fixed_law() {
    let table = "plan.throttle={ law = \"steps\", min = 12, max = 12, table = [[\"0 ms\", 12]] }";
    let space = space(&[table], &[]);
    let faster = space.paces.iter().position(|pace| (pace - 2.0).abs() < 1e-9).unwrap();
    assert_eq!(space.settings(&vec![0, faster, space.origin[2], 0]), ["plan.throttle.max=24"]);
}
