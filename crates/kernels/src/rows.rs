//! Loops over the numbers of rows. Each calls its function at one place, where the compiler inlines it.

use crate::vector::Vector;

/// Partial sums of a sum.
const LANES: usize = 16;

/// Computes `outputs[..][i] = f(inputs[..][i])` for each place of some rows of equal length.
#[inline(always)]
pub(crate) fn map<V: Vector, const N: usize, const M: usize>(
    inputs: [&[f32]; N],
    outputs: [&mut [f32]; M],
    f: impl Fn([V; N]) -> [V; M],
) {
    let len = outputs[0].len();
    check_lengths(len, &inputs);
    for output in &outputs {
        assert_eq!(output.len(), len, "rows of one length");
    }
    for from in (0..len).step_by(V::LEN) {
        let results = f(load::<V, N>(&inputs, from));
        // By index: an iterator over an array of vectors is not inlined everywhere.
        for i in 0..M {
            results[i].store_some(&mut outputs[i][from..]);
        }
    }
}

/// Computes `row[i] = f(row[i], inputs[..][i])` for each place of a row and others of its length.
#[inline(always)]
pub(crate) fn update<V: Vector, const N: usize>(row: &mut [f32], inputs: [&[f32]; N], f: impl Fn(V, [V; N]) -> V) {
    check_lengths(row.len(), &inputs);
    for from in (0..row.len()).step_by(V::LEN) {
        f(V::load_some(&row[from..]), load(&inputs, from)).store_some(&mut row[from..]);
    }
}

/// Returns a sum over the places of rows of equal length, where `add(sum, numbers)` adds a term; it is 0 for zeros.
///
/// Partial sum j has the terms j, j + 16, ..., and the partial sums are added in halves: the order is the same at every
/// level.
#[inline(always)]
pub(crate) fn sum<V: Vector, const N: usize>(rows: [&[f32]; N], add: impl Fn(V, [V; N]) -> V) -> f32 {
    let lanes = lanes::<V, N>(rows, 0.0, add);
    let mut lanes = lanes;
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// Returns the greatest number of a row; -inf where it is empty.
#[inline(always)]
pub(crate) fn max<V: Vector>(row: &[f32]) -> f32 {
    let whole = row.len() / LANES * LANES;
    let lanes = lanes::<V, 1>([&row[..whole]], f32::NEG_INFINITY, |greatest, [values]| {
        values.max(greatest)
    });
    lanes
        .iter()
        .chain(&row[whole..])
        .fold(f32::NEG_INFINITY, |greatest, value| greatest.max(*value))
}

#[inline(always)]
fn lanes<V: Vector, const N: usize>(rows: [&[f32]; N], begin: f32, add: impl Fn(V, [V; N]) -> V) -> [f32; LANES] {
    let len = rows[0].len();
    check_lengths(len, &rows);
    let mut sums = [V::splat(begin); 2];
    for (part, from) in (0..len).step_by(V::LEN).enumerate() {
        let sum = &mut sums[part % (LANES / V::LEN)];
        *sum = add(*sum, load(&rows, from));
    }
    let mut lanes = [0.0; LANES];
    for part in 0..LANES / V::LEN {
        sums[part].store(&mut lanes[part * V::LEN..]);
    }
    lanes
}

/// Returns the vectors at a place of some rows.
#[inline(always)]
fn load<V: Vector, const N: usize>(rows: &[&[f32]; N], from: usize) -> [V; N] {
    let mut values = [V::splat(0.0); N];
    for i in 0..N {
        values[i] = V::load_some(&rows[i][from..]);
    }
    values
}

#[inline(always)]
fn check_lengths<const N: usize>(len: usize, rows: &[&[f32]; N]) {
    for row in rows {
        assert_eq!(row.len(), len, "rows of one length");
    }
}
