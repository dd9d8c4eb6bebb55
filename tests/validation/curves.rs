//! Presets of response over load against the results that they are named after.

use drawdown::scenario::curve::{LatencyCurve, PRESETS, preset};

use super::document;

/// SPECsfs2008 results 20081215-00112, 20090727-00126, 20111017-00200 and 20111017-00199: response in milliseconds at 10,
/// 20 ... 100 % of the peak, and the overall response time (ORT).
const PUBLISHED: [([f64; 10], f64); 4] = [
    ([0.9, 1.2, 1.4, 1.7, 2.0, 2.4, 3.1, 4.1, 5.8, 10.0], 2.75),
    ([0.8, 0.9, 1.1, 1.3, 1.4, 1.6, 1.9, 2.2, 2.8, 3.5], 1.58),
    ([0.6, 0.8, 0.9, 1.1, 1.2, 1.4, 1.6, 2.1, 2.9, 4.4], 1.48),
    ([0.6, 0.8, 0.9, 1.1, 1.4, 1.4, 1.7, 2.2, 3.1, 4.7], 1.56),
];

fn at_tenths(curve: &LatencyCurve) -> [f64; 10] {
    std::array::from_fn(|tenth| curve.response_s((tenth + 1) as f64 / 10.0) * 1e3)
}

/// The area below the curve over its peak, by trapezoids from the origin, as SPEC has it.
fn overall_response(points: &[f64; 10]) -> f64 {
    let from = [0.0].iter().chain(points);
    from.zip(points).map(|(low, high)| (low + high) / 2.0 / 10.0).sum()
}

#[test]
fn presets_are_the_published_curves() {
    let mut rows = Vec::new();
    for (name, (published, ort)) in PRESETS.iter().zip(PUBLISHED) {
        let points = at_tenths(&preset(&format!("{name}-points")).unwrap());
        for (point, published) in points.iter().zip(published) {
            assert!((point - published).abs() < 1e-12, "{name}: {point} for {published}");
        }
        let fit = at_tenths(&preset(name).unwrap());
        let errors: Vec<f64> = fit.iter().zip(published).map(|(fit, published)| fit / published - 1.0).collect();
        let rms = (errors.iter().map(|error| error * error).sum::<f64>() / 10.0).sqrt();
        let worst = errors.iter().fold(0.0_f64, |worst, error| worst.max(error.abs()));
        assert!(rms <= 0.05 && worst <= 0.10, "{name}: rms {rms}, worst {worst}");
        let (of_points, of_fit) = (overall_response(&points), overall_response(&fit));
        assert!((of_points / ort - 1.0).abs() <= 0.005, "{name}: {of_points} ms for {ort}");
        assert!((of_fit / ort - 1.0).abs() <= 0.03, "{name}: {of_fit} ms for {ort}");
        rows.push(vec![
            format!("`{name}`"),
            format!("{:.1} %", rms * 1e2),
            format!("{:.1} %", worst * 1e2),
            format!("{ort:.2} ms"),
            format!("{of_points:.3} ms"),
            format!("{of_fit:.3} ms"),
        ]);
    }
    let head = ["preset", "rms of the fit", "worst point", "published ORT", "of the points", "of the fit"];
    document::shows("curves", &head, &rows);
}
