//! The keys of the links between the stores.

use super::keys::{Kind, Need, Table, link_rate, may, need, or, share};

/// A link, or several that are used as one.
pub(crate) static LINK: Table = Table {
    what: "a link",
    keys: &[&[
        need("name", Kind::Name, "Its name."),
        need(
            "capacity",
            link_rate().positive(),
            "The bytes that it lets through, those of all copies and other traffic together.",
        ),
        need(
            "stores",
            Kind::List(&Kind::Text),
            "The heads and clusters behind it: each copy from or to one of them uses it.",
        ),
        or("traffic", Kind::Named(&TRAFFIC), Need::Empty, "What else goes over it."),
    ]],
};

static TRAFFIC: Table = Table {
    what: "other traffic",
    keys: &[&[
        need("name", Kind::Text, "Its name."),
        need(
            "load",
            Kind::Choice(&[share().kind(), link_rate().kind()]),
            "What it takes from the copies: a share of the capacity, or bytes or bits a second.",
        ),
        may(
            "when",
            Kind::Text,
            "\"daily 22:00-06:00\", \"Sat 01:00-05:00\" or \"yearly 12-31\"; always without dates.",
        ),
        may("from", Kind::When, "Its beginning, once."),
        may("until", Kind::When, "Its end, once; a date counts to its end."),
    ]],
};
