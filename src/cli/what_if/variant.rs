//! Variants as they are written: `night: plan.throttle.max=64, plan.move.stream="20 MB/s"`.

/// A variant of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variant {
    /// What it is called.
    pub(super) name: String,
    /// Settings, each `key=value`.
    pub(super) changes: Vec<String>,
}

/// What the scenario itself is called beside its variants.
pub(super) const AS_IT_IS: &str = "as it is";
/// Characters of a name.
const NAME_MAX: usize = 40;
/// More would take a sweep.
const VARIANTS_MAX: usize = 100;

/// All variants that are asked for: those with a name, and before them what is set without one.
pub(super) fn all(overrides: &[String], named: &[String]) -> Result<Vec<Variant>, String> {
    let mut wrong = Vec::new();
    let mut variants = Vec::new();
    if !overrides.is_empty() {
        variants.push(Variant { name: name_of(overrides), changes: overrides.to_vec() });
    }
    for text in named {
        match parse(text) {
            Ok(variant) if variants.iter().any(|known: &Variant| known.name == variant.name) => {
                wrong.push(format!("--variant: two are called \"{}\"", variant.name));
            }
            Ok(variant) => variants.push(variant),
            Err(problem) => wrong.push(format!("--variant \"{text}\": {problem}")),
        }
    }
    if variants.is_empty() && wrong.is_empty() {
        wrong.push("nothing is to be changed: give --set KEY=VALUE, or --variant \"NAME: KEY=VALUE,...\"".to_owned());
    }
    if variants.len() > VARIANTS_MAX {
        wrong.push(format!("there are {} variants, at most {VARIANTS_MAX} are allowed", variants.len()));
    }
    if wrong.is_empty() { Ok(variants) } else { Err(wrong.join("\n")) }
}

/// One change is its own name; more have none.
fn name_of(overrides: &[String]) -> String {
    match overrides {
        [one] if one.chars().count() <= NAME_MAX => one.replace('"', ""),
        _ => "the change".to_owned(),
    }
}

fn parse(text: &str) -> Result<Variant, String> {
    const FORM: &str = "must be NAME: KEY=VALUE,KEY=VALUE, such as \"night: plan.throttle.max=64\"";
    // A colon of a value stands after an equals sign.
    let named = text.split_once(':').filter(|(name, _)| !name.contains('='));
    let Some((name, changes)) = named else { return Err(format!("has no name, it {FORM}")) };
    let name = name.trim();
    if name.is_empty() {
        return Err(format!("has no name, it {FORM}"));
    }
    if name == AS_IT_IS {
        return Err(format!("is called \"{AS_IT_IS}\", as the scenario itself is: give it another name"));
    }
    if name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(format!("has a name that is longer than {NAME_MAX} characters, or no text"));
    }
    let changes = split(changes);
    if changes.iter().any(|change| !change.contains('=')) {
        return Err(format!("has a part without a value, it {FORM}"));
    }
    Ok(Variant { name: name.to_owned(), changes })
}

/// Splits at commas that stand in no quotes, brackets or braces.
fn split(text: &str) -> Vec<String> {
    let (mut parts, mut part, mut depth, mut quote) = (Vec::new(), String::new(), 0_u32, None);
    for letter in text.chars() {
        match (quote, letter) {
            (None, ',') if depth == 0 => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        part.push(letter);
    }
    parts.push(part);
    parts.into_iter().map(|part| part.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_variant_has_a_name_and_changes() {
        let variant = parse("night owls: plan.throttle.max=64, as_of=2012-10-10T09:00:00").unwrap();
        assert_eq!(variant.name, "night owls");
        assert_eq!(variant.changes, ["plan.throttle.max=64", "as_of=2012-10-10T09:00:00"]);
        let variant = parse("x: a={ low = 1, high = 2 },b=[\"p, q\", \"r\"], c=\"s,t\"").unwrap();
        assert_eq!(variant.changes, ["a={ low = 1, high = 2 }", "b=[\"p, q\", \"r\"]", "c=\"s,t\""]);
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let named =
            owned(&["plan.x=1", ": a=1", "b: a", "c: a=1", "c: a=2", "as_of=2012-10-10T09:00:00", "as it is: a=1"]);
        let wrong = all(&[], &named).unwrap_err();
        assert_eq!(wrong.lines().count(), 6, "{wrong}");
        assert!(wrong.contains("two are called \"c\"") && wrong.contains("has no name"), "{wrong}");
        assert!(wrong.contains("as the scenario itself is"), "{wrong}");
        assert!(all(&[], &[]).unwrap_err().contains("nothing is to be changed"));
    }

    #[test]
    fn what_is_set_without_a_name_is_one_variant() {
        let one = all(&owned(&["plan.move.stream=\"20 MB/s\""]), &owned(&["late: a=1"])).unwrap();
        assert_eq!(
            one.iter().map(|known| known.name.as_str()).collect::<Vec<_>>(),
            ["plan.move.stream=20 MB/s", "late"]
        );
        let several = all(&owned(&["a=1", "b=2"]), &[]).unwrap();
        assert_eq!((several.len(), several[0].changes.len(), several[0].name.as_str()), (1, 2, "the change"));
    }
}
