//! The statements of a directory when a site gives none, for these tables, in the SQL that both databases read:
//!
//! ```sql
//! create table mailbox (name text primary key, home text, path text, epoch bigint, state text, fence bigint);
//! create table drawdown_lease (fence bigint, owner text, until bigint);
//! insert into drawdown_lease values (0, null, 0);
//! ```
//!
//! Every change depends on the user's epoch and state, and on the lease still being ours: it has the fence that we hold.

use super::site::Statements;

/// A statement: its key, its default, and the values that are bound in it. Each of them has to occur.
pub(crate) struct Statement {
    pub(crate) key: &'static str,
    pub(crate) default: Option<&'static str>,
    pub(crate) values: &'static [&'static str],
}

const fn statement(key: &'static str, default: &'static str, values: &'static [&'static str]) -> Statement {
    Statement { key, default: Some(default), values }
}

/// Every statement, in the order of `Statements`.
pub(crate) const STATEMENTS: [Statement; 9] = [
    statement("list", "select name, home, path, epoch, state from mailbox order by name", &[]),
    statement("user", "select name, home, path, epoch, state from mailbox where name = :user", &["user"]),
    // A hold of an earlier session is taken over; one that somebody set by hand has no fence and stays.
    statement(
        "hold",
        "update mailbox set state = 'hold', fence = :fence where name = :user and epoch = :epoch \
         and (state = 'ok' or state = 'hold' and fence <= :fence) \
         and exists (select 1 from drawdown_lease where fence = :fence)",
        &["user", "epoch", "fence"],
    ),
    statement(
        "flip",
        "update mailbox set home = :to, epoch = epoch + 1, state = 'ok' where name = :user and epoch = :epoch \
         and state = 'hold' and fence = :fence and exists (select 1 from drawdown_lease where fence = :fence)",
        &["user", "to", "epoch", "fence"],
    ),
    statement(
        "release",
        "update mailbox set state = 'ok' where name = :user and epoch = :epoch and state = 'hold' \
         and fence <= :fence and exists (select 1 from drawdown_lease where fence = :fence)",
        &["user", "epoch", "fence"],
    ),
    statement(
        "take_lease",
        "update drawdown_lease set fence = fence + 1, owner = :owner, until = :until \
         where owner is null or until < :now returning fence",
        &["owner", "now", "until"],
    ),
    statement(
        "keep_lease",
        "update drawdown_lease set until = :until where fence = :fence and owner = :owner",
        &["fence", "owner", "until"],
    ),
    statement(
        "end_lease",
        "update drawdown_lease set owner = null, until = 0 where fence = :fence and owner = :owner",
        &["fence", "owner"],
    ),
    Statement { key: "intake", default: None, values: &["home"] },
];

/// The statements, by key: a text of the site's, or the default.
pub(crate) fn statements(text: impl Fn(&'static str) -> Option<String>) -> Statements {
    let chosen = |key: &'static str| {
        let default = || STATEMENTS.iter().find(|known| known.key == key)?.default.map(str::to_owned);
        text(key).or_else(default)
    };
    let needed = |key: &'static str| chosen(key).unwrap_or_default();
    Statements {
        list: needed("list"),
        user: needed("user"),
        hold: needed("hold"),
        flip: needed("flip"),
        release: needed("release"),
        take_lease: needed("take_lease"),
        keep_lease: needed("keep_lease"),
        end_lease: needed("end_lease"),
        intake: chosen("intake"),
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
        for known in STATEMENTS {
            let mut found = values(known.default.unwrap_or(":home"));
            let mut wanted = known.values.to_vec();
            found.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "{}", known.key);
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
