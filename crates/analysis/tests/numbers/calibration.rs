//! Exponents, their standard errors and Monte-Carlo p-values on synthetic power laws.

#[path = "../../examples/numbers/calibrate.rs"]
mod calibrate;

use calibrate::Calibration;

#[test]
fn fits_of_synthetic_power_laws_are_calibrated() {
    let calibration = Calibration { betas: vec![1.5, 2.5], samples: 1000, n: 1000, k: 250, replicas: 99, seed: 11 };
    let rows = calibration.run().unwrap();
    for row in &rows {
        // E[β̂ − 1] = (β − 1)·K/(K − 2): Σ ln(λ_i/λ_min) has K − 1 terms that vary.
        let expected = (row.beta - 1.0) * 2.0 / 248.0;
        assert!((row.bias - expected).abs() < 4.0 * row.bias_error, "β {}: bias {}", row.beta, row.bias);
        assert!((row.spread - 1.0).abs() < 0.1, "β {}: spread {}", row.beta, row.spread);
        assert!((row.coverage - 0.95).abs() < 0.03, "β {}: coverage {}", row.beta, row.coverage);
        assert!((row.rejected - 0.05).abs() < 0.03, "β {}: rejected {}", row.beta, row.rejected);
        assert!(row.accepted > 0.98, "β {}: accepted {}", row.beta, row.accepted);
        assert!(row.p_distance < 1.4 * calibration.critical_p_distance(), "β {}: {}", row.beta, row.p_distance);
    }
    assert_eq!(calibration.markdown(&rows).lines().count(), 6);
}
