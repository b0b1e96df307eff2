//! Likelihood ratios against the Python package powerlaw 2.0.0, x_min scans and Monte-Carlo tests.

use gradspectra_analysis::{
    Alternative, AlternativeFit, AnalysisError, LikelihoodRatio, MonteCarloTest, PowerLawFit, XMinScan,
};
use libm::erfc;
use proptest::prelude::*;
use serde_json::Value;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
/// Absolute agreement of log-likelihoods with the package, whose optimiser stops at a relative 1e-5 of the parameters.
const CLOSE: f64 = 1e-3;
/// Relative agreement of p-values with the package: the variance feels its optimiser's error to first order.
const CLOSE_P: f64 = 1e-2;

fn sample(name: &str) -> Vec<f64> {
    let bytes = std::fs::read(format!("{FIXTURES}/{name}.npy")).unwrap();
    npyz::NpyFile::new(&bytes[..]).unwrap().into_vec().unwrap()
}

fn alternative_likelihood(ratio: &LikelihoodRatio) -> f64 {
    ratio.power_law - ratio.ratio
}

/// The package's log-likelihood is known from its ratio and its exponent, which is wrong for pareto-11.
#[test]
fn likelihoods_reach_those_of_powerlaw() {
    let expected: Value = serde_json::from_slice(&std::fs::read(format!("{FIXTURES}/expected.json")).unwrap()).unwrap();
    for (name, case) in expected["power_law"].as_object().unwrap() {
        let (values, k) = (sample(name), case["k"].as_u64().unwrap() as usize);
        let fit = PowerLawFit::top(&values, k).unwrap();
        let alpha = case["powerlaw_alpha"].as_f64().unwrap();
        let n = k as f64;
        let logarithms = n / (fit.beta() - 1.0);
        let their_power_law = n * (alpha - 1.0).ln() - alpha * logarithms - n * fit.lambda_min().ln();
        for (alternative, key) in [
            (Alternative::Lognormal, "loglikelihood_ratio_lognormal"),
            (Alternative::Exponential, "loglikelihood_ratio_exponential"),
        ] {
            let ours = LikelihoodRatio::top(&values, k, alternative).unwrap();
            let (their_ratio, their_p) = (case[key][0].as_f64().unwrap(), case[key][1].as_f64().unwrap());
            let difference = alternative_likelihood(&ours) - (their_power_law - their_ratio);
            match (name.as_str(), alternative) {
                // Densities below 1e-307 count as 1e-307 there: the ratio at its parameters is 6829.6, ours 5452.5.
                ("pareto-1.5", Alternative::Exponential) => assert!((ours.ratio - 5452.461).abs() < CLOSE),
                // The likelihood only rises towards the power law. There, erfc has underflowed to a few bits: in 30
                // digits, the ratios at its parameters are 0.0181 and 0.0245, not -0.0903 and -0.0591.
                ("pareto-1.5" | "ties", Alternative::Lognormal) => assert_eq!((ours.ratio, ours.fit), (0.0, None)),
                ("pareto-2.4", Alternative::Lognormal) => {
                    assert_eq!((ours.ratio, ours.p_value, ours.fit), (0.0, 1.0, None));
                    assert!((0.0..0.01).contains(&difference), "{name}: {difference}");
                }
                _ => {
                    assert!((-1e-8..CLOSE).contains(&difference), "{name} {alternative:?}: {difference}");
                    if name != "pareto-11" {
                        assert!((ours.ratio - their_ratio).abs() < CLOSE, "{name} {alternative:?}: {ours:?}");
                        assert!((ours.p_value / their_p - 1.0).abs() < CLOSE_P, "{name} {alternative:?}: {ours:?}");
                    }
                }
            }
        }
    }
}

/// The package's figures where its optimiser reached a maximum; the p-values of nested ones round to 0 there.
#[test]
fn stretched_and_truncated_ratios_agree_with_powerlaw() {
    use Alternative::{StretchedExponential as Stretched, TruncatedPowerLaw as Truncated};
    for (name, alternative, ratio, p_value) in [
        ("lognormal", Stretched, -29.271883679491307, 1.3387616555878073e-05),
        ("exponential", Stretched, -94.62818431466336, 1.55602694994815e-17),
        ("student3", Stretched, -26.7289088955496, 4.6627381297546074e-05),
        ("lognormal", Truncated, -24.28225835429193, 3.195999020988438e-12),
        ("student3", Truncated, -23.91312338220111, 4.657163543697607e-12),
        ("ranks", Truncated, -0.3980265573385253, 0.372276049422103),
        ("ties", Truncated, -0.024990211975979504, 0.823097341030617),
        ("pareto-1.5", Truncated, -0.15600898490634751, 0.5764445104311724),
    ] {
        let ours = LikelihoodRatio::top(&sample(name), 1000, alternative).unwrap();
        assert!(ours.ratio < ratio + 1e-8 && ours.ratio > ratio - CLOSE, "{name}: {ours:?} is not {ratio}");
        assert!((ours.p_value / p_value - 1.0).abs() < CLOSE_P, "{name}: {ours:?} is not {p_value}");
    }
}

#[test]
fn unfit_samples_are_refused() {
    use AnalysisError::*;
    for alternative in Alternative::ALL {
        let compare = |values: &[f64], k| LikelihoodRatio::top(values, k, alternative);
        assert!(matches!(compare(&[], 2), Err(TooFewPositive { positive: 0, .. })));
        assert!(matches!(compare(&[1.0, 2.0], 1), Err(TooSmallK { k: 1 })));
        assert!(matches!(compare(&[1.0, f64::NAN], 2), Err(NotFinite { index: 1, .. })));
        assert!(matches!(compare(&[3.0; 7], 7), Err(AllEqual { k: 7, .. })));
        assert!(matches!(compare(&[1e-100, 1e100], 2), Err(TooWide { .. })));
        let two = compare(&[1.0, 2.0], 2).unwrap();
        assert!(two.ratio.is_finite() && (0.0..=1.0).contains(&two.p_value), "{two:?}");
    }
    assert!(matches!(XMinScan::of(&[]), Err(TooFewPositive { positive: 0, total: 0, k: 2 })));
    assert!(matches!(XMinScan::of(&[1.0, 0.0, -2.0]), Err(TooFewPositive { positive: 1, total: 3, k: 2 })));
    assert!(matches!(XMinScan::of(&[1.0, f64::INFINITY]), Err(NotFinite { index: 1, .. })));
    assert!(matches!(XMinScan::of(&[0.5; 7]), Err(AllEqual { k: 7, .. })));
}

#[test]
fn a_scan_finds_where_a_power_law_begins() {
    let uniform = (1..=1000).map(|rank| f64::from(rank) / 1000.0);
    let tail = (0..2000).map(|rank| ((f64::from(rank) + 0.5) / 2000.0).powf(-1.0 / 1.5));
    let values: Vec<f64> = uniform.chain(tail).collect();
    let scan = XMinScan::of(&values).unwrap();
    assert!((scan.chosen().lambda_min() - 1.0).abs() < 0.05, "{:?}", scan.chosen());
    assert!((scan.chosen().beta() - 2.5).abs() < 0.05, "{:?}", scan.chosen());
}

#[test]
fn monte_carlo_p_values_do_not_depend_on_threads() {
    let fit = PowerLawFit::top(&sample("ties"), 1000).unwrap();
    let on_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| MonteCarloTest::of(&fit, 999, 3))
    };
    let test = on_threads(1);
    assert_eq!(test.p_value, (1 + test.as_far) as f64 / 1000.0);
    assert_eq!((test, test), (on_threads(2), on_threads(8)));
    assert_ne!(test.as_far, MonteCarloTest::of(&fit, 999, 4).as_far);
    assert_eq!(MonteCarloTest::of(&fit, 0, 3).p_value, 1.0);
    assert!(MonteCarloTest::of(&PowerLawFit::top(&sample("pareto-2.4"), 1000).unwrap(), 999, 3).is_power_law());
    assert!(!MonteCarloTest::of(&PowerLawFit::top(&sample("lognormal"), 1000).unwrap(), 999, 3).is_power_law());
}

/// The log-likelihood of `fit` by its textbook formula.
fn likelihood(values: &[f64], lambda_min: f64, fit: AlternativeFit) -> f64 {
    let ln_density = |x: f64| match fit {
        AlternativeFit::Lognormal { mu, sigma } => {
            let z = (x.ln() - mu) / sigma;
            let above = 0.5 * erfc((lambda_min.ln() - mu) / (sigma * 2f64.sqrt()));
            -0.5 * z * z - x.ln() - sigma.ln() - 0.5 * std::f64::consts::TAU.ln() - above.ln()
        }
        AlternativeFit::Exponential { rate } => {
            let rate = rate.expect("the likelihood is taken where the rate is in range");
            rate.ln() - rate * (x - lambda_min)
        }
        AlternativeFit::StretchedExponential { rate, beta } => {
            let rate = rate.expect("the likelihood is taken where the rate is in range");
            beta.ln() + rate.ln() + (beta - 1.0) * (rate * x).ln() - (rate * x).powf(beta)
                + (rate * lambda_min).powf(beta)
        }
        AlternativeFit::TruncatedPowerLaw { .. } => unreachable!("compared in the crate's own tests"),
    };
    values.iter().map(|&x| ln_density(x)).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_scan_is_the_fits_of_its_tails(sevenths in prop::collection::vec(1u32..200, 3..80)) {
        let values: Vec<f64> = sevenths.iter().map(|&value| f64::from(value) / 7.0).collect();
        prop_assume!(values.iter().any(|&value| value != values[0]));
        let scan = XMinScan::of(&values).unwrap();
        let mut distinct = values.clone();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();
        prop_assert_eq!(scan.candidates().len(), distinct.len() - 1);
        for (candidate, &x_min) in scan.candidates().iter().zip(&distinct) {
            let k = values.iter().filter(|&&value| value >= x_min).count();
            let fit = PowerLawFit::top(&values, k).unwrap();
            prop_assert_eq!((candidate.k(), candidate.lambda_min()), (k, x_min));
            prop_assert!((candidate.beta() / fit.beta() - 1.0).abs() < 1e-9);
            prop_assert!((candidate.ks().two_sided - fit.ks().two_sided).abs() < 1e-9);
            prop_assert!(candidate.ks().two_sided >= scan.chosen().ks().two_sided);
        }
    }

    #[test]
    fn ratios_are_defined_and_do_not_depend_on_scale_or_order(
        exponents in prop::collection::vec(0.0f64..1.0, 3..60),
        width in prop::sample::select(vec![1e-3, 0.3, 3.0, 40.0, 250.0]),
        shape in 0.2f64..4.0,
        power in -40i32..40,
    ) {
        let values: Vec<f64> = exponents.iter().map(|exponent| (width * exponent.powf(shape)).exp()).collect();
        let moved: Vec<f64> = values.iter().rev().map(|value| value * 2f64.powi(power)).collect();
        let k = values.len();
        for alternative in Alternative::ALL {
            let ratio = LikelihoodRatio::top(&values, k, alternative).unwrap();
            prop_assert!(ratio.ratio.is_finite() && (0.0..=1.0).contains(&ratio.p_value), "{:?}", ratio);
            if alternative != Alternative::Exponential {
                prop_assert!(ratio.ratio <= 1e-9, "{:?} contains the power law as a limit", ratio);
            }
            let moved = LikelihoodRatio::top(&moved, k, alternative).unwrap();
            let difference = (ratio.ratio - moved.ratio).abs();
            prop_assert!(difference < 1e-9 * (1.0 + ratio.ratio.abs()), "{:?} {:?}", ratio, moved);
        }
    }

    #[test]
    fn no_neighbour_of_a_fit_is_likelier(values in prop::collection::vec(1.0f64..9.0, 20..60), step in 1e-3f64..0.3) {
        let lambda_min = values.iter().copied().fold(f64::MAX, f64::min);
        for alternative in [Alternative::Lognormal, Alternative::Exponential, Alternative::StretchedExponential] {
            let ratio = LikelihoodRatio::top(&values, values.len(), alternative).unwrap();
            let best = alternative_likelihood(&ratio);
            let Some(fit) = ratio.fit else { continue };
            if matches!(fit, AlternativeFit::StretchedExponential { rate: None, .. }) {
                continue;
            }
            let at_fit = likelihood(&values, lambda_min, fit);
            prop_assert!((at_fit - best).abs() < 1e-8 * best.abs(), "{fit:?}: {best} is not {at_fit}");
            for (first, second) in [(step, 0.0), (-step, 0.0), (0.0, step), (0.0, -step), (step, step), (-step, step)] {
                let (first, second) = (1.0 + first, 1.0 + second);
                let neighbour = match fit {
                    AlternativeFit::Lognormal { mu, sigma } => {
                        AlternativeFit::Lognormal { mu: mu * first, sigma: sigma * second }
                    }
                    AlternativeFit::Exponential { rate } => {
                        AlternativeFit::Exponential { rate: rate.map(|rate| rate * first * second) }
                    }
                    AlternativeFit::StretchedExponential { rate, beta } => {
                        AlternativeFit::StretchedExponential { rate: rate.map(|rate| rate * first), beta: beta * second }
                    }
                    fit => fit,
                };
                let other = likelihood(&values, lambda_min, neighbour);
                prop_assert!(other <= best + 1e-9 * best.abs(), "{neighbour:?}: {other} is above {best} of {fit:?}");
            }
        }
    }
}
