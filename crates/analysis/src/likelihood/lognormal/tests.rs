use super::*;

/// Relative agreement, or absolute below 1.
const CLOSE: f64 = 1e-12;
/// The agreement where `erfc` of statrs shows, whose constants have ten digits, and at the least bound of the continued
/// fraction.
const CLOSE_ERFC: f64 = 1e-9;

/// At σ = 1e-8, y = 5e-9; at σ = 1, y = 3; and at σ = 40 and a y of its own.
const SIGMAS: [f64; 3] = [1e-8, 1.0, 40.0];

/// The bound, E[y]/σ and E[y²]/E[y]²; the y at the last of [`SIGMAS`]; the log-densities at all three: by mpmath 1.3.0 with
/// 60 digits.
#[expect(clippy::approx_constant, reason = "the digits that mpmath gives")]
const TABLE: [([f64; 3], f64, [f64; 3]); 18] = [
    ([-1000.0, 1000.0, 1.000001], 40000.0, [-499482.62325778924, -497005.4189385332, -4.607817987318609]),
    ([-100.0, 100.0, 1.0001], 4000.0, [-4932.623257789252, -4705.418938533205, -4.607817987318609]),
    ([-38.5, 38.5, 1.0006746500252994], 1540.0, [-704.4982577892523, -631.0439385332047, -4.607817987318609]),
    ([-17.25, 17.25, 1.003360638521319], 690.0, [-122.7795077892523, -102.45018853320467, -4.607817987318609]),
    (
        [-8.0, 8.000000000000005, 1.0156249999999993],
        320.0,
        [-10.623257789252307, -13.418938533204672, -4.607817987318608],
    ),
    (
        [-3.0, 3.004437839042126, 1.1093060156353147],
        120.0,
        [14.378093020712441, -0.9175877232399245, -4.606467177353861],
    ),
    (
        [-2.125, 2.1674335854606865, 1.1932892289648205],
        85.0,
        [16.198365623576493, -1.2848151203758729, -4.59088207448981],
    ),
    (
        [-1.875, 1.9459426750418596, 1.2276259641744889],
        75.0,
        [16.587297622117013, -1.5208831218353505, -4.576950075949287],
    ),
    (
        [-0.5, 1.0091604338370335, 1.477389192058708],
        20.0,
        [17.870688626036348, -3.6749921179160165, -4.238871572029953],
    ),
    ([0.0, 0.7978845608028654, 1.5707963267948966], 0.4, [18.069889391307637, -4.725791352644728, -3.914720806758664]),
    ([0.75, 0.5787779652212071, 1.6893840876865136], 30.0, [18.20494044066735, -6.465740303285016, -4.248369757398953]),
    ([1.0, 0.5251352761609812, 1.7219776967572937], 40.0, [18.217763855756957, -7.077916888195409, -4.766796342309346]),
    (
        [1.25, 0.47881662733105396, 1.7511551298808057],
        50.0,
        [18.21811788796201, -7.7025628559903545, -5.485192310104291],
    ),
    (
        [3.0, 0.2830986549304365, 1.8803957855467996],
        120.0,
        [17.98446843225804, -12.311212311694323, -16.00009176580826],
    ),
    (
        [10.0, 0.09809323396251196, 1.9816150978041989],
        400.0,
        [15.608027361260163, -32.187653382692204, -151.37653283680615],
    ),
    (
        [100.0, 0.009998000999260705, 1.9998001797902893],
        0.8,
        [-27.099049095047217, -299.8947298389996, -1.0838092931135206],
    ),
    ([1000.0, 0.00099999800001, 1.9999980000179998], 0.08, [-474.796562977068, -2997.59224372102, 1.2188748248657006]),
    ([100000.0, 9.999999998e-06, 1.9999999998], 0.0008, [-49970.19139379098, -299992.98707453493, 5.824046010756292]),
];

#[test]
fn moments_and_densities_agree_with_mpmath_over_the_plane() {
    for ([bound, mean, ratio], last, ln_densities) in TABLE {
        let tolerance = if (-4.0..1.25).contains(&bound) { CLOSE_ERFC } else { CLOSE };
        let close = |ours: f64, right: f64| (ours - right).abs() <= tolerance * right.abs().max(1.0);
        let ours = (excess(bound), square_ratio(bound));
        assert!((ours.0 / mean - 1.0).abs() < tolerance, "{bound}: {ours:?} is not {mean}");
        assert!(close(ours.1, ratio), "{bound}: {ours:?} is not {ratio}");
        for ((sigma, y), right) in SIGMAS.into_iter().zip([5e-9, 3.0, last]).zip(ln_densities) {
            let ours = TruncatedNormal { sigma, bound }.ln_density(y);
            assert!(close(ours, right), "{bound}, {sigma}, {y}: {ours} is not {right}");
        }
    }
}

/// Samples of which all but the smallest value are equal have the least ratio that their number allows.
#[test]
fn every_ratio_of_a_sample_is_bracketed() {
    for n in [3usize, 4, 10, 1000, 1_000_000] {
        let mut logarithms = vec![300.0; n];
        logarithms[0] = 0.0;
        let TruncatedNormal { sigma, bound } = TruncatedNormal::fit(&logarithms).expect("the ratio is below 2");
        let ratio = n as f64 / (n - 1) as f64;
        assert!((square_ratio(bound) / ratio - 1.0).abs() < 1e-9 && sigma > 0.0, "{n}: {bound}, {sigma}");
    }
    assert!(TruncatedNormal::fit(&[0.0, 1.0]).is_none(), "the ratio is 2");
}
