//! The report in a browser: the answer is in the page, nothing is complained of, and no telephone has to scroll sideways.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use assert_cmd::cargo::CommandCargoExt as _;

use crate::coarse::COARSE;

/// Whether there is a browser. Where the environment asks for it, there has to be.
fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let named = ["chromium", "chromium-browser", "google-chrome"];
    let found =
        std::env::split_paths(&path).flat_map(|folder| named.map(|name| folder.join(name))).find(|at| at.is_file());
    if found.is_none() {
        assert!(std::env::var_os("DRAWDOWN_TEST_CHROMIUM").is_none(), "no chromium is installed");
        println!("skipped: no chromium is installed");
    }
    found
}

/// Where a forecast of few mailboxes has written its files.
fn forecast(root: &Path, settings: &[&str]) -> PathBuf {
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/opensrs-cluster-b.toml");
    let mut command = Command::cargo_bin("drawdown").unwrap();
    command.arg("forecast").arg(scenario).args(["--replications", "40", "--quiet", "--output"]).arg(root);
    command.args(["--set", "population.mailboxes=2000", "--set", "forecast.chance_only=0"]).args(COARSE);
    for setting in settings {
        command.args(["--set", setting]);
    }
    assert!(command.stdout(Stdio::null()).status().unwrap().success());
    root.join("opensrs-cluster-b")
}

/// The page's elements once it is shown, and what the browser has complained of.
fn shown(browser: &Path, page: &Path) -> (String, String) {
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]);
    command.args(["--enable-logging=stderr", "--window-size=1200,900", "--virtual-time-budget=5000", "--dump-dom"]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    let output = command.arg(format!("file://{}", page.display())).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let complaints = said.lines().filter(|line| line.contains("CONSOLE")).collect::<Vec<_>>().join("\n");
    (String::from_utf8(output.stdout).unwrap(), complaints)
}

/// A page that shows another one, as wide as a telephone's screen, and writes down how wide its content is.
fn on_a_telephone(page: &str) -> String {
    let quoted = page.replace('&', "&amp;").replace('"', "&quot;");
    format!(
        "<!DOCTYPE html><html><body><iframe width=\"360\" height=\"780\" style=\"border:0\" srcdoc=\"{quoted}\"></iframe>\
         <p id=\"told\"></p><script>onload = () => {{ const page = document.querySelector('iframe').contentDocument; \
         const wide = [...page.querySelectorAll('.scroll *')]; \
         const outside = [...page.querySelectorAll('body *')].filter(one => !wide.includes(one) && !one.closest('svg') && \
         one.className != 'skip' && !one.closest('thead') && one.getBoundingClientRect().right > 361).map(one => one.tagName); \
         const charts = [...page.querySelectorAll('svg')].filter(one => one.getBoundingClientRect().width > 0); \
         const lines = one => one.getBoundingClientRect().height / parseFloat(getComputedStyle(one).lineHeight); \
         const tall = [...page.querySelectorAll('.scroll thead th')].filter(one => lines(one) > 5.6).map(one => one.textContent); \
         const told = {{ width: page.documentElement.scrollWidth, outside, tall, charts: charts.length, \
         small: charts.flatMap(one => [...one.querySelectorAll('text')]).filter(one => one.getBoundingClientRect().height < 10).length }}; \
         document.getElementById('told').textContent = JSON.stringify(told); }}</script></body></html>"
    )
}

fn told(dom: &str) -> serde_json::Value {
    let (_, rest) = dom.split_once("<p id=\"told\">").unwrap();
    serde_json::from_str(rest.split_once("</p>").unwrap().0).unwrap()
}

#[test]
fn a_browser_shows_the_answer_without_complaint_and_at_any_width() {
    let Some(browser) = browser() else { return };
    let root = tempfile::tempdir().unwrap();
    // One that is done, and one that is not and has a name without a gap.
    let name = format!("name='{}'", "unbroken".repeat(40));
    for (number, settings) in [&[][..], &["horizon='1 hour'", name.as_str()][..]].into_iter().enumerate() {
        let folder = forecast(&root.path().join(number.to_string()), settings);
        let page = folder.join("report.html");
        let text = fs::read_to_string(&page).unwrap();
        let (_, answer) = text.split_once("id=\"the-answer\">").unwrap();
        let answer = answer.split_once("</p>").unwrap().0;
        let begins =
            ["All mailboxes are off the old storage by ", "Mailboxes are still on the old storage on "][number];
        assert!(answer.starts_with(begins), "{answer}");

        let (dom, complaints) = shown(&browser, &page);
        let dom = dom.replace("&nbsp;", "\u{a0}");
        assert!(dom.contains(&format!("id=\"the-answer\">{answer}</p>")), "{answer}");
        assert_eq!(complaints, "");

        let phone = folder.join("phone.html");
        fs::write(&phone, on_a_telephone(&text)).unwrap();
        let (dom, complaints) = shown(&browser, &phone);
        assert_eq!(complaints, "");
        let told = told(&dom);
        let drawn = text.matches("<svg class=\"phone\"").count();
        let expected = serde_json::json!({ "width": 360, "outside": [], "tall": [], "charts": drawn, "small": 0 });
        assert_eq!(told, expected, "{answer}");
        assert!(drawn >= 4, "{drawn} charts");
    }
}
