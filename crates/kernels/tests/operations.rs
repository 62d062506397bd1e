//! Each operation against its definition in float64, and with the same bits at every level and for any number of threads.

mod common;

use common::{assert_close, everywhere, numbers, wide};
use homespun_kernels::attention::{attention, attention_backward, Saved, Shape};
use homespun_kernels::gate::Activation;
use homespun_kernels::loss::{cross_entropy, Gradients, Settings};
use homespun_kernels::matmul::Precision;
use homespun_kernels::optimizer::{fill_zero, sums_of_squares, AdamW, Parameter};
use homespun_kernels::{embedding, gate, norm, rope};

#[test]
fn norms_and_their_gradients() {
    for (num_rows, width) in [(1, 1), (5, 7), (70, 100), (33, 64)] {
        let (x, dy) = (numbers(num_rows * width, 1), numbers(num_rows * width, 2));
        let (weight, before) = (numbers(width, 3), numbers(width, 4));
        let results = everywhere(|pool| {
            let (mut y, mut inverse) = (vec![0.0; x.len()], vec![0.0; num_rows]);
            norm::rms_norm(pool, &x, &weight, 1e-5, &mut y, &mut inverse);
            let (mut dx, mut dweight) = (vec![0.0; x.len()], before.clone());
            norm::rms_norm_backward(pool, &dy, &x, &weight, &inverse, &mut dx, &mut dweight);
            vec![y, dx, dweight]
        });
        let (mut y, mut dx, mut dweight) = (Vec::new(), Vec::new(), wide(&before));
        for (x, dy) in wide(&x).chunks(width).zip(wide(&dy).chunks(width)) {
            let inverse = 1.0 / (x.iter().map(|x| x * x).sum::<f64>() / width as f64 + f64::from(1e-5f32)).sqrt();
            let g: Vec<f64> = dy.iter().zip(&weight).map(|(dy, w)| dy * f64::from(*w)).collect();
            let mean = g.iter().zip(x).map(|(g, x)| g * x).sum::<f64>() / width as f64;
            for i in 0..width {
                y.push(x[i] * inverse * f64::from(weight[i]));
                dx.push(g[i] * inverse - x[i] * mean * inverse.powi(3));
                dweight[i] += dy[i] * x[i] * inverse;
            }
        }
        assert_close(&results[0], &y);
        assert_close(&results[1], &dx);
        assert_close(&results[2], &dweight);
    }
}

#[test]
fn gates_and_their_gradients() {
    let scaled = |seed| {
        numbers(20_003, seed)
            .iter()
            .map(|value| value * 30.0)
            .collect::<Vec<f32>>()
    };
    let (mut a, b, dout) = (scaled(1), scaled(2), numbers(20_003, 3));
    a[..4].copy_from_slice(&[0.0, -200.0, 200.0, -88.0]);
    let results = everywhere(|pool| {
        let mut results = vec![vec![0.0; a.len()]; 3];
        let [out, da, db] = &mut results[..] else {
            unreachable!()
        };
        gate::silu_gate(pool, &a, &b, out);
        gate::silu_gate_backward(pool, &dout, &a, &b, da, db);
        results
    });
    let (mut out, mut da, mut db) = (Vec::new(), Vec::new(), Vec::new());
    for ((a, b), dout) in wide(&a).iter().zip(wide(&b)).zip(wide(&dout)) {
        let sigmoid = 1.0 / (1.0 + (-a).exp());
        out.push(a * sigmoid * b);
        da.push(dout * b * (sigmoid + a * sigmoid * (1.0 - sigmoid)));
        db.push(dout * a * sigmoid);
    }
    assert_close(&results[0], &out);
    assert_close(&results[1], &da);
    assert_close(&results[2], &db);
}

#[test]
fn activations_and_their_gradients() {
    let (mut a, dout) = (numbers(20_003, 1), numbers(20_003, 2));
    a.iter_mut().for_each(|value| *value *= 5.0);
    a[..2].copy_from_slice(&[0.0, -0.0]);
    for activation in [Activation::Silu, Activation::ReluSquared] {
        let results = everywhere(|pool| {
            let mut results = vec![vec![0.0; a.len()]; 2];
            let [out, da] = &mut results[..] else { unreachable!() };
            gate::activate(pool, activation, &a, out);
            gate::activate_backward(pool, activation, &dout, &a, da);
            results
        });
        let (mut out, mut da) = (Vec::new(), Vec::new());
        for (a, dout) in wide(&a).into_iter().zip(wide(&dout)) {
            let sigmoid = 1.0 / (1.0 + (-a).exp());
            let (value, slope) = match activation {
                Activation::Silu => (a * sigmoid, sigmoid + a * sigmoid * (1.0 - sigmoid)),
                Activation::ReluSquared => (a.max(0.0).powi(2), 2.0 * a.max(0.0)),
            };
            out.push(value);
            da.push(slope * dout);
        }
        assert_close(&results[0], &out);
        assert_close(&results[1], &da);
    }
}

#[test]
fn exponentials_are_within_two_units_in_the_last_place() {
    // sigmoid(a) = 1 / (1 + exp(-a)) hides the exponential; cross-entropy of two entries shows its logarithm. Here the gate
    // shows it directly: silu(a) * (1 + exp(-a)) / a = 1. Its error bounds that of the exponential.
    let a: Vec<f32> = (0..40_000).map(|i| -87.0 + i as f32 * 0.002).collect();
    let ones = vec![1.0; a.len()];
    let results = everywhere(|pool| {
        let mut out = vec![0.0; a.len()];
        gate::silu_gate(pool, &a, &ones, &mut out);
        vec![out]
    });
    for (a, silu) in a.iter().zip(&results[0]) {
        let expected = f64::from(*a) / (1.0 + (-f64::from(*a)).exp());
        assert!(
            (f64::from(*silu) - expected).abs() <= 4e-7 * expected.abs(),
            "{a}: {silu}, not {expected}"
        );
    }
}

#[test]
fn rotations() {
    let (num_positions, num_heads, pairs) = (7, 3, 5);
    let x = numbers(2 * num_positions * num_heads * 2 * pairs, 1);
    let angles: Vec<f32> = (0..num_positions * pairs).map(|i| i as f32 * 0.37).collect();
    let [cos, sin] = [f32::cos, f32::sin].map(|f| angles.iter().map(|angle| f(*angle)).collect::<Vec<f32>>());
    let results = everywhere(|pool| {
        let mut y = vec![0.0; x.len()];
        rope::rotate(pool, &x, &cos, &sin, num_positions, num_heads, &mut y);
        vec![y]
    });
    let expected: Vec<f64> = (0..x.len() / 2)
        .flat_map(|pair| {
            let position = pair / pairs / num_heads % num_positions;
            let [c, s] = [&cos, &sin].map(|table| f64::from(table[position * pairs + pair % pairs]));
            let [x0, x1] = [x[2 * pair], x[2 * pair + 1]].map(f64::from);
            [x0 * c - x1 * s, x0 * s + x1 * c]
        })
        .collect();
    assert_close(&results[0], &expected);
}

/// Causal attention by its definition: outputs, and gradients of queries, keys and values.
fn attention_by_definition(shape: Shape, q: &[f64], k: &[f64], v: &[f64], dout: &[f64]) -> [Vec<f64>; 4] {
    let (width, row) = (shape.head_width, shape.num_heads * shape.head_width);
    let (mut out, mut dq) = (vec![0.0; q.len()], vec![0.0; q.len()]);
    let (mut dk, mut dv) = (vec![0.0; k.len()], vec![0.0; k.len()]);
    let scale = 1.0 / (width as f64).sqrt();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for sequence in 0..shape.num_sequences {
        for head in 0..shape.num_heads {
            for query in 0..shape.num_queries {
                let i = (sequence * shape.num_queries + query) * row + head * width;
                let keys: Vec<usize> = (0..=shape.num_keys - shape.num_queries + query)
                    .map(|key| (sequence * shape.num_keys + key) * row + head * width)
                    .collect();
                let e: Vec<f64> = keys
                    .iter()
                    .map(|&j| (dot(&q[i..i + width], &k[j..j + width]) * scale).exp())
                    .collect();
                let sum: f64 = e.iter().sum();
                let dp: Vec<f64> = keys
                    .iter()
                    .map(|&j| dot(&dout[i..i + width], &v[j..j + width]))
                    .collect();
                let mean: f64 = e.iter().zip(&dp).map(|(e, dp)| e / sum * dp).sum();
                for ((&j, e), dp) in keys.iter().zip(&e).zip(&dp) {
                    let (p, ds) = (e / sum, e / sum * (dp - mean) * scale);
                    for c in 0..width {
                        out[i + c] += p * v[j + c];
                        dv[j + c] += p * dout[i + c];
                        dq[i + c] += ds * k[j + c];
                        dk[j + c] += ds * q[i + c];
                    }
                }
            }
        }
    }
    [out, dq, dk, dv]
}

#[test]
fn attentions_and_their_gradients() {
    for (num_queries, num_keys, head_width) in [(1, 1, 3), (5, 5, 8), (130, 130, 16), (70, 150, 5), (1, 90, 33)] {
        let shape = Shape {
            num_sequences: 2,
            num_queries,
            num_keys,
            num_heads: 3,
            head_width,
        };
        let [nq, nk] = [num_queries, num_keys].map(|positions| 2 * positions * 3 * head_width);
        let (q, k, v, dout) = (numbers(nq, 1), numbers(nk, 2), numbers(nk, 3), numbers(nq, 4));
        let results = everywhere(|pool| {
            let (mut out, mut logsumexp) = (vec![0.0; nq], vec![0.0; 2 * num_queries * 3]);
            attention(pool, Precision::Float32, shape, &q, &k, &v, &mut out, &mut logsumexp);
            let (mut dq, mut dk, mut dv) = (vec![f32::NAN; nq], vec![f32::NAN; nk], vec![f32::NAN; nk]);
            let saved = Saved {
                q: &q,
                k: &k,
                v: &v,
                out: &out,
                logsumexp: &logsumexp,
            };
            attention_backward(pool, Precision::Float32, shape, &dout, saved, &mut dq, &mut dk, &mut dv);
            vec![out, dq, dk, dv]
        });
        let expected = attention_by_definition(shape, &wide(&q), &wide(&k), &wide(&v), &wide(&dout));
        for (found, expected) in results.iter().zip(&expected) {
            assert_close(found, expected);
        }
    }
}

#[test]
fn losses_and_their_gradients() {
    let sizes = [(1, 1, 1), (5, 7, 11), (300, 20, 400)];
    for ((num_tokens, width, num_entries), soft_cap) in sizes
        .into_iter()
        .flat_map(|sizes| [None, Some(0.7), Some(30.0)].map(|cap| (sizes, cap)))
    {
        let settings = Settings {
            precision: Precision::Float32,
            soft_cap,
        };
        let (hidden, weight) = (numbers(num_tokens * width, 1), numbers(num_entries * width, 2));
        let before = numbers(weight.len(), 3);
        let targets: Vec<i64> = (0..num_tokens).map(|token| (token * 7 % num_entries) as i64).collect();
        let scale = 0.25;
        let results = everywhere(|pool| {
            let (mut losses, mut alone) = (vec![0.0; num_tokens], vec![0.0; num_tokens]);
            let (mut dhidden, mut dweight) = (vec![0.0; hidden.len()], before.clone());
            let gradients = Gradients {
                dhidden: &mut dhidden,
                dweight: &mut dweight,
                scale,
            };
            cross_entropy(pool, settings, &hidden, &weight, &targets, &mut losses, Some(gradients));
            cross_entropy(pool, settings, &hidden, &weight, &targets, &mut alone, None);
            assert_eq!(losses, alone);
            vec![losses, dhidden, dweight]
        });
        let (hidden, weight, mut dweight) = (wide(&hidden), wide(&weight), wide(&before));
        let (mut losses, mut dhidden) = (Vec::new(), vec![0.0; hidden.len()]);
        for (token, target) in targets.iter().enumerate() {
            let x = &hidden[token * width..][..width];
            let logits = weight
                .chunks(width)
                .map(|w| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>());
            // Bounded logits and their slopes.
            let bounded: Vec<(f64, f64)> = match soft_cap.map(f64::from) {
                None => logits.map(|logit| (logit, 1.0)).collect(),
                Some(cap) => logits
                    .map(|x| (cap * (x / cap).tanh(), 1.0 - (x / cap).tanh().powi(2)))
                    .collect(),
            };
            let e: Vec<f64> = bounded.iter().map(|(logit, _)| logit.exp()).collect();
            let sum: f64 = e.iter().sum();
            losses.push(sum.ln() - e[*target as usize].ln());
            for (entry, e) in e.iter().enumerate() {
                let d = (e / sum - f64::from(u8::from(entry as i64 == *target))) * f64::from(scale) * bounded[entry].1;
                for c in 0..width {
                    dhidden[token * width + c] += d * weight[entry * width + c];
                    dweight[entry * width + c] += d * x[c];
                }
            }
        }
        // A loss of nearly 0 is a difference of numbers of the size of 1.
        let losses_plus_one: Vec<f64> = losses.iter().map(|loss| loss + 1.0).collect();
        let found: Vec<f32> = results[0].iter().map(|loss| loss + 1.0).collect();
        assert_close(&found, &losses_plus_one);
        assert_close(&results[1], &dhidden);
        assert_close(&results[2], &dweight);
    }
}

// Oracle: float32. The rounding of factors changes results by some 2**-9 of the greatest.
#[test]
fn losses_in_bfloat16() {
    let (num_tokens, width, num_entries) = (301, 20, 400);
    let (hidden, weight) = (numbers(num_tokens * width, 1), numbers(num_entries * width, 2));
    let targets: Vec<i64> = (0..num_tokens).map(|token| (token * 7 % num_entries) as i64).collect();
    let [rounded, exact] = [Precision::Bfloat16, Precision::Float32].map(|precision| {
        everywhere(|pool| {
            let (mut losses, mut dhidden) = (vec![0.0; num_tokens], vec![0.0; hidden.len()]);
            let mut dweight = vec![0.0; weight.len()];
            let gradients = Gradients {
                dhidden: &mut dhidden,
                dweight: &mut dweight,
                scale: 1.0,
            };
            let settings = Settings {
                precision,
                soft_cap: None,
            };
            cross_entropy(pool, settings, &hidden, &weight, &targets, &mut losses, Some(gradients));
            vec![losses, dhidden, dweight]
        })
    });
    for (rounded, exact) in rounded.iter().zip(&exact) {
        let greatest = exact.iter().fold(0.0f32, |greatest, value| greatest.max(value.abs()));
        let error = rounded
            .iter()
            .zip(exact)
            .fold(0.0f32, |error, (a, b)| error.max((a - b).abs()));
        assert!(0.0 < error && error < greatest / 256.0, "{error} of {greatest}");
    }
}

#[test]
fn rows_are_added_token_by_token() {
    let (num_rows, width) = (23, 6);
    let ids: Vec<i64> = (0..200).map(|token| token * 7 % 19).collect();
    let (drows, before) = (numbers(ids.len() * width, 1), numbers(num_rows * width, 2));
    let results = everywhere(|pool| {
        let mut table = before.clone();
        embedding::add_rows(pool, &ids, &drows, &mut table, width);
        vec![table]
    });
    let mut expected = before;
    for (id, drow) in ids.iter().zip(drows.chunks(width)) {
        for (sum, value) in expected[*id as usize * width..].iter_mut().zip(drow) {
            *sum += value;
        }
    }
    assert_eq!(results[0], expected);
}

#[test]
fn norms_of_gradients_and_steps_of_adamw() {
    for (len, is_cautious) in [(1, false), (100, true), (40_000, false), (20_003, true)] {
        let adamw = AdamW {
            lr: 1e-2,
            betas: (0.9, 0.95),
            eps: 1e-8,
            weight_decay: 0.1,
            is_cautious,
            gradient_scale: 0.5,
        };
        let (values, gradient) = (numbers(len, 1), numbers(len, 2));
        let (mean, square) = (numbers(len, 3), gradient.iter().map(|g| g * g).collect::<Vec<_>>());
        let results = everywhere(|pool| {
            let (mut values, mut mean, mut square) = (values.clone(), mean.clone(), square.clone());
            let sum = sums_of_squares(pool, &[&gradient, &[], &gradient])[2];
            let parameter = Parameter {
                values: &mut values,
                gradient: &gradient,
                mean: &mut mean,
                square: &mut square,
                num_steps: 3,
            };
            adamw.step(pool, vec![parameter]);
            let mut zeros = gradient.clone();
            fill_zero(pool, [&mut zeros[..]]);
            vec![values, mean, square, vec![(sum / len as f64) as f32], zeros]
        });
        let (mut expected, mut sum) = ([const { Vec::new() }; 3], 0.0);
        for i in 0..len {
            let g = 0.5 * f64::from(gradient[i]);
            let m = 0.9 * f64::from(mean[i]) + 0.1 * g;
            let v = 0.95 * f64::from(square[i]) + 0.05 * g * g;
            let decays = !is_cautious || f64::from(values[i]) * m >= 0.0;
            let decayed = f64::from(values[i]) * (1.0 - f64::from(u8::from(decays)) * 1e-2 * 0.1);
            let denominator = (v / (1.0 - 0.95f64.powi(3))).sqrt() + 1e-8;
            expected[0].push(decayed - 1e-2 / (1.0 - 0.9f64.powi(3)) * m / denominator);
            expected[1].push(m);
            expected[2].push(v);
            sum += f64::from(gradient[i]).powi(2);
        }
        for (found, expected) in results.iter().zip(&expected) {
            assert_close(found, expected);
        }
        assert_close(&results[3], &[sum / len as f64]);
        assert!(results[4].iter().all(|value| *value == 0.0));
    }
}
