//! Products of small matrices in vector registers. Rows fill whole vectors.

use std::ops::Range;

use pulp::Simd;

/// A matrix cut into panels of at most 6 rows, each stored column by column.
pub(crate) struct Panels {
    values: Vec<f32>,
    inner: usize,
    rows: Vec<Range<usize>>,
}

impl Panels {
    /// Packs a matrix `[rows, inner]` that `entry` reads.
    pub(crate) fn pack(rows: usize, inner: usize, entry: impl Fn(usize, usize) -> f32) -> Self {
        let rows: Vec<_> = balanced(rows, 6).collect();
        let columns = rows.iter().flat_map(|panel| (0..inner).map(move |column| (panel.clone(), column)));
        let values = columns.flat_map(|(panel, column)| panel.map(move |row| (row, column)));
        Self { values: values.map(|(row, column)| entry(row, column)).collect(), inner, rows }
    }
}

/// Ranges of at most `most` that cover `0..count` and differ in length by one at most.
#[inline(always)]
fn balanced(count: usize, most: usize) -> impl Iterator<Item = Range<usize>> + Clone {
    let parts = count.div_ceil(most);
    (0..parts).map(move |part| count * part / parts..count * (part + 1) / parts)
}

/// Calls `$function::<S, M, $columns>` for the row count M that is known at run time only.
macro_rules! for_rows {
    ($rows:expr, $columns:literal, [$($m:literal)*], $function:ident $arguments:tt) => {
        match $rows {
            $($m => $function::<S, $m, $columns> $arguments,)*
            rows => unreachable!("a panel of {rows} rows"),
        }
    };
}

/// `out = left · right + start`: `right` is `[inner, width]`, `out` `[rows, width]`, `start` one number a row.
#[inline(always)]
pub(crate) fn multiply<S: Simd>(simd: S, left: &Panels, right: &[f32], start: Option<&[f32]>, out: &mut [f32]) {
    let (right, _) = S::as_simd_f32s(right);
    let (out, _) = S::as_mut_simd_f32s(out);
    let width = right.len() / left.inner;
    let mut column = 0;
    while column < width {
        for rows in &left.rows {
            let values = &left.values[rows.start * left.inner..rows.end * left.inner];
            let start = start.map(|start| &start[rows.clone()]);
            let out = &mut out[rows.start * width..rows.end * width];
            if column + 2 <= width {
                for_rows!(rows.len(), 2, [1 2 3 4 5 6], multiply_tile(simd, values, right, start, out, column, width));
            } else {
                for_rows!(rows.len(), 1, [1 2 3 4 5 6], multiply_tile(simd, values, right, start, out, column, width));
            }
        }
        column += 2;
    }
}

#[inline(always)]
fn multiply_tile<S: Simd, const M: usize, const N: usize>(
    simd: S,
    left: &[f32],
    right: &[S::f32s],
    start: Option<&[f32]>,
    out: &mut [S::f32s],
    column: usize,
    width: usize,
) {
    let mut sums = [[simd.splat_f32s(0.0); N]; M];
    let (left, _) = left.as_chunks::<M>();
    for (left, right) in left.iter().zip(right.chunks_exact(width)) {
        let right = &right[column..column + N];
        for m in 0..M {
            let left = simd.splat_f32s(left[m]);
            for n in 0..N {
                sums[m][n] = simd.mul_add_e_f32s(left, right[n], sums[m][n]);
            }
        }
    }
    for m in 0..M {
        let start = simd.splat_f32s(start.map_or(0.0, |start| start[m]));
        for n in 0..N {
            out[m * width + column + n] = simd.add_f32s(sums[m][n], start);
        }
    }
}

/// `sums += left · right` where `left` is `[rows, pitch]`, of which the first `inner` columns count, `right`
/// `[inner, width]` and `sums` `[rows, width]`.
#[inline(always)]
pub(crate) fn accumulate<S: Simd>(simd: S, left: &[f32], pitch: usize, right: &[f32], inner: usize, sums: &mut [f32]) {
    let (right, _) = S::as_simd_f32s(right);
    let (sums, _) = S::as_mut_simd_f32s(sums);
    let width = right.len() / inner;
    let count = left.len() / pitch;
    let mut column = 0;
    while column < width {
        let pair = column + 2 <= width;
        // The compiler loads the numbers of all rows before it uses the first: more rows would spill the sums.
        for rows in balanced(count, if pair { 4 } else { 8 }) {
            let left = &left[rows.start * pitch..rows.end * pitch];
            let sums = &mut sums[rows.start * width..rows.end * width];
            if pair {
                for_rows!(rows.len(), 2, [1 2 3 4], accumulate_tile(simd, left, pitch, right, inner, sums, column));
            } else {
                for_rows!(
                    rows.len(),
                    1,
                    [1 2 3 4 5 6 7 8],
                    accumulate_tile(simd, left, pitch, right, inner, sums, column)
                );
            }
        }
        column += 2;
    }
}

#[inline(always)]
fn accumulate_tile<S: Simd, const M: usize, const N: usize>(
    simd: S,
    left: &[f32],
    pitch: usize,
    right: &[S::f32s],
    inner: usize,
    sums: &mut [S::f32s],
    column: usize,
) {
    let width = right.len() / inner;
    let rows: [&[f32]; M] = std::array::from_fn(|m| &left[m * pitch..][..inner]);
    let mut tile: [[S::f32s; N]; M] = std::array::from_fn(|m| std::array::from_fn(|n| sums[m * width + column + n]));
    for (position, right) in (0..inner).zip(right.chunks_exact(width)) {
        let right = &right[column..column + N];
        for m in 0..M {
            let left = simd.splat_f32s(rows[m][position]);
            for n in 0..N {
                tile[m][n] = simd.mul_add_e_f32s(left, right[n], tile[m][n]);
            }
        }
    }
    for m in 0..M {
        for n in 0..N {
            sums[m * width + column + n] = tile[m][n];
        }
    }
}
