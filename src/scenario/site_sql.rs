//! What may be bound in the statements of a directory, and the statements that a site gives in place of the defaults.

use super::site::Statements;

/// A statement: its key, and the values that are bound in it. Each of them has to occur.
pub(crate) struct Statement {
    pub(crate) key: &'static str,
    pub(crate) values: &'static [&'static str],
}

const fn statement(key: &'static str, values: &'static [&'static str]) -> Statement {
    Statement { key, values }
}

/// Every statement, in the order of `Statements`.
pub(crate) const STATEMENTS: [Statement; 9] = [
    statement("list", &[]),
    statement("user", &["user"]),
    statement("hold", &["user", "epoch", "fence"]),
    statement("flip", &["user", "to", "epoch", "fence"]),
    statement("release", &["user", "epoch", "fence"]),
    statement("take_lease", &["owner", "now", "until"]),
    statement("keep_lease", &["fence", "owner", "until"]),
    statement("end_lease", &["fence", "owner"]),
    statement("intake", &["home"]),
];

/// The statements, by key: a text of the site's, or the default.
pub(crate) fn statements(defaults: Statements, text: impl Fn(&'static str) -> Option<String>) -> Statements {
    Statements {
        list: text("list").unwrap_or(defaults.list),
        user: text("user").unwrap_or(defaults.user),
        hold: text("hold").unwrap_or(defaults.hold),
        flip: text("flip").unwrap_or(defaults.flip),
        release: text("release").unwrap_or(defaults.release),
        take_lease: text("take_lease").unwrap_or(defaults.take_lease),
        keep_lease: text("keep_lease").unwrap_or(defaults.keep_lease),
        end_lease: text("end_lease").unwrap_or(defaults.end_lease),
        intake: text("intake").or(defaults.intake),
    }
}

/// The names of the values in a statement, each once: `:user` outside strings, quoted names and comments; `::` is a cast.
pub(crate) fn values(sql: &str) -> Vec<&str> {
    let bytes = sql.as_bytes();
    let mut found: Vec<&str> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &sql.as_bytes()[at..];
        let skipped = match rest {
            [quote @ (b'\'' | b'"'), inner @ ..] => end(inner, &[*quote]) + 1,
            [b'-', b'-', inner @ ..] => end(inner, b"\n") + 2,
            [b'/', b'*', inner @ ..] => end(inner, b"*/") + 2,
            [b':', b':', ..] => 2,
            [b':', inner @ ..] => {
                let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
                let length = inner.iter().take_while(is_part).count();
                let name = &sql[at + 1..=at + length];
                if length > 0 && !found.contains(&name) {
                    found.push(name);
                }
                length + 1
            }
            _ => 1,
        };
        at += skipped;
    }
    found
}

/// The bytes up to and with the first `mark`, or all of them.
fn end(bytes: &[u8], mark: &[u8]) -> usize {
    bytes.windows(mark.len()).position(|part| part == mark).map_or(bytes.len(), |at| at + mark.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_default_binds_what_its_statement_gives_it() {
        for defaults in [Statements::default_for_sqlite(), Statements::default_for_postgres()] {
            let Statements { list, user, hold, flip, release, take_lease, keep_lease, end_lease, intake } = defaults;
            let texts = [list, user, hold, flip, release, take_lease, keep_lease, end_lease];
            for (known, text) in STATEMENTS.iter().zip(texts.iter().chain(&intake)) {
                let mut found = values(text);
                let mut wanted = known.values.to_vec();
                found.sort_unstable();
                wanted.sort_unstable();
                assert_eq!(found, wanted, "{}", known.key);
            }
        }
    }

    #[test]
    fn values_in_strings_comments_and_casts_do_not_count() {
        let sql =
            "select ':a', \":b\", epoch::bigint -- :c\n /* :d */ where name = :user and x=:user and 'it''s :e' = :f;";
        assert_eq!(values(sql), ["user", "f"]);
        assert_eq!(values("a = :"), [""; 0]);
        assert_eq!(values("'open :a"), [""; 0]);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_of_values_panic(text in "[:a'\"é /*\n-]{0,40}") {
            let _ = values(&text);
        }
    }
}
