//! Likelihood ratios of samples with one value far from the rest, narrow and wide ones, against mpmath.

use gradspectra_analysis::{Alternative, LikelihoodRatio, PowerLawFit, XMinScan};
use proptest::prelude::*;

/// Relative agreement of R.
const CLOSE: f64 = 1e-6;
/// Absolute agreement of p-values.
const CLOSE_P: f64 = 1e-7;

/// R and p against the lognormal, exponential, stretched exponential and truncated power law; `None` where the power law
/// is the supremum. By mpmath 1.3.0 with 40 digits: each likelihood maximised by bisection, by Newton's iteration on the
/// moments for the truncated power law, its integrals by Gauss–Legendre quadrature.
type Right = [Option<(f64, f64)>; 4];

fn one_far_below() -> Vec<f64> {
    let uniform = (0..300).map(|index| 1.0 + 9.0 * (f64::from(index) + 0.5) / 300.0);
    std::iter::once(1e-17).chain(uniform).collect()
}

fn two_values() -> Vec<f64> {
    std::iter::once(1.0).chain([1e3; 999]).collect()
}

/// Quantiles of the logistic distribution with deviation 1, and one value 8 deviations below.
fn eight_deviations_below() -> Vec<f64> {
    let quantile = |rank: i32| 0.55 * ((f64::from(rank) - 0.5) / (400.5 - f64::from(rank))).ln();
    std::iter::once(-8.0).chain((1..=400).map(quantile)).map(f64::exp).collect()
}

fn narrow() -> Vec<f64> {
    [0.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0].map(|rest| 1e9 + rest).to_vec()
}

fn a_few_ulps() -> Vec<f64> {
    [0.0, 1.0, 2.0, 2.0, 3.0, 5.0, 8.0, 13.0, 40.0, 100.0].map(|ulps| 1.0 + ulps * f64::EPSILON).to_vec()
}

fn wide() -> Vec<f64> {
    (0..119).map(|rank| (2.5 * f64::from(rank)).exp()).collect()
}

fn wide_gap() -> Vec<f64> {
    std::iter::once(1e-130).chain((0..50).map(|rank| 1.0 + 0.01 * f64::from(rank))).collect()
}

#[test]
fn ratios_agree_with_mpmath() {
    let cases: [(&str, Vec<f64>, Right); 7] = [
        (
            "far below",
            one_far_below(),
            [
                Some((-723.157824322097, 3.45089518780084e-07)),
                Some((-1030.84861048363, 4.94337994267217e-141)),
                Some((-1095.06603477416, 2.59150296843935e-46)),
                Some((-1063.44402643628, 0.0)),
            ],
        ),
        (
            "two values",
            two_values(),
            [
                Some((-3034.4388561196, 1.31263706057573e-09)),
                Some((-1926.73747897067, 0.0)),
                Some((-5907.75527898214, 3.40633434809367e-09)),
                Some((-3730.85066911128, 0.0)),
            ],
        ),
        (
            "eight",
            eight_deviations_below(),
            [
                Some((-638.000278788173, 3.14529282433112e-88)),
                Some((-613.895988329459, 9.05082428187284e-126)),
                Some((-615.695431901286, 1.28886105462797e-170)),
                Some((-614.179354418483, 4.19005857258009e-269)),
            ],
        ),
        (
            "narrow",
            narrow(),
            [
                Some((-1.92515146768709, 0.356700289258063)),
                Some((-1.46249999408411e-08, 0.0251261936188656)),
                Some((-2.44066416246305, 0.253229686027619)),
                Some((-1.92515147016467, 0.0497370065407078)),
            ],
        ),
        ("ulps", a_few_ulps(), [None, Some((3.71401504697588e-14, 0.0103860494162566)), None, None]),
        (
            "wide",
            wide(),
            [
                Some((-22.3743728983302, 5.51369000190131e-05)),
                Some((16399.7111589672, 1.69460386807313e-69)),
                Some((-26.6127657139746, 1.65110634810882e-05)),
                Some((-35.9446588051149, 2.2761280798954e-17)),
            ],
        ),
        (
            "wide gap",
            wide_gap(),
            [
                Some((-78.3905229703724, 0.00233553271449477)),
                Some((9.07914233847635, 0.975579747697415)),
                Some((-149.512998878464, 0.00305675920290229)),
                Some((-180.917219561767, 1.12238770050218e-80)),
            ],
        ),
    ];
    for (name, values, right) in cases {
        for (alternative, right) in Alternative::ALL.into_iter().zip(right) {
            let ours = LikelihoodRatio::top(&values, values.len(), alternative).unwrap();
            let Some((ratio, p_value)) = right else {
                assert_eq!((ours.fit, ours.ratio, ours.p_value), (None, 0.0, 1.0), "{name}");
                continue;
            };
            assert!((ours.ratio / ratio - 1.0).abs() < CLOSE, "{name}: {ours:?} is not {ratio}");
            assert!((ours.p_value - p_value).abs() < CLOSE_P, "{name}: {ours:?} is not {p_value}");
            assert!(ours.fit.is_some(), "{name}: {ours:?}");
        }
    }
}

/// By mpmath: β̂ = 1 + K/Σ ln(λ_i/λ_min) and the two-sided distance.
#[test]
fn fits_of_narrow_samples_keep_their_digits() {
    for (values, beta, distance) in
        [(narrow(), 175000001.634375, 0.3605575539163134), (a_few_ulps(), 258827564791410.78, 0.35024435275639315)]
    {
        let fit = PowerLawFit::top(&values, values.len()).unwrap();
        assert!((fit.beta() / beta - 1.0).abs() < 1e-14, "{} is not {beta}", fit.beta());
        assert!((fit.ks().two_sided - distance).abs() < 1e-14, "{} is not {distance}", fit.ks().two_sided);
        let scan = XMinScan::of(&values).unwrap();
        assert!((scan.candidates()[0].beta() / beta - 1.0).abs() < 1e-14, "{:?}", scan.candidates()[0]);
    }
}

#[test]
fn parameters_beyond_the_range_are_none_and_ratios_stay_finite() {
    let values: Vec<f64> = (1..=50).map(|rank| 1e-300 * f64::from(rank) * 1e-22).collect();
    for alternative in Alternative::ALL {
        let ratio = LikelihoodRatio::top(&values, 50, alternative).unwrap();
        assert!(ratio.ratio.is_finite() && ratio.p_value.is_finite() && ratio.power_law.is_finite(), "{ratio:?}");
        let json = serde_json::to_string(&ratio).unwrap();
        assert_eq!(serde_json::from_str::<LikelihoodRatio>(&json).unwrap().fit.is_some(), ratio.fit.is_some());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// The truncated power law contains the power law, and the other two have it as a limit.
    #[test]
    fn nothing_that_contains_the_power_law_is_less_likely(
        places in prop::collection::vec(0.0f64..1.0, 2..40),
        ln_width in -34.0f64..5.6,
        shape in 0.05f64..6.0,
        below in prop::option::of(0.0f64..5.6),
    ) {
        let width = ln_width.exp();
        let mut values: Vec<f64> = places.iter().map(|place| 1.0 + (width * place.powf(shape)).exp_m1()).collect();
        values.extend(below.map(|ln_distance| (-(300.0 - width).max(0.0).min(ln_distance.exp())).exp()));
        prop_assume!(values.iter().any(|&value| value != values[0]));
        for alternative in Alternative::ALL {
            let ratio = LikelihoodRatio::top(&values, values.len(), alternative).unwrap();
            prop_assert!(ratio.ratio.is_finite() && (0.0..=1.0).contains(&ratio.p_value), "{:?}", ratio);
            match alternative {
                Alternative::Exponential => {}
                Alternative::TruncatedPowerLaw => prop_assert!(ratio.ratio <= 0.0, "{:?}", ratio),
                _ => prop_assert!(ratio.ratio <= 1e-9, "{:?}", ratio),
            }
        }
    }
}
