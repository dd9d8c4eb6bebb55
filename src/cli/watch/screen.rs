//! The page: what is left, heads, clusters, the course with the forecast's fan, dates, troubles.
//!
//! It has to be read without colour, too: curves differ by their marks.

use std::collections::VecDeque;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize as _};
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{Axis, Block, Cell, Chart, Dataset, GraphType, Paragraph, Row, Table, Wrap};

use super::course::Course;
use crate::live::status::{ClusterStatus, HeadStatus, Status};

/// The speed is that of so many seconds.
const SPEED_OF_S: f64 = 600.0;
/// Columns of a cluster's bar.
const BAR: usize = 20;
/// Lines of troubles that are shown.
const TROUBLES: usize = 3;
/// A curve over less than this has hours at its foot, seconds.
const HOURS_BELOW: f64 = 3.0 * 86_400.0;
/// And over less than this it has seconds.
const SECONDS_BELOW: f64 = 3_600.0;

/// What is shown.
#[derive(Debug)]
pub(super) struct Page {
    name: String,
    zone: TimeZone,
    status: Option<Status>,
    /// Why there is no newer one.
    silent: Option<String>,
    course: Option<Course>,
    no_course: Option<String>,
    /// Seconds since 1970 and mailboxes left, as told.
    told: VecDeque<(f64, f64)>,
}

impl Page {
    pub(super) fn new(name: String, zone: TimeZone) -> Self {
        Self { name, zone, status: None, silent: None, course: None, no_course: None, told: VecDeque::new() }
    }

    /// The migration has said how it stands.
    pub(super) fn stands(&mut self, status: Status) {
        let now = (status.at_us as f64 / 1e6, status.left() as f64);
        if self.told.back().is_none_or(|last| last.0 < now.0) {
            self.told.push_back(now);
        }
        let kept = now.0 - SPEED_OF_S;
        // One older than that stays, or there would be less than the whole time to measure by.
        while self.told.get(1).is_some_and(|second| second.0 <= kept) {
            self.told.pop_front();
        }
        self.status = Some(status);
        self.silent = None;
    }

    /// It does not answer.
    pub(super) fn silent(&mut self, why: String) {
        self.silent = Some(why);
    }

    /// The ledger has been read, and the forecast made anew.
    pub(super) fn course(&mut self, course: Result<Course, String>) {
        match course {
            Ok(course) => (self.course, self.no_course) = (Some(course), None),
            // What was known stays.
            Err(why) => self.no_course = Some(why),
        }
    }

    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let (head_rows, cluster_rows) = match &self.status {
            Some(status) => (status.heads.len() as u16 + 1, status.clusters.len() as u16),
            None => (0, 0),
        };
        let (dates, troubles) = (self.dates(), self.troubles());
        // On a small terminal the curve gives way first, down to a few lines; what does not fit then is cut at the end.
        let [top, heads, clusters, course, said, wrong, foot] = Layout::vertical([
            Constraint::Length(2),
            Constraint::Length(head_rows),
            Constraint::Length(cluster_rows),
            Constraint::Min(6),
            Constraint::Length(dates.len() as u16),
            Constraint::Length(troubles.len() as u16),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        frame.render_widget(Paragraph::new(self.top()), top);
        if let Some(status) = &self.status {
            frame.render_widget(heads_table(&status.heads), heads);
            let lines: Vec<Line<'_>> = status.clusters.iter().map(cluster_line).collect();
            frame.render_widget(Paragraph::new(lines), clusters);
        }
        self.draw_course(frame, course);
        frame.render_widget(Paragraph::new(dates), said);
        frame.render_widget(Paragraph::new(troubles), wrong);
        frame.render_widget(Paragraph::new(self.foot()).dim(), foot);
    }

    /// The answer first.
    fn top(&self) -> Vec<Line<'_>> {
        let Some(status) = &self.status else {
            let why = self.silent.as_deref().unwrap_or("asking");
            return vec![Line::from(self.name.as_str()).bold(), Line::from(format!("no answer yet: {why}"))];
        };
        let halt = status.halt();
        let first = format!("{}: {} of {} mailboxes left{halt}", status.name, status.left(), status.mailboxes);
        let second = match &self.silent {
            Some(why) => Line::from(format!("no answer since {}: {why}", self.time(status.at_us))).bold(),
            None => Line::from(format!(
                "{}: session {} has moved {} ({:.1} GB){}, {} attempts failed",
                self.time(status.at_us),
                status.session,
                status.moved,
                status.moved_bytes as f64 / 1e9,
                self.speed().map_or(String::new(), |speed| format!(", {speed:.0} an hour")),
                status.faults
            )),
        };
        vec![Line::from(first).bold(), second]
    }

    /// Mailboxes an hour, of the last minutes.
    fn speed(&self) -> Option<f64> {
        let (first, last) = (self.told.front()?, self.told.back()?);
        (last.0 - first.0 >= 10.0).then(|| (first.1 - last.1).max(0.0) / (last.0 - first.0) * 3_600.0)
    }

    fn dates(&self) -> Vec<Line<'_>> {
        let course = self.course.iter();
        let mut lines: Vec<Line<'_>> =
            course.flat_map(|course| &course.dates).take(4).map(|date| Line::from(date.as_str())).collect();
        if let Some(why) = &self.no_course {
            lines.push(Line::from(format!("no forecast: {why}")));
        }
        lines
    }

    fn troubles(&self) -> Vec<Line<'_>> {
        let all = self.status.iter().flat_map(|status| &status.troubles);
        let count = self.status.as_ref().map_or(0, |status| status.troubles.len());
        all.skip(count.saturating_sub(TROUBLES))
            .map(|trouble| Line::from(format!("trouble: {}", trouble.replace('\n', " "))).fg(Color::Red))
            .collect()
    }

    fn foot(&self) -> String {
        let forecast = self.course.as_ref().map_or("forecasting".to_owned(), |course| {
            let at = self.time(course.as_of.unix_micros());
            format!("forecast from {at}, {} replications", course.replications)
        });
        format!("q: end this page    {forecast}")
    }

    fn draw_course(&self, frame: &mut Frame<'_>, area: Rect) {
        let empty = Vec::new();
        let past: Vec<(f64, f64)> = {
            let known = self.course.as_ref().map_or(&empty, |course| &course.past);
            let until = known.last().map_or(f64::MIN, |(at, _)| *at);
            known.iter().chain(self.told.iter().filter(|(at, _)| *at > until)).copied().collect()
        };
        let fan = self.course.as_ref().map(|course| &course.fan);
        let points = || past.iter().chain(fan.into_iter().flatten().flatten());
        let (from, until) = points().fold((f64::MAX, f64::MIN), |(low, high), (at, _)| (low.min(*at), high.max(*at)));
        let most = points().map(|(_, left)| *left).fold(1.0, f64::max);
        if from >= until {
            let waits = Paragraph::new("the course is drawn once there is some").wrap(Wrap { trim: true });
            return frame.render_widget(waits.block(Block::bordered()), area);
        }
        let curve = |data, marker, color| {
            let curve = Dataset::default().data(data).marker(marker).graph_type(GraphType::Line);
            curve.style(Style::new().fg(color))
        };
        let mut curves = Vec::new();
        let mut title = "mailboxes left: \u{2588} so far".to_owned();
        if let Some([low, middle, high]) = fan {
            curves.extend([low, high].map(|data| curve(data, Marker::Braille, Color::Cyan)));
            curves.push(curve(middle, Marker::Dot, Color::Cyan));
            title += ", \u{2022} median, between the lines 80 % of what may come";
        }
        curves.push(curve(&past, Marker::Block, Color::Green));
        let feet = [from, f64::midpoint(from, until), until].map(|at| self.foot_of(at, until - from));
        let heights = [0.0, most / 2.0, most].map(|left| format!("{left:.0}"));
        let chart = Chart::new(curves)
            .block(Block::bordered().title(title))
            .x_axis(Axis::default().bounds([from, until]).labels(feet))
            .y_axis(Axis::default().bounds([0.0, most]).labels(heights));
        frame.render_widget(chart, area);
    }

    fn foot_of(&self, at: f64, width: f64) -> String {
        let format = match width {
            ..SECONDS_BELOW => "%H:%M:%S",
            ..HOURS_BELOW => "%b %-d %H:%M",
            _ => "%b %-d",
        };
        self.local((at * 1e6) as i64).strftime(format).to_string()
    }

    fn time(&self, micros: i64) -> String {
        self.local(micros).strftime("%b %-d %H:%M:%S").to_string()
    }

    fn local(&self, micros: i64) -> jiff::ZonedDateTime {
        Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned_datetime(self.zone.clone())
    }
}

fn heads_table(heads: &[HeadStatus]) -> Table<'_> {
    let right = |text: String| Cell::from(Line::from(text).right_aligned());
    let rows = heads.iter().map(move |head| {
        let streams = head.streams.map_or("none yet".to_owned(), |streams| streams.to_string());
        let load = head.load.map_or("no sample".to_owned(), |(load, latency)| {
            format!("{:.0} %, {:.1} ms", f64::from(load) / 1e4, f64::from(latency) / 1e3)
        });
        Row::new([
            Cell::from(head.name.as_str()),
            right(head.left.to_string()),
            right(head.set_aside.to_string()),
            right(head.copying.to_string()),
            right(streams),
            right(load),
            Cell::from(head.binds.as_str()),
        ])
    });
    let widths = [12, 9, 9, 9, 9, 15, 16].map(Constraint::Length);
    let names = ["head", "left", "set aside", "copying", "streams", "load", "bound by"];
    let header = names.iter().enumerate().map(|(place, name)| match place {
        1..=5 => Cell::from(Line::from(*name).right_aligned()),
        _ => Cell::from(*name),
    });
    Table::new(rows, widths).column_spacing(1).header(Row::new(header).underlined())
}

fn cluster_line(cluster: &ClusterStatus) -> Line<'_> {
    let way = format!("{:.1} GB on the way", cluster.reserved as f64 / 1e9);
    let closed = cluster.closed_shown();
    let Some(used) = cluster.used else {
        return Line::from(format!("{:<12} no sample yet{closed}, {way}", cluster.name));
    };
    let share = used as f64 / cluster.threshold.max(1) as f64;
    let full = ((share * BAR as f64) as usize).min(BAR);
    let bar: String = "\u{2588}".repeat(full) + &"\u{2591}".repeat(BAR - full);
    let inodes = cluster.inodes.map_or_else(String::new, |inodes| format!("; inodes {}", inodes.shown()));
    // A narrow terminal cuts the end: that nothing is placed there must not be what goes.
    let of = if cluster.closed { closed } else { " of its threshold" };
    Line::from(format!("{:<12} {bar} {:>5.1} %{of}, {way}{inodes}", cluster.name, share * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Time;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    const START: i64 = 1_349_874_000;

    fn status() -> Status {
        let head = |name: &str, left, copying, binds: &str, load| HeadStatus {
            name: name.to_owned(),
            left,
            set_aside: 1,
            copying,
            streams: Some(16),
            binds: binds.to_owned(),
            load,
            ..HeadStatus::default()
        };
        let cluster = |name: &str, used| ClusterStatus {
            name: name.to_owned(),
            used,
            reserved: 100_000_000,
            threshold: 16_000_000_000,
            ..ClusterStatus::default()
        };
        Status {
            name: "A migration".to_owned(),
            session: 2,
            since_us: START * 1_000_000,
            at_us: (START + 36_000) * 1_000_000,
            mailboxes: 400,
            moved: 130,
            moved_bytes: 2_500_000_000,
            faults: 1,
            heads: vec![
                head("head-1", 70, 8, "throttle", Some((620_000, 4_100))),
                head("head-2", 200, 0, "not its turn", None),
            ],
            clusters: vec![cluster("nas-1", Some(10_000_000_000)), cluster("nas-2", None)],
            troubles: vec!["copy of alice: no room".to_owned()],
            ..Status::default()
        }
    }

    /// Two days of which ten hours are past.
    fn course() -> Course {
        let at = |hours: f64| START as f64 + hours * 3_600.0;
        let line = |ends: f64| vec![(at(10.0), 270.0), (at(ends), 0.0)];
        Course {
            as_of: Time::from_unix_micros((START + 36_000) * 1_000_000),
            past: (0..=10).map(|hour| (at(f64::from(hour)), 400.0 - 13.0 * f64::from(hour))).collect(),
            fan: [line(30.0), line(36.0), line(48.0)],
            dates: vec![
                "head-1 is empty October 11 (80 %: October 11 to 11)".to_owned(),
                "Everything is off the old storage October 12 (80 %: October 11 to 12)".to_owned(),
            ],
            replications: 60,
        }
    }

    fn drawn(page: &Page, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| page.draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    fn page() -> Page {
        let mut page = Page::new("A migration".to_owned(), TimeZone::UTC);
        let mut earlier = status();
        earlier.at_us -= 600_000_000;
        earlier.heads[0].left += 10;
        page.stands(earlier);
        page.stands(status());
        page.course(Ok(course()));
        page
    }

    #[test]
    fn a_running_migration_on_a_small_and_on_a_large_terminal() {
        insta::assert_snapshot!("small", drawn(&page(), 80, 24));
        insta::assert_snapshot!("large", drawn(&page(), 120, 40));
    }

    #[test]
    fn what_is_not_known_is_said() {
        let mut page = Page::new("A migration".to_owned(), TimeZone::UTC);
        page.silent("drawdown.sock: no such file".to_owned());
        page.course(Err("ledger.db: no session has begun in it".to_owned()));
        insta::assert_snapshot!("nothing", drawn(&page, 80, 12));
    }

    #[test]
    fn a_migration_that_stops_answering_keeps_what_it_said_last() {
        let mut page = page();
        page.silent("drawdown.sock: connection refused".to_owned());
        let text = drawn(&page, 100, 30);
        assert!(text.contains("270 of 400 mailboxes left"), "{text}");
        assert!(text.contains("no answer since Oct 10 23:00:00: drawdown.sock: connection refused"), "{text}");
    }

    #[test]
    fn any_size_is_drawn() {
        let page = page();
        for (width, height) in [(1, 1), (10, 3), (40, 8), (300, 100)] {
            drawn(&page, width, height);
        }
    }

    #[test]
    fn that_a_cluster_is_closed_is_seen_on_a_narrow_terminal_too() {
        for used in [None, Some(10_000_000_000)] {
            let mut status = status();
            status.clusters[0] = ClusterStatus { closed: true, used, ..status.clusters[0].clone() };
            let mut page = page();
            page.stands(status);
            let shown = drawn(&page, 80, 24);
            let line = shown.lines().find(|line| line.contains("nas-1")).unwrap();
            assert!(line.contains("; closed until `open-cluster`"), "{line}");
        }
    }

    #[test]
    fn the_speed_is_that_of_the_last_minutes() {
        let mut page = Page::new(String::new(), TimeZone::UTC);
        for second in 0..2_000_i64 {
            let mut status = status();
            status.at_us = second * 1_000_000;
            status.heads[1].left = 3_000 - second as u32;
            page.stands(status);
            assert!(page.told.len() < 700, "{}", page.told.len());
        }
        assert_eq!(page.speed().map(f64::round), Some(3_600.0));
    }
}
