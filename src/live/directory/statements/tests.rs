use proptest::prelude::*;

use super::*;

fn numbers(text: &str) -> String {
    numbered(text).expect("no numbers of its own").0
}

#[test]
fn names_become_numbers_in_the_order_of_their_first_use() {
    let (text, names) = numbered("UPDATE a SET b=:to WHERE c=:user AND d=(:to)").expect("fine");
    assert_eq!(text, "UPDATE a SET b=$1 WHERE c=$2 AND d=($1)");
    assert_eq!(names, ["to", "user"]);
}

#[test]
fn texts_names_comments_and_casts_are_left_alone() {
    for text in [
        "SELECT ':user'",
        "SELECT 'it''s :user'",
        r"SELECT E'\' :user' , e'\\\' :user'",
        "SELECT \":user\", \"a\"\":user\"",
        "SELECT 1 -- :user",
        "SELECT /* :user /* :user */ :user */ 1",
        "SELECT $$ :user $$, $a$ :user $$ :user $a$, $é$ :user $é$",
        "SELECT a::text, a :: text, b[1:2], c := 1",
        "SELECT 'never ends :user",
        "SELECT $$ never ends :user",
        "SELECT /* never ends :user",
        ": :1 $ $a $",
        "",
    ] {
        assert_eq!(numbers(text), text);
    }
}

#[test]
fn parameters_beside_them_are_found() {
    for (text, expected) in [
        ("':a':user", "':a'$1"),
        (":user::text", "$1::text"),
        ("E'\\'':user", "E'\\''$1"),
        ("x'00':user", "x'00'$1"),
        ("'\\':user", "'\\'$1"),
        ("--x\n:user", "--x\n$1"),
        ("/**/:user/**/", "/**/$1/**/"),
        ("$$:user$$:user", "$$:user$$$1"),
        ("a$b$:user", "a$b$$1"),
        ("re'':user", "re''$1"),
        ("a=:user_name1+1", "a=$1+1"),
        ("-:user", "-$1"),
    ] {
        assert_eq!(numbers(text), expected, "{text}");
    }
}

#[test]
fn a_statement_that_numbers_its_parameters_is_refused() {
    assert!(numbered("SELECT $1").is_err());
    assert_eq!(numbers("SELECT a$1"), "SELECT a$1");
}

#[test]
fn unknown_and_missing_parameters_are_named_with_their_statement() {
    let error = |which: Which, names: &[&str]| which.parameters(names.iter().copied()).expect_err("wrong").to_string();
    assert_eq!(error(Which::User, &["usr"]), "site.directory.user: there is no `:usr` for it; it takes :user");
    assert_eq!(error(Which::Hold, &["user", "fence"]), "site.directory.hold: it does not ask for `:epoch`");
    assert_eq!(error(Which::List, &["user"]), "site.directory.list: there is no `:user` for it; it takes no values");
    assert!(Which::Flip.parameters(["user", "to", "epoch", "fence", "home"]).is_ok());
}

proptest! {
    #[test]
    fn any_text_is_read_to_its_end(text in any::<String>()) {
        let _ = numbered(&text);
    }

    /// Pieces whose reading is known, put one after the other with a space: only the parameters change.
    #[test]
    fn pieces_are_read_the_same_alone_and_together(
        pieces in prop::collection::vec(prop::sample::select(vec![
            ("SELECT", "SELECT"), (":user", "$1"), ("':user'", "':user'"), ("'it''s'", "'it''s'"),
            ("\":user\"", "\":user\""), ("--:user\n", "--:user\n"), ("/*:user/**/*/", "/*:user/**/*/"),
            ("$$:user$$", "$$:user$$"), ("$t$ $$ :user $t$", "$t$ $$ :user $t$"), ("a::text", "a::text"),
            (":user::text", "$1::text"), ("E'\\':user'", "E'\\':user'"), ("=", "="), ("é", "é"), ("b$c", "b$c"),
        ]), 0..20)
    ) {
        let join = |part: fn(&(&'static str, &'static str)) -> &'static str| {
            pieces.iter().map(part).collect::<Vec<_>>().join(" ")
        };
        prop_assert_eq!(numbers(&join(|piece| piece.0)), join(|piece| piece.1));
    }
}
