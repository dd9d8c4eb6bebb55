//! A Prometheus server that has the load of a store from elsewhere: arrays whose counters no machine of ours can read.
//!
//! It is asked at `/api/v1/query`, in plain HTTP. An expression has to give one series, or a scalar; no series, a server
//! that does not answer, or a value that was measured too long ago is a missing sample. How old a value is the server says
//! itself, by its own clock (`timestamp(...)`), for an expression that is a series; what it works out (`rate(x[2m])`) has
//! no age, and vanishes from the answers when its range has passed.

use std::fmt::Write as _;

use serde::Deserialize;
use ureq::Agent;

use super::Load;
use super::command::{LATENCY_MAX_S, UTILISATION_MAX};
use crate::live::clock::awake;
use crate::live::command::duration;
use crate::scenario::site::Prometheus;
use crate::units::{Latency, Share, Span};

/// An answer is no longer than this.
const LONGEST: u64 = 64 * 1024;

/// Asks a server about a store.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    asked: Prometheus,
    timeout: Span,
    agent: Agent,
}

/// What an expression has come to.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Value {
    number: f64,
    /// When it was worked out, in seconds since 1970 by the server's clock.
    at_s: f64,
    /// Whether it is a series, of which the server knows when it was measured.
    is_series: bool,
}

impl Asker {
    pub(super) fn new(asked: &Prometheus, timeout: Span) -> Self {
        // A proxy of the environment would depend on who has started us; a redirect could lead anywhere.
        let config = Agent::config_builder().http_status_as_error(false).proxy(None).max_redirects(0);
        Self { asked: asked.clone(), timeout, agent: config.build().into() }
    }

    /// The load now, all questions within one timeout.
    ///
    /// # Errors
    /// The server does not answer in time, or what it says is no load, or an old one.
    pub(super) fn ask(&self) -> Result<Load, String> {
        let deadline = awake() + self.timeout;
        let mut load = Load::default();
        if let Some(expression) = &self.asked.utilisation {
            let (number, age) = self.value("utilisation", expression, UTILISATION_MAX, deadline)?;
            load = Load { utilisation: Share::from_fraction_up(number), age, ..load };
        }
        if let Some(expression) = &self.asked.latency {
            let (number, age) = self.value("latency", expression, LATENCY_MAX_S, deadline)?;
            load = Load { latency: Latency::from_secs_up(number), age: age.max(load.age), ..load };
        }
        Ok(load)
    }

    /// The number of an expression, and how old it is.
    fn value(&self, what: &str, expression: &str, most: f64, deadline: Span) -> Result<(f64, Span), String> {
        let failed = |why: String| format!("{what} from {}: {why}", self.asked.server);
        let value = self.query(expression, None, deadline).map_err(failed)?;
        // Not a number lies in no range.
        if !(0.0..=most).contains(&value.number) {
            return Err(failed(format!("is {}, must lie between 0 and {most}", value.number)));
        }
        if !value.is_series {
            return Ok((value.number, Span::ZERO));
        }
        // At the same instant, so that it is the age of the same value.
        let measured = self.query(&format!("timestamp({expression})"), Some(value.at_s), deadline).map_err(failed)?;
        let age = Span::from_secs_f64((value.at_s - measured.number).max(0.0));
        if age > self.asked.max_age {
            return Err(failed(format!("was measured {age} ago, which is longer than {}", self.asked.max_age)));
        }
        Ok((value.number, age))
    }

    fn query(&self, expression: &str, at_s: Option<f64>, deadline: Span) -> Result<Value, String> {
        let left = deadline - awake();
        if left <= Span::ZERO {
            return Err(format!("no answer within {}", self.timeout));
        }
        let request = self.agent.get(format!("{}/api/v1/query", self.asked.server)).query("query", expression);
        let request = match at_s {
            Some(at_s) => request.query("time", format!("{at_s:.3}")),
            None => request,
        };
        let request = request.config().timeout_global(Some(duration(left))).build();
        let mut response = request.call().map_err(|error| told(&error, self.timeout))?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(LONGEST).read_to_string();
        let body = body.map_err(|error| told(&error, self.timeout))?;
        parse(&body).map_err(|why| if status == 200 { why } else { format!("HTTP status {status}: {why}") })
    }
}

fn told(error: &ureq::Error, timeout: Span) -> String {
    match error {
        ureq::Error::Timeout(_) => format!("no answer within {timeout}"),
        other => other.to_string(),
    }
}

/// An answer of `/api/v1/query`.
#[derive(Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Answer {
    Success { data: Data },
    Error { error: String },
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Vector(Vec<Series>),
    Scalar((f64, String)),
    Matrix(serde::de::IgnoredAny),
    String(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Series {
    value: (f64, String),
}

/// The one value of an answer.
fn parse(body: &str) -> Result<Value, String> {
    let answer = serde_json::from_str(body).map_err(|_| format!("the answer is not understood: {:?}", short(body)))?;
    let ((at_s, text), is_series) = match answer {
        Answer::Error { error } => return Err(short(&error)),
        Answer::Success { data: Data::Scalar(value) } => (value, false),
        Answer::Success { data: Data::Vector(mut series) } => match (series.pop(), series.len()) {
            (Some(only), 0) => (only.value, true),
            (None, _) => return Err("the expression gives no series: nothing is known now".to_owned()),
            (Some(_), more) => return Err(format!("the expression gives {} series, must give one", more + 1)),
        },
        Answer::Success { data: Data::Matrix(_) | Data::String(_) } => {
            return Err("the expression gives neither a series nor a scalar now".to_owned());
        }
    };
    let number = text.parse().map_err(|_| format!("the value {:?} is no number", short(&text)))?;
    Ok(Value { number, at_s, is_series })
}

/// At most 120 characters, control characters shown: it becomes part of a message.
fn short(text: &str) -> String {
    let mut kept = String::new();
    for letter in text.trim().chars().take(120) {
        let _ =
            if letter.is_control() { write!(kept, "{}", letter.escape_default()) } else { write!(kept, "{letter}") };
    }
    kept
}

#[cfg(test)]
#[path = "prometheus/tests.rs"]
mod tests;
