//! What inner channels of a feed-forward network go through: the gate of SwiGLU, `silu(a) * b`, with
//! `silu(a) = a / (1 + exp(-a))`; or, without a gate, `silu(a)` or `relu(a)^2`. Shazeer 2020, arXiv:2002.05202, eq. 6;
//! So et al. 2021 (Primer), arXiv:2109.08668, section 4.2.

use crate::level::{Level, Work};
use crate::pool::Pool;
use crate::rows;
use crate::vector::Vector;

/// Numbers that a thread takes at a time.
const PIECE: usize = 1 << 14;

/// Computes `out = silu(a) * b`.
///
/// # Panics
/// If the lengths differ.
pub fn silu_gate(pool: &Pool, a: &[f32], b: &[f32], out: &mut [f32]) {
    assert_eq!([a.len(), b.len()], [out.len(); 2], "numbers of a gate");
    let level = Level::current();
    pool.for_each(
        a.chunks(PIECE).zip(b.chunks(PIECE)).zip(out.chunks_mut(PIECE)),
        |((a, b), out)| {
            level.run(Forward { a, b, out });
        },
    );
}

/// Computes a gate.
pub(crate) struct Forward<'a> {
    pub a: &'a [f32],
    pub b: &'a [f32],
    pub out: &'a mut [f32],
}

impl Work for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        rows::map::<V, 2, 1>([self.a, self.b], [self.out], |[a, b]| [a.mul(sigmoid(a)).mul(b)]);
    }
}

/// Computes the gradients of `a` and `b` from that of the gate.
///
/// # Panics
/// If the lengths differ.
pub fn silu_gate_backward(pool: &Pool, dout: &[f32], a: &[f32], b: &[f32], da: &mut [f32], db: &mut [f32]) {
    assert_eq!(
        [dout.len(), a.len(), b.len(), db.len()],
        [da.len(); 4],
        "numbers of a gate"
    );
    let level = Level::current();
    let inputs = dout.chunks(PIECE).zip(a.chunks(PIECE)).zip(b.chunks(PIECE));
    let outputs = da.chunks_mut(PIECE).zip(db.chunks_mut(PIECE));
    pool.for_each(inputs.zip(outputs), |(((dout, a), b), (da, db))| {
        level.run(Backward { dout, a, b, da, db });
    });
}

struct Backward<'a> {
    dout: &'a [f32],
    a: &'a [f32],
    b: &'a [f32],
    da: &'a mut [f32],
    db: &'a mut [f32],
}

impl Work for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        rows::map::<V, 3, 2>([self.dout, self.a, self.b], [self.da, self.db], |[dout, a, b]| {
            let sigmoid = sigmoid(a);
            let silu = a.mul(sigmoid);
            // d silu(a) / da = sigmoid + silu (1 - sigmoid)
            let slope = silu.mul_add(V::splat(1.0).sub(sigmoid), sigmoid);
            [slope.mul(b).mul(dout), silu.mul(dout)]
        });
    }
}

#[inline(always)]
fn sigmoid<V: Vector>(a: V) -> V {
    let one = V::splat(1.0);
    one.div(one.add(V::splat(0.0).sub(a).exp()))
}

/// Computes a gate again, and its gradients.
pub(crate) struct ForwardBackward<'a> {
    pub dout: &'a [f32],
    pub a: &'a [f32],
    pub b: &'a [f32],
    pub out: &'a mut [f32],
    pub da: &'a mut [f32],
    pub db: &'a mut [f32],
}

impl Work for ForwardBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let outputs = [self.out, self.da, self.db];
        rows::map::<V, 3, 3>([self.dout, self.a, self.b], outputs, |[dout, a, b]| {
            let sigmoid = sigmoid(a);
            let silu = a.mul(sigmoid);
            let slope = silu.mul_add(V::splat(1.0).sub(sigmoid), sigmoid);
            [silu.mul(b), slope.mul(b).mul(dout), silu.mul(dout)]
        });
    }
}

/// What a number goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `a / (1 + exp(-a))`.
    Silu,
    /// `max(a, 0)^2`.
    ReluSquared,
}

/// Computes `out = activation(a)`.
///
/// # Panics
/// If the lengths differ.
pub fn activate(pool: &Pool, activation: Activation, a: &[f32], out: &mut [f32]) {
    assert_eq!(a.len(), out.len(), "numbers of an activation");
    let level = Level::current();
    pool.for_each(a.chunks(PIECE).zip(out.chunks_mut(PIECE)), |(a, out)| {
        level.run(Activate { activation, a, out });
    });
}

/// Computes the gradient of `a` from that of the activation.
///
/// # Panics
/// If the lengths differ.
pub fn activate_backward(pool: &Pool, activation: Activation, dout: &[f32], a: &[f32], da: &mut [f32]) {
    assert_eq!([dout.len(), a.len()], [da.len(); 2], "numbers of an activation");
    let level = Level::current();
    let pieces = dout.chunks(PIECE).zip(a.chunks(PIECE)).zip(da.chunks_mut(PIECE));
    pool.for_each(pieces, |((dout, a), da)| {
        level.run(ActivateBackward {
            activation,
            dout,
            a,
            da,
        });
    });
}

/// Computes an activation.
pub(crate) struct Activate<'a> {
    pub activation: Activation,
    pub a: &'a [f32],
    pub out: &'a mut [f32],
}

impl Work for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        match self.activation {
            Activation::Silu => rows::map::<V, 1, 1>([self.a], [self.out], |[a]| [a.mul(sigmoid(a))]),
            Activation::ReluSquared => rows::map::<V, 1, 1>([self.a], [self.out], |[a]| {
                let a = relu(a);
                [a.mul(a)]
            }),
        }
    }
}

struct ActivateBackward<'a> {
    activation: Activation,
    dout: &'a [f32],
    a: &'a [f32],
    da: &'a mut [f32],
}

impl Work for ActivateBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        match self.activation {
            Activation::Silu => rows::map::<V, 2, 1>([self.dout, self.a], [self.da], |[dout, a]| {
                let sigmoid = sigmoid(a);
                [a.mul(sigmoid).mul_add(V::splat(1.0).sub(sigmoid), sigmoid).mul(dout)]
            }),
            Activation::ReluSquared => rows::map::<V, 2, 1>([self.dout, self.a], [self.da], |[dout, a]| {
                let a = relu(a);
                [a.add(a).mul(dout)]
            }),
        }
    }
}

/// Computes an activation again, and its gradient.
pub(crate) struct ActivateForwardBackward<'a> {
    pub activation: Activation,
    pub dout: &'a [f32],
    pub a: &'a [f32],
    pub out: &'a mut [f32],
    pub da: &'a mut [f32],
}

impl Work for ActivateForwardBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let outputs = [self.out, self.da];
        match self.activation {
            Activation::Silu => rows::map::<V, 2, 2>([self.dout, self.a], outputs, |[dout, a]| {
                let sigmoid = sigmoid(a);
                let silu = a.mul(sigmoid);
                let slope = silu.mul_add(V::splat(1.0).sub(sigmoid), sigmoid);
                [silu, slope.mul(dout)]
            }),
            Activation::ReluSquared => rows::map::<V, 2, 2>([self.dout, self.a], outputs, |[dout, a]| {
                let a = relu(a);
                [a.mul(a), a.add(a).mul(dout)]
            }),
        }
    }
}

/// The greater of a number and zero; not a number where that is what it is given.
#[inline(always)]
fn relu<V: Vector>(a: V) -> V {
    V::splat(0.0).max(a)
}
