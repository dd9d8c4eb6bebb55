//! Dates as people say them: "late next week, October 18-20", "early to mid-November".
//!
//! The further away or the less sure a date is, the coarser the words: days in this week and the next, thirds of a month for some
//! months, then months, then thirds of a year. Whatever the words, they hold the whole range. Weeks begin on Monday.

use jiff::civil::{Date, Weekday};
use jiff::{ToSpan as _, Unit};

/// Further ahead than this, or wider than `THIRDS_WIDTH`, a range is said in months.
const THIRDS_AHEAD: i32 = 120;
const THIRDS_WIDTH: i32 = 62;
/// Further ahead than this, or wider, a range is said in thirds of years.
const MONTHS_AHEAD: i32 = 365;

/// A range of dates in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spoken {
    /// To stand alone: "early November".
    pub(super) alone: String,
    /// To end a sentence: "in early November".
    pub(super) in_sentence: String,
}

impl Spoken {
    fn same(words: String) -> Self {
        Self { in_sentence: words.clone(), alone: words }
    }

    fn within(words: String) -> Self {
        Self { in_sentence: format!("in {words}"), alone: words }
    }

    fn both(first: &str, last: &str) -> Self {
        Self { alone: format!("{first} to {last}"), in_sentence: format!("between {first} and {last}") }
    }
}

/// The day on which somebody speaks, and what of a date needs no saying then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speaker {
    /// From this day words count: how far ahead a date is, and what is next week.
    pub(super) today: Date,
    /// Dates of this year are said without it.
    pub(super) year: i16,
}

impl Speaker {
    pub(super) fn on(today: Date) -> Self {
        Self { today, year: today.year() }
    }

    /// A range of days that lies ahead; what of it is past is left out.
    pub(super) fn between(self, first: Date, last: Date) -> Spoken {
        let (first, last) = self.ahead(first, last);
        if last <= self.end_of_next_week() { self.days(first, last) } else { self.coarse(first, last) }
    }

    /// The same without words that hold on one day alone, such as "next week": "October 18-20".
    pub(super) fn plainly(self, first: Date, last: Date) -> String {
        let (first, last) = self.ahead(first, last);
        if last <= self.end_of_next_week() { self.numbers(first, last) } else { self.coarse(first, last).alone }
    }

    /// A day by its name: "Saturday, October 20".
    pub(super) fn weekday(self, day: Date) -> String {
        format!("{}, {}", day.strftime("%A"), self.number(day))
    }

    fn ahead(self, first: Date, last: Date) -> (Date, Date) {
        let first = first.max(self.today);
        (first, last.max(first))
    }

    fn end_of_next_week(self) -> Date {
        let left = 7 - i64::from(self.today.weekday().to_monday_one_offset());
        self.today.saturating_add((left + 7).days())
    }

    /// Within this week and the next.
    fn days(self, first: Date, last: Date) -> Spoken {
        let weeks = (self.is_next_week(first), self.is_next_week(last));
        let numbers = self.numbers(first, last);
        let (from, to) = (day_of_week(first), day_of_week(last));
        let week = if weeks.0 { "next week" } else { "this week" };
        match (distance(self.today, first), distance(self.today, last)) {
            (0, 0) => return Spoken::same(format!("today, {numbers}")),
            (1, 1) => return Spoken::same(format!("tomorrow, {numbers}")),
            (0, 1) => return Spoken::same(format!("today or tomorrow, {numbers}")),
            _ => {}
        }
        if first == last {
            let words =
                if weeks.0 { first.strftime("%A next week").to_string() } else { first.strftime("%A").to_string() };
            return Spoken { alone: format!("{words}, {numbers}"), in_sentence: format!("on {words}, {numbers}") };
        }
        match weeks {
            (false, true) if from >= 4 && to <= 3 => {
                Spoken::same(format!("late this week or early next week, {numbers}"))
            }
            (false, true) if first == self.today => Spoken::same(format!("by {}", self.number(last))),
            (false, true) => Spoken { in_sentence: self.between_numbers(first, last), alone: numbers },
            (false, false) if from >= 4 => Spoken::same(format!("later {week}, {numbers}")),
            (true, true) if from >= 4 => Spoken::same(format!("late {week}, {numbers}")),
            (true, true) if to <= 3 => Spoken::same(format!("early {week}, {numbers}")),
            (true, true) if from >= 2 && to <= 5 => Spoken {
                alone: format!("mid next week, {numbers}"),
                in_sentence: format!("in the middle of {week}, {numbers}"),
            },
            _ => Spoken::same(format!("{week}, {numbers}")),
        }
    }

    fn is_next_week(self, day: Date) -> bool {
        day > self.end_of_next_week().saturating_sub(7.days())
    }

    fn coarse(self, first: Date, last: Date) -> Spoken {
        let (ahead, width) = (distance(self.today, first), distance(first, last));
        if ahead <= THIRDS_AHEAD && width <= THIRDS_WIDTH {
            self.thirds_of_months(first, last)
        } else if ahead <= MONTHS_AHEAD && width <= MONTHS_AHEAD {
            self.months(first, last)
        } else {
            thirds_of_years(first, last)
        }
    }

    fn thirds_of_months(self, first: Date, last: Date) -> Spoken {
        let third = |day: Date| (day.day() as usize - 1).min(29) / 10;
        let (from, to) = (third(first), third(last));
        let (first_year, last_year) = self.years(first, last);
        if is_same_month(first, last) {
            let month = format!("{}{last_year}", month(last));
            return parts(from, to, &month);
        }
        Spoken::both(
            &part(from, &format!("{}{first_year}", month(first))),
            &part(to, &format!("{}{last_year}", month(last))),
        )
    }

    fn months(self, first: Date, last: Date) -> Spoken {
        let (first_year, last_year) = self.years(first, last);
        let last_month = format!("{}{last_year}", month(last));
        if is_same_month(first, last) {
            Spoken::within(last_month)
        } else {
            Spoken::both(&format!("{}{first_year}", month(first)), &last_month)
        }
    }

    /// The years that have to be said of the ends of a range.
    fn years(self, first: Date, last: Date) -> (String, String) {
        let said = |year: i16| if year == self.year { String::new() } else { format!(" {year}") };
        let same = first.year() == last.year();
        (if same { String::new() } else { said(first.year()) }, said(last.year()))
    }

    /// "October 20", "January 3, 2013".
    pub(super) fn number(self, day: Date) -> String {
        let year = if day.year() == self.year { String::new() } else { format!(", {}", day.year()) };
        format!("{} {}{year}", month(day), day.day())
    }

    /// "October 18-20", "October 30 to November 2", or one day.
    fn numbers(self, first: Date, last: Date) -> String {
        if first == last {
            return self.number(last);
        }
        if !is_same_month(first, last) {
            return format!("{} to {}", self.first_number(first, last), self.number(last));
        }
        self.number(last).replacen(&format!(" {}", last.day()), &format!(" {}-{}", first.day(), last.day()), 1)
    }

    fn between_numbers(self, first: Date, last: Date) -> String {
        if is_same_month(first, last) {
            let year = if last.year() == self.year { String::new() } else { format!(", {}", last.year()) };
            return format!("between {} {} and {}{year}", month(first), first.day(), last.day());
        }
        format!("between {} and {}", self.first_number(first, last), self.number(last))
    }

    /// Without a year that its last day says.
    fn first_number(self, first: Date, last: Date) -> String {
        if first.year() == last.year() { format!("{} {}", month(first), first.day()) } else { self.number(first) }
    }
}

/// A length of time: "about 4 days".
pub(super) fn lasting(days: f64) -> String {
    match days.abs() {
        short if short < 1.0 => "slightly".to_owned(),
        short if short < 1.5 => "about a day".to_owned(),
        days if days < 13.5 => format!("about {days:.0} days"),
        days if days < 60.0 => format!("about {:.0} weeks", days / 7.0),
        days => format!("about {:.0} months", days / 30.4),
    }
}

fn thirds_of_years(first: Date, last: Date) -> Spoken {
    let third = |day: Date| (day.month() as usize - 1) / 4;
    let (from, to) = (third(first), third(last));
    let (first_year, last_year) = (first.year().to_string(), last.year().to_string());
    match last.year() - first.year() {
        0 => parts(from, to, &last_year),
        1 => Spoken::both(&part(from, &first_year), &part(to, &last_year)),
        _ => Spoken::both(&first_year, &last_year),
    }
}

/// One or several thirds of the same month or year.
fn parts(from: usize, to: usize, of: &str) -> Spoken {
    match (from, to) {
        (0, 2) => Spoken { alone: of.to_owned(), in_sentence: format!("in the course of {of}") },
        (0, 1) => Spoken::within(format!("early to mid-{of}")),
        (1, 2) => Spoken::within(format!("mid- to late {of}")),
        (one, _) => Spoken::within(part(one, of)),
    }
}

/// "early November", "mid-November", "late November".
fn part(third: usize, of: &str) -> String {
    match third {
        0 => format!("early {of}"),
        1 => format!("mid-{of}"),
        _ => format!("late {of}"),
    }
}

fn month(day: Date) -> String {
    day.strftime("%B").to_string()
}

fn is_same_month(one: Date, other: Date) -> bool {
    (one.year(), one.month()) == (other.year(), other.month())
}

/// Monday is 1.
fn day_of_week(day: Date) -> i8 {
    Weekday::to_monday_one_offset(day.weekday())
}

/// Days from one to the other.
fn distance(from: Date, to: Date) -> i32 {
    from.until((Unit::Day, to)).map_or(i32::MAX, |span| span.get_days())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    /// Wednesday.
    const TODAY: (i16, i8, i8) = (2012, 10, 10);

    type Day = (i16, i8, i8);

    fn day((year, month, day): Day) -> Date {
        date(year, month, day)
    }

    #[track_caller]
    fn assert_said(today: Day, cases: &[(Day, Day, &str)]) {
        let speaker = Speaker::on(day(today));
        for (first, last, expected) in cases {
            assert_eq!(speaker.between(day(*first), day(*last)).in_sentence, *expected, "{first:?} to {last:?}");
        }
    }

    #[test]
    fn the_founding_post_is_said_as_it_was() {
        let speaker = Speaker::on(day(TODAY));
        let said = |first, last| speaker.between(day(first), day(last)).alone;
        assert_eq!(said((2012, 10, 18), (2012, 10, 20)), "late next week, October 18-20");
        assert_eq!(said((2012, 11, 1), (2012, 11, 15)), "early to mid-November");
    }

    #[test]
    fn days_of_this_week_and_the_next_are_told_by_their_week_and_number() {
        assert_said(
            TODAY,
            &[
                (TODAY, TODAY, "today, October 10"),
                ((2012, 10, 11), (2012, 10, 11), "tomorrow, October 11"),
                (TODAY, (2012, 10, 11), "today or tomorrow, October 10-11"),
                ((2012, 10, 12), (2012, 10, 12), "on Friday, October 12"),
                ((2012, 10, 19), (2012, 10, 19), "on Friday next week, October 19"),
                (TODAY, (2012, 10, 12), "this week, October 10-12"),
                ((2012, 10, 11), (2012, 10, 14), "later this week, October 11-14"),
                ((2012, 10, 13), (2012, 10, 16), "late this week or early next week, October 13-16"),
                (TODAY, (2012, 10, 20), "by October 20"),
                ((2012, 10, 11), (2012, 10, 20), "between October 11 and 20"),
                ((2012, 10, 15), (2012, 10, 17), "early next week, October 15-17"),
                ((2012, 10, 16), (2012, 10, 18), "in the middle of next week, October 16-18"),
                ((2012, 10, 15), (2012, 10, 21), "next week, October 15-21"),
                ((2012, 10, 20), (2012, 10, 21), "late next week, October 20-21"),
            ],
        );
        // On a Sunday tomorrow is next week; on a Monday next week ends after 13 days.
        assert_said((2012, 10, 14), &[((2012, 10, 15), (2012, 10, 16), "early next week, October 15-16")]);
        assert_said((2012, 10, 15), &[((2012, 10, 25), (2012, 10, 28), "late next week, October 25-28")]);
    }

    #[test]
    fn what_is_past_of_a_range_is_not_said() {
        assert_said(
            TODAY,
            &[
                ((2012, 10, 2), (2012, 10, 12), "this week, October 10-12"),
                ((2012, 10, 2), (2012, 10, 3), "today, October 10"),
                ((2012, 9, 2), (2012, 11, 3), "between early October and early November"),
            ],
        );
    }

    #[test]
    fn weeks_ahead_are_told_in_thirds_of_months() {
        assert_said(
            TODAY,
            &[
                ((2012, 10, 22), (2012, 10, 22), "in late October"),
                ((2012, 10, 12), (2012, 10, 22), "in mid- to late October"),
                ((2012, 10, 30), (2012, 11, 2), "between late October and early November"),
                ((2012, 11, 10), (2012, 11, 10), "in early November"),
                ((2012, 11, 11), (2012, 11, 20), "in mid-November"),
                ((2012, 11, 20), (2012, 11, 30), "in mid- to late November"),
                ((2012, 11, 3), (2012, 11, 27), "in the course of November"),
                ((2012, 10, 31), (2012, 10, 31), "in late October"),
            ],
        );
    }

    #[test]
    fn another_year_is_named_once() {
        assert_said(
            TODAY,
            &[
                ((2012, 12, 22), (2013, 1, 4), "between late December and early January 2013"),
                ((2013, 1, 22), (2013, 2, 4), "between late January and early February 2013"),
                ((2013, 1, 3), (2013, 1, 14), "in early to mid-January 2013"),
            ],
        );
        let new_years = (2012, 12, 27);
        assert_said(
            new_years,
            &[
                ((2012, 12, 30), (2013, 1, 1), "late this week or early next week, December 30 to January 1, 2013"),
                ((2013, 1, 3), (2013, 1, 5), "late next week, January 3-5, 2013"),
                ((2012, 12, 28), (2013, 1, 5), "between December 28 and January 5, 2013"),
                ((2012, 12, 27), (2013, 1, 5), "by January 5, 2013"),
            ],
        );
    }

    #[test]
    fn the_further_away_the_coarser() {
        assert_said(
            TODAY,
            &[
                ((2013, 3, 5), (2013, 3, 9), "in March 2013"),
                ((2013, 3, 5), (2013, 5, 9), "between March and May 2013"),
                ((2012, 11, 5), (2013, 2, 9), "between November and February 2013"),
                ((2013, 10, 11), (2013, 10, 20), "in late 2013"),
                ((2014, 2, 1), (2014, 3, 20), "in early 2014"),
                ((2014, 5, 1), (2014, 12, 20), "in mid- to late 2014"),
                ((2014, 1, 1), (2014, 12, 20), "in the course of 2014"),
                ((2013, 11, 1), (2014, 6, 20), "between late 2013 and mid-2014"),
                ((2012, 11, 1), (2014, 6, 20), "between 2012 and 2014"),
            ],
        );
    }

    #[test]
    fn the_ends_of_any_range_are_in_its_words() {
        for start in 0..400 {
            let today = date(2012, 2, 1).saturating_add(i64::from(start).days());
            let speaker = Speaker::on(today);
            for (ahead, width) in (0..14).flat_map(|ahead| (0..14).map(move |width| (ahead, width))) {
                let first = today.saturating_add(i64::from(ahead).days());
                let last = first.saturating_add(i64::from(width).days());
                let said = speaker.between(first, last).alone;
                if last <= speaker.end_of_next_week() {
                    assert!(said.contains(&last.day().to_string()), "{today} {first} {last}: {said}");
                    let is_open = said.starts_with("by ") && first == today;
                    assert!(is_open || said.contains(&first.day().to_string()), "{today} {first} {last}: {said}");
                } else {
                    let ends = format!("{} {}", first.strftime("%B"), last.strftime("%B"));
                    assert!(ends.split(' ').all(|month| said.contains(month)), "{today} {first} {last}: {said}");
                    assert!(
                        !said.contains(" to mid-") || (11..=20).contains(&last.day()),
                        "{today} {first} {last}: {said}"
                    );
                }
            }
        }
    }

    #[test]
    fn an_earlier_posts_range_is_told_without_its_week() {
        let then = Speaker { today: date(2012, 12, 20), year: 2013 };
        assert_eq!(then.plainly(date(2012, 12, 27), date(2012, 12, 29)), "December 27-29, 2012");
        assert_eq!(then.plainly(date(2013, 1, 14), date(2013, 1, 18)), "mid-January");
        assert_eq!(then.weekday(date(2013, 1, 14)), "Monday, January 14");
    }

    #[test]
    fn lengths_are_round() {
        let said = [0.2, 1.2, 3.6, 13.0, 20.0, 70.0].map(lasting);
        assert_eq!(
            said,
            ["slightly", "about a day", "about 4 days", "about 13 days", "about 3 weeks", "about 2 months"]
        );
    }
}
