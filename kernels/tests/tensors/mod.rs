//! Decides what tensors of integers on a device have to be: what their definitions say, at awkward sizes and with extreme
//! values. The test that includes this file says which device.

use zkllm_kernels::device::catch;
use zkllm_kernels::random::Weights;
use zkllm_kernels::tensors::{Batches, Block, Each, Far, Layout, Pairs, Part, QUAD, Reading, Tensors};
use zkllm_kernels::{Backend, Integers, Ints};

use super::checked;

/// A small deterministic generator.
struct Words(u64);

impl Words {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        self.0 ^ self.0 >> 29
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.word() % bound as u64) as usize
    }

    /// Signed values of at most `bits` bits, extremes among them.
    fn values(&mut self, count: usize, bits: u32) -> Vec<i64> {
        let most = i64::MAX >> (64 - bits);
        let extremes = [0, 1, -1, most, -most - 1];
        let value = |words: &mut Self| words.word() as i64 >> (64 - bits);
        (0..count).map(|_| if self.below(4) == 0 { extremes[self.below(5)] } else { value(self) }).collect()
    }
}

fn with_device(test: impl FnOnce(&dyn Tensors, &mut Words)) {
    let device = checked().first;
    let outcome = catch(|| test(device.tensors().expect("a device with tensors"), &mut Words(7)));
    outcome.unwrap_or_else(|fault| panic!("{fault}"));
}

fn near(tensors: &dyn Tensors, far: &Far) -> Vec<i64> {
    let mut values = tensors.zeros(far);
    tensors.near(far, &mut values, 0);
    values.to_vec()
}

fn wide(tensors: &dyn Tensors, values: &[i64]) -> Far {
    tensors.far(Ints::I64(values))
}

/// Every index of a box, row major.
fn indices(lengths: &[usize]) -> Vec<Vec<usize>> {
    lengths.iter().fold(vec![vec![]], |all, length| {
        all.iter().flat_map(|head| (0..*length).map(move |last| [&head[..], &[last]].concat())).collect()
    })
}

fn exists(pairs: Pairs, place: usize) -> bool {
    pairs.length == 0 || place % pairs.length <= place / pairs.length % pairs.rows + pairs.shift
}

/// A sum of cells of every width over a box, and its values.
fn reading(tensors: &dyn Tensors, words: &mut Words, lengths: &[usize]) -> (Reading, Vec<i64>) {
    let sources = [
        Integers::narrowed(words.values(90, 8).iter().map(|x| x & 0xff).collect()),
        Integers::narrowed(words.values(90, 16)),
        Integers::narrowed(words.values(90, 17).iter().map(|x| x & 0xffff).collect()),
        Integers::narrowed(words.values(90, 32)),
        Integers::narrowed(words.values(90, 48)),
    ];
    let constant = words.values(1, 40)[0];
    let mut values = vec![constant; lengths.iter().product()];
    let mut parts = Vec::new();
    for source in &sources[..words.below(6)] {
        let most = 80 / lengths.len().max(1);
        let steps: Vec<Vec<usize>> =
            lengths.iter().map(|length| (0..*length).map(|_| words.below(most)).collect()).collect();
        let (coefficient, start) = (words.values(1, 10)[0], words.below(10));
        for (value, index) in values.iter_mut().zip(indices(lengths)) {
            let at: usize = index.iter().zip(&steps).map(|(index, steps)| steps[*index]).sum();
            *value += coefficient * source.get(start + at);
        }
        let cells = tensors.far(source.view().slice(start..90));
        parts.push(Part { coefficient, cells, steps });
    }
    (Reading { constant, lengths: lengths.to_vec(), parts }, values)
}

#[test]
fn random_weights_are_made() {
    with_device(|tensors, words| {
        for (count, centre, spread) in [(0, 0.0, 1.0), (1, 1.0, 0.1), (129, 0.0, 0.014), (5_000, -0.25, 3.3)] {
            let weights = Weights { stream: words.word(), centre, spread };
            for (gains, scale) in [(1, 4096.0), (7, 4096.0), (64, 2890.3), (3, 1e9)] {
                let gains: Vec<f64> = (0..gains).map(|k| f64::from(1.0 + 0.01 * k as f32)).collect();
                let weight = |index: usize| {
                    (f64::from(weights.at(index as u64)) * gains[index % gains.len()] * scale).round() as i64
                };
                let made = near(tensors, &tensors.random(&weights, &gains, scale, count));
                assert_eq!(made, (0..count).map(weight).collect::<Vec<_>>());
            }
        }
        // Halves: all weights are 5/8, and no two gains the same.
        let weights = Weights { stream: 1, centre: 0.625, spread: 0.0 };
        let made = tensors.random(&weights, &[4.0, -4.0, 12.0, -12.0, 0.8, -0.8, 0.79999, 0.0], 1.0, 8);
        assert_eq!(near(tensors, &made), [3, -3, 8, -8, 1, -1, 0, 0]);
    });
}

#[test]
fn sums_are_read_and_rounded() {
    with_device(|tensors, words| {
        for lengths in [&[] as &[usize], &[1], &[0, 3], &[7], &[130], &[2, 3, 5], &[3, 1, 4, 2], &[2, 33, 33]] {
            for (half, shift) in [(0, 0), (1 << 6, 7), (0, 19), (1 << 60, 61)] {
                let (reading, values) = reading(tensors, words, lengths);
                let all = tensors.read(&reading, half, shift, None, Pairs::default());
                assert_eq!(near(tensors, &all), values.iter().map(|v| (v + half) >> shift).collect::<Vec<_>>());
                let last = lengths.last().copied().unwrap_or(1).max(1);
                let tops = words.values(values.len() / last, 40);
                for shift_of_pairs in [0, 1, 4] {
                    let pairs = match lengths {
                        [.., rows, length] => Pairs { length: *length, rows: *rows, shift: shift_of_pairs },
                        _ => Pairs::default(),
                    };
                    let gaps = tensors.read(&reading, half, shift, Some(&wide(tensors, &tops)), pairs);
                    let gap = |(at, v): (usize, &i64)| {
                        if exists(pairs, at) { tops[at / last] - ((v + half) >> shift) } else { 0 }
                    };
                    assert_eq!(near(tensors, &gaps), values.iter().enumerate().map(gap).collect::<Vec<_>>());
                    if pairs.length > 0 {
                        let found = near(tensors, &tensors.tops(&reading, shift, pairs));
                        let row = |row: usize| {
                            let places = row * last..(row + 1) * last;
                            places.filter(|at| exists(pairs, *at)).map(|at| values[at] >> shift).max().unwrap_or(0)
                        };
                        assert_eq!(found, (0..values.len() / last).map(row).collect::<Vec<_>>());
                    }
                }
            }
        }
    });
}

#[test]
fn cells_are_summed() {
    with_device(|tensors, words| {
        let cells = words.values(400, 30);
        for (lengths, offsets) in [(vec![], 3), (vec![5], 0), (vec![5], 7), (vec![3, 4], 1), (vec![2, 3, 4], 50)] {
            let steps: Vec<Vec<usize>> =
                lengths.iter().map(|length| (0..*length).map(|_| words.below(90)).collect()).collect();
            let offsets: Vec<usize> = (0..offsets).map(|_| words.below(100)).collect();
            let expected: Vec<i64> = indices(&lengths)
                .iter()
                .map(|index| {
                    let at: usize = index.iter().zip(&steps).map(|(index, steps)| steps[*index]).sum();
                    offsets.iter().map(|offset| cells[at + offset]).sum()
                })
                .collect();
            let stored = tensors.stored(&wide(tensors, &cells), (-(1 << 30), 1 << 30), Layout::Whole);
            for cells in [wide(tensors, &cells), stored] {
                assert_eq!(near(tensors, &tensors.sums(&cells, &steps, &offsets)), expected);
            }
        }
    });
}

#[test]
fn entries_are_multiplied_divided_taken_and_turned() {
    with_device(|tensors, words| {
        for count in [0, 1, 127, 128, 129, 1000] {
            let (a, b) = (words.values(count, 31), words.values(count, 31));
            let divisors: Vec<i64> = words.values(count, 20).iter().map(|x| x.abs() + 1).collect();
            let rows: Vec<i64> = (0..count).map(|_| words.below(count) as i64).collect();
            let [far_a, far_b, far_d, far_r] = [&a, &b, &divisors, &rows].map(|values| wide(tensors, values));
            let each = |what, left, right| near(tensors, &tensors.each(what, left, right, Pairs::default()));
            let pairs = || a.iter().zip(&b);
            assert_eq!(each(Each::Multiply, &far_a, &far_b), pairs().map(|(a, b)| a * b).collect::<Vec<_>>());
            let nearest = |(n, d): (&i64, &i64)| (2 * n + d).div_euclid(2 * d);
            assert_eq!(each(Each::Divide, &far_a, &far_d), a.iter().zip(&divisors).map(nearest).collect::<Vec<_>>());
            assert_eq!(each(Each::Take, &far_a, &far_r), rows.iter().map(|row| a[*row as usize]).collect::<Vec<_>>());
        }
        let (values, pairs) = (words.values(60, 30), Pairs { length: 5, rows: 6, shift: 1 });
        let far = wide(tensors, &values);
        let square = |at: usize| if exists(pairs, at) { values[at] * values[at] } else { 0 };
        let squares = tensors.each(Each::Multiply, &far, &far, pairs);
        assert_eq!(near(tensors, &squares), (0..60).map(square).collect::<Vec<_>>());
        let (pairs, inner, times) = (5, 3, 2..6);
        let values = words.values(2 * 4 * inner * 2 * pairs, 20);
        let turns = words.values(7 * pairs * 2, 15);
        let turned = tensors.turn(&wide(tensors, &values), &wide(tensors, &turns), pairs, inner, times.clone());
        let mut expected = vec![0; values.len()];
        for row in 0..values.len() / (2 * pairs) {
            let time = times.start + row / inner % times.len();
            for pair in 0..pairs {
                let [cos, sin] = [0, 1].map(|k| turns[2 * (time * pairs + pair) + k]);
                let [left, right] = [0, pairs].map(|k| values[2 * row * pairs + k + pair]);
                expected[2 * row * pairs + pair] = cos * left - sin * right;
                expected[(2 * row + 1) * pairs + pair] = sin * left + cos * right;
            }
        }
        assert_eq!(near(tensors, &turned), expected);
    });
}

#[test]
fn integers_are_stored_in_the_width_of_their_ends() {
    with_device(|tensors, words| {
        assert_eq!(tensors.ends(&wide(tensors, &[])), (0, 0));
        for count in [1, 5, 128, 129, 70_000] {
            for bits in [2, 7, 8, 16, 17, 32, 33, 64] {
                let values = words.values(count, bits);
                let ends = (*values.iter().min().unwrap(), *values.iter().max().unwrap());
                let far = wide(tensors, &values);
                assert_eq!(tensors.ends(&far), ends);
                if count > 1000 && bits != 17 {
                    continue;
                }
                let stored = tensors.stored(&far, ends, Layout::Whole);
                assert_eq!(tensors.zeros(&stored).bytes(), Integers::narrowed(values.clone()).bytes());
                assert_eq!(near(tensors, &stored), values);
                // In the middle of others.
                let mut others = Integers::zeros_for(count + 9, ends);
                tensors.near(&stored, &mut others, 4);
                assert_eq!(others.to_vec()[4..4 + count], values);
                let row = [1, 3, 5, 128][words.below(4)];
                if count % row == 0 {
                    let quads = near(tensors, &tensors.stored(&far, ends, Layout::Quads(row)));
                    let filled = row.next_multiple_of(QUAD);
                    for (row, quads) in values.chunks(row).zip(quads.chunks(filled)) {
                        assert!(quads.starts_with(row) && quads[row.len()..].iter().all(|x| *x == 0));
                    }
                }
            }
        }
        for side in [1, 2, 5, 33] {
            let values = words.values(3 * side * side, 20);
            let stored = tensors.stored(&wide(tensors, &values), (-(1 << 19), 1 << 19), Layout::Triangles(side));
            let below: Vec<i64> =
                (0..values.len()).filter(|at| at % side <= at / side % side).map(|at| values[at]).collect();
            assert_eq!(near(tensors, &stored), below);
        }
    });
}

#[test]
fn rows_are_counted_where_there_are_pairs() {
    with_device(|tensors, words| {
        for (count, size, pairs) in [
            (0, 3, Pairs::default()),
            (1000, 7, Pairs::default()),
            (70_000, 2, Pairs::default()),
            (3 * 25 * 20, 1000, Pairs { length: 20, rows: 25, shift: 3 }),
            (2 * 16 * 16, 1, Pairs { length: 16, rows: 16, shift: 0 }),
        ] {
            let rows: Vec<i64> = (0..count).map(|_| words.below(size) as i64).collect();
            let mut expected = vec![0; size];
            (0..count).filter(|at| exists(pairs, *at)).for_each(|at| expected[rows[at] as usize] += 1);
            assert_eq!(tensors.count(&wide(tensors, &rows), pairs, size), expected);
        }
    });
}

#[test]
fn batches_of_matrices_are_multiplied() {
    with_device(|tensors, words| {
        for (batches, rows, columns, depth) in
            [(1, 1, 1, 1), (1, 64, 32, 4), (3, 5, 7, 9), (2, 13, 65, 31), (1, 130, 3, 33)]
        {
            for bits in [16, 24] {
                let (left, right) =
                    (words.values(batches * rows * depth, 31), words.values(batches * columns * depth, bits));
                let store = |values: &[i64], bits: u32| {
                    let ends = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1);
                    tensors.stored(&wide(tensors, values), ends, Layout::Quads(depth))
                };
                let (far_left, far_right) = (store(&left, 32), store(&right, if bits == 16 { 16 } else { 32 }));
                let first = (rows / 2).next_multiple_of(QUAD).min(rows);
                let whole = Block { rows: 0..rows, columns, depth };
                // As of scores: a lower left, and rows that are all there.
                let some = [
                    Block { rows: 0..first, columns: columns.div_ceil(2), depth },
                    Block { rows: first..rows, columns, depth },
                ];
                for blocks in [vec![whole], some.into_iter().filter(|block| !block.rows.is_empty()).collect()] {
                    let sizes = Batches { batches, rows, columns, depth, blocks };
                    let results = near(tensors, &tensors.multiply(&far_left, &far_right, &sizes));
                    let [full_rows, full_columns] = [rows, columns].map(|count| count.next_multiple_of(QUAD));
                    for (batch, results) in results.chunks(full_rows * full_columns).enumerate() {
                        for block in &sizes.blocks {
                            for (m, n) in block.rows.clone().flat_map(|m| (0..columns).map(move |n| (m, n))) {
                                let of = |values: &[i64], row: usize| values[row * depth..(row + 1) * depth].to_vec();
                                let (l, r) = (of(&left, batch * rows + m), of(&right, batch * columns + n));
                                let dot: i64 = l.iter().zip(&r).map(|(l, r)| l * r).sum();
                                let found = results[m * full_columns + n];
                                // Whole tiles are written.
                                let there = n < block.columns.next_multiple_of(QUAD);
                                assert!(if n < block.columns { found == dot } else { there || found == 0 });
                            }
                        }
                    }
                }
            }
        }
    });
}
