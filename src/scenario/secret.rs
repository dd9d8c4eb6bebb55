//! Passwords in connection strings: refused, and hidden wherever a text of the file is shown.

/// Whether a connection string holds a password: `password=...`, or a URL with one before its host.
pub(crate) fn has_password(text: &str) -> bool {
    // A connection string may go on over several lines, even between `password=` and the password.
    let line = text.replace(['\n', '\r'], " ");
    hidden(&line) != line
}

/// The text with every password and what follows it on the line as stars, of the same length in bytes.
pub(crate) fn hidden(text: &str) -> String {
    text.split_inclusive('\n').map(hide_line).collect()
}

fn hide_line(line: &str) -> String {
    let Some(start) = [after_key(line), in_url(line)].into_iter().flatten().min() else { return line.to_owned() };
    let end = line.trim_end_matches(['\n', '\r']).len();
    let mask = "*".repeat(end.saturating_sub(start));
    format!("{}{mask}{}", &line[..start], &line[end.max(start)..])
}

/// Where the value after `password =` begins. `password_file` is another word.
fn after_key(line: &str) -> Option<usize> {
    const KEY: &str = "password";
    let lower = line.to_ascii_lowercase();
    lower.match_indices(KEY).find_map(|(at, _)| {
        let after = at + KEY.len();
        let rest = line[after..].trim_start_matches([' ', '\t', '"', '\'']);
        let value = rest.strip_prefix('=')?.trim_start();
        (!value.is_empty()).then(|| line.len() - value.len())
    })
}

/// Where the password of `scheme://user:password@host` begins.
fn in_url(line: &str) -> Option<usize> {
    line.match_indices("://").find_map(|(at, mark)| {
        let start = at + mark.len();
        let authority = &line[start..];
        let authority = &authority[..authority.find(['/', '"', '\'', ' ']).unwrap_or(authority.len())];
        // The last one: a password may hold an `@` itself.
        let user = &authority[..authority.rfind('@')?];
        Some(start + user.find(':')? + 1)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_password_is_seen_in_each_form_and_nothing_else_is() {
        for (text, shown) in [
            ("host=/run user=mail password=hunter2", "host=/run user=mail password=*******"),
            ("PASSWORD = 'a b' user=x", "PASSWORD = ************"),
            ("postgres://mail:hunter2@db/mail", "postgres://mail:***************"),
            ("postgres://mail:p@ss@db/mail?x=1", "postgres://mail:****************"),
            ("a\npassword=x\nb", "a\npassword=*\nb"),
        ] {
            assert_eq!(hidden(text), shown);
            assert!(has_password(text));
        }
        for text in [
            "host=/run/postgresql user=mail dbname=mail",
            "password_file = \"/etc/p\"",
            "postgres://mail@db:5432/x",
            "password=",
        ] {
            assert!(!has_password(text), "{text}");
        }
        assert!(has_password("password=\nhunter2"));
    }

    proptest! {
        #[test]
        fn hiding_keeps_the_length(text in "[a:/@=é'\" \n]{0,12}(password|PassWord)?[=: é]{0,4}\\PC{0,12}") {
            prop_assert_eq!(hidden(&text).len(), text.len());
        }
    }
}
