use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, Mat, Par};
use std::time::Instant;
fn main() {
    let t = 1000;
    for k in [2048, 8192, 32768] {
        let x = Mat::<f32>::from_fn(k, t, |i, j| ((i * 31 + j * 17) % 23) as f32 - 11.0);
        let mut p = Mat::<f32>::zeros(t, t);
        for round in 0..3 {
            let s = Instant::now();
            let reps = 32768 / k;
            for _ in 0..reps {
                triangular::matmul(
                    p.as_mut(),
                    BlockStructure::TriangularLower,
                    Accum::Replace,
                    x.transpose(),
                    BlockStructure::Rectangular,
                    x.as_ref(),
                    BlockStructure::Rectangular,
                    1.0,
                    Par::rayon(0),
                );
            }
            let a = s.elapsed().as_secs_f64();
            let s = Instant::now();
            for _ in 0..reps {
                matmul(p.as_mut(), Accum::Replace, x.transpose(), x.as_ref(), 1.0, Par::rayon(0));
            }
            let b = s.elapsed().as_secs_f64();
            let f = 32768.0 * (t * t) as f64 * 1e-9;
            // strips
            let s = Instant::now();
            for _ in 0..reps {
                for c in (0..t).step_by(125) {
                    let w = 125.min(t - c);
                    matmul(
                        p.as_mut().submatrix_mut(c, c, t - c, w),
                        Accum::Replace,
                        x.as_ref().subcols(c, t - c).transpose(),
                        x.as_ref().subcols(c, w),
                        1.0,
                        Par::rayon(0),
                    );
                }
            }
            let d = s.elapsed().as_secs_f64();
            println!(
                "k {k} round {round}: triangular {:.0} GFLOPS, full {:.0}, strips {:.0} (as triangular)",
                f / a,
                2.0 * f / b,
                f / d
            );
        }
    }
    // small products
    for (m, n, l) in [(21, 384, 64), (64, 128, 64), (85, 384, 64), (128, 384, 64), (16, 512, 64), (128, 512, 64)] {
        use rayon::prelude::*;
        let a = Mat::<f32>::from_fn(128, l * 100, |i, j| ((i * 31 + j * 17) % 23) as f32);
        let d = Mat::<f32>::from_fn(n, l * 100, |i, j| ((i * 31 + j * 17) % 23) as f32);
        let mut out = Mat::<f32>::zeros(m * n, 100);
        let s = Instant::now();
        for _ in 0..50 {
            out.as_mut().par_col_iter_mut().enumerate().for_each(|(t, c)| {
                let c = c.try_as_col_major_mut().unwrap().as_slice_mut();
                let o = faer::MatMut::from_column_major_slice_mut(c, n, m);
                matmul(
                    o,
                    Accum::Replace,
                    d.as_ref().subcols(t * l, l),
                    a.as_ref().subcols(t * l, l).subrows(0, m).transpose(),
                    1.0,
                    Par::Seq,
                );
            });
        }
        println!("{m} x {n} x {l}: {:.0} GFLOPS", 2.0 * (m * n * l * 5000) as f64 * 1e-9 / s.elapsed().as_secs_f64());
    }
}
