//! A server of the test's own answers as Prometheus does.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tiny_http::{Response, Server};

use super::*;
use crate::live::probe::{Probe, ProbeError};
use crate::scenario::site::{FillProbe, LoadProbe, Store};

const SECOND: Span = Span::from_secs(1);

/// Answers each question in turn with a status and a text, and says what was asked; after the last answer nobody answers.
fn server(answers: Vec<(u16, String)>) -> (String, Receiver<String>) {
    let server = Server::http("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", server.server_addr().to_ip().expect("an address"));
    let (tell, asked) = channel();
    std::thread::spawn(move || {
        for (status, body) in answers {
            let Ok(request) = server.recv() else { return };
            let _ = tell.send(request.url().to_owned());
            let _ = request.respond(Response::from_string(body).with_status_code(status));
        }
        // Takes the question and keeps it.
        let _kept = server.recv();
        std::thread::park_timeout(Duration::from_secs(30));
    });
    (address, asked)
}

fn vector(at: f64, values: &[&str]) -> String {
    let series: Vec<String> =
        values.iter().map(|value| format!(r#"{{"metric":{{"array":"a"}},"value":[{at},"{value}"]}}"#)).collect();
    format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{}]}}}}"#, series.join(","))
}

fn asked(server: &str) -> Prometheus {
    Prometheus {
        server: server.to_owned(),
        utilisation: Some("busy{array=\"a\"}".to_owned()),
        latency: Some("1e3 * wait".to_owned()),
        max_age: Span::from_secs(60),
    }
}

fn answered(answers: &[String]) -> Result<Load, String> {
    let (address, _asked) = server(answers.iter().map(|body| (200, body.clone())).collect());
    Asker::new(&asked(&address), Span::from_secs(20)).ask()
}

#[test]
fn both_expressions_are_asked_with_their_ages_at_the_same_instant() {
    let answers =
        [vector(1000.5, &["0.62"]), vector(1000.5, &["990"]), vector(1001.0, &["0.0041"]), vector(1001.0, &["1001"])];
    let (address, questions) = server(answers.into_iter().map(|body| (200, body)).collect());
    let load = Asker::new(&asked(&address), Span::from_secs(20)).ask();
    let (utilisation, latency) = (Share::from_ppm(620_000), Latency::from_micros(4_100));
    assert_eq!(load, Ok(Load { utilisation, latency, age: Span::from_secs_f64(10.5) }));
    let questions: Vec<String> = questions.try_iter().collect();
    assert_eq!(questions[0], "/api/v1/query?query=busy%7Barray%3D%22a%22%7D");
    assert_eq!(questions[1], "/api/v1/query?query=timestamp(busy%7Barray%3D%22a%22%7D)&time=1000.500");
    assert_eq!(questions.len(), 4);
}

#[test]
fn a_scalar_has_no_age_and_one_expression_is_enough() {
    let (address, _asked) =
        server(vec![(200, r#"{"status":"success","data":{"resultType":"scalar","result":[7,"0.5"]}}"#.to_owned())]);
    let asked = Prometheus { latency: None, ..asked(&address) };
    let load = Asker::new(&asked, Span::from_secs(20)).ask().expect("a load");
    assert_eq!(load, Load { utilisation: Share::from_ppm(500_000), ..Load::default() });
}

#[test]
fn what_is_no_load_is_missing_and_says_why() {
    let cases = [
        (vector(0.0, &[]), "gives no series"),
        (vector(0.0, &["0.1", "0.2"]), "gives 2 series, must give one"),
        (vector(0.0, &["NaN"]), "is NaN, must lie between 0 and 2"),
        (vector(0.0, &["62"]), "is 62, must lie between 0 and 2"),
        (vector(0.0, &["+Inf"]), "is inf, must"),
        (vector(0.0, &["many"]), "\"many\" is no number"),
        (r#"{"status":"error","errorType":"bad_data","error":"parse error: x"}"#.to_owned(), "parse error: x"),
        (r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#.to_owned(), "neither a series nor"),
        ("<html>\u{1b}[2J".to_owned(), r#"not understood: "<html>\\u{1b}[2J""#),
    ];
    for (body, why) in cases {
        let error = answered(std::slice::from_ref(&body)).expect_err(&body);
        assert!(error.starts_with("utilisation from http://127.0.0.1:") && error.contains(why), "{error}");
    }
}

#[test]
fn a_value_that_is_too_old_is_missing() {
    let error = answered(&[vector(1000.0, &["0.5"]), vector(1000.0, &["939"])]).expect_err("61 s old");
    assert!(error.contains("was measured 61.0 s ago, which is longer than"), "{error}");
    let fresh = [(1000.0, "0.5"), (1000.0, "941"), (1000.0, "0.1"), (1000.0, "1000")];
    let fresh = fresh.map(|(at, value)| vector(at, &[value]));
    assert_eq!(answered(&fresh).expect("fresh enough").age, Span::from_secs(59));
}

#[test]
fn a_status_that_is_no_success_is_told_with_what_the_server_says() {
    let body = r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#;
    let (address, _asked) = server(vec![(503, body.to_owned())]);
    let error = Asker::new(&asked(&address), Span::from_secs(20)).ask().expect_err("503");
    assert!(error.contains("HTTP status 503: query timed out"), "{error}");
    // A redirect is not followed.
    let (address, questions) = server(vec![(302, String::new())]);
    assert!(Asker::new(&asked(&address), Span::from_secs(20)).ask().is_err());
    assert_eq!(questions.try_iter().count(), 1);
}

#[test]
fn a_server_that_does_not_answer_costs_one_timeout() {
    let (address, _asked) = server(Vec::new());
    let before = awake();
    let error = Asker::new(&asked(&address), SECOND).ask().expect_err("silence");
    assert!(error.contains("no answer within 1.0 s"), "{error}");
    assert!(awake() - before < Span::from_secs(15));
    // Nobody listens there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let error = Asker::new(&asked(&format!("http://{closed}")), SECOND).ask().expect_err("refused");
    assert!(error.contains("refused"), "{error}");
}

#[test]
fn the_probe_of_a_store_says_how_old_its_load_is() {
    let root = tempfile::tempdir().expect("a folder");
    let (address, _asked) = server(vec![(200, vector(50.0, &["0.25"])), (200, vector(50.0, &["45"]))]);
    let probe = LoadProbe::Prometheus(Prometheus { latency: None, ..asked(&address) });
    let store = Store { root: root.path().to_owned(), mount: false, probe, fill: FillProbe::FileSystem };
    let mut probe = Probe::new(&store, SECOND);
    let reading = probe.sample().expect("a reading");
    assert_eq!((reading.utilisation, reading.age), (Share::from_ppm(250_000), Span::from_secs(5)));
    assert!(reading.capacity > reading.used);
    assert!(matches!(probe.sample(), Err(ProbeError::Failed(_))), "the server has gone silent");
}
