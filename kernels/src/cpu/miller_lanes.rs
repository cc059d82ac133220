//! Decides how eight Miller loops of BLS12-381 are computed at once, one a lane.
//!
//! The point on the twist runs in homogeneous coordinates, doubled and added by the formulas of Costello, Lange and Naehrig
//! ("Faster pairing computations on curves with high-degree twists", PKC 2010, section 5), with all coordinates scaled by 4
//! so that nothing is halved. Fq12 is `Fq2[w] / (w^6 - (1 + u))`; a line is `l0 + l2 w^2 + l3 w^3`. Every coefficient of a
//! product is one sum of products of integers with one reduction.

use std::arch::x86_64::*;

use ark_bls12_381::{Config, Fq, Fq2, Fq6, Fq12, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ec::bls12::Bls12Config;

use super::fq_lanes::*;

/// Eights of pairs that share the squarings.
pub const GROUPS: usize = 16;

/// `c0 + c1 u`.
type Eight2 = [Eight; 2];

/// What a factor is multiplied with: by `[c0, -c1]` for the real part, by `[c1, c0]` for the other.
type Factor = [Eight2; 2];

/// Coefficients of `w^0 .. w^5`.
type Eight12 = [Eight2; 6];

/// `l0`, `l2`, `l3`.
type Line = [Eight2; 3];

/// `a + b`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn add(a: &Eight, b: &Eight) -> Eight {
    let mut sum = std::array::from_fn(|k| _mm512_add_epi64(a[k], b[k]));
    carry(&mut sum);
    sum
}

/// `a - b` for `b` below `K p`; it is below `a + K p`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn minus<const K: usize>(a: &Eight, b: &Eight) -> Eight {
    let mut difference = sub(a, b, K);
    carry(&mut difference);
    difference
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn add2(a: &Eight2, b: &Eight2) -> Eight2 {
    [add(&a[0], &b[0]), add(&a[1], &b[1])]
}

/// As [`minus`].
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn minus2<const K: usize>(a: &Eight2, b: &Eight2) -> Eight2 {
    [minus::<K>(&a[0], &b[0]), minus::<K>(&a[1], &b[1])]
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn zero2() -> Eight2 {
    [spread(&P[0]); 2]
}

/// `4 a`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn four(a: &Eight2) -> Eight2 {
    let twice = add2(a, a);
    add2(&twice, &twice)
}

/// For `b` below `16 p`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn factor(b: &Eight2) -> Factor {
    [[b[0], minus::<16>(&spread(&P[0]), &b[1])], [b[1], b[0]]]
}

/// `sum_n a_n b_n`, below `1.01 p`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn sum<const N: usize>(a: [&Eight2; N], b: [&Factor; N]) -> Eight2 {
    [dot(a, b.map(|b| &b[0])), dot(a, b.map(|b| &b[1]))]
}

/// `a b` for `b` below `16 p`, below `1.01 p`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn mul2(a: &Eight2, b: &Eight2) -> Eight2 {
    sum([a], [&factor(b)])
}

/// `a^2 = (c0 + c1)(c0 - c1) + 2 c0 c1 u` for `a` below `2 p`, below `1.01 p`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn square2(a: &Eight2) -> Eight2 {
    [mul(&add(&a[0], &a[1]), &minus::<2>(&a[0], &a[1])), mul(&add(&a[0], &a[0]), &a[1])]
}

/// `(1 + u) a` for `a` below `2 p`, below `4 p`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn twisted(a: &Eight2) -> Eight2 {
    [minus::<2>(&a[0], &a[1]), add(&a[0], &a[1])]
}

/// Eight pairs: the points on the twist and the multiples they have become, and for each side on the left `x`, `-y` and
/// the lanes without a pair.
struct Group<const N: usize> {
    q: [Eight2; 2],
    t: [Eight2; 3],
    p: [([Eight; 2], u8); N],
}

impl<const N: usize> Group<N> {
    /// At most eight pairs; lanes beyond have none.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn new(left: [&[G1Affine]; N], right: &[G2Affine]) -> Self {
        let lanes = |value: &dyn Fn(usize) -> Fq| {
            let rows: [_; 8] =
                std::array::from_fn(|lane| if lane < right.len() { load_fq(&value(lane)) } else { [0; LIMBS] });
            load_eight(rows.each_ref())
        };
        let q = [
            [lanes(&|lane| right[lane].x.c0), lanes(&|lane| right[lane].x.c1)],
            [lanes(&|lane| right[lane].y.c0), lanes(&|lane| right[lane].y.c1)],
        ];
        let p = left.map(|left| {
            let none = |lane: &usize| left.get(*lane).is_none_or(|p| p.is_zero() || right[*lane].is_zero());
            let none = (0..8).filter(none).fold(0, |mask, lane| mask | 1 << lane);
            ([lanes(&|lane| left[lane].x), lanes(&|lane| -left[lane].y)], none)
        });
        let zero = spread(&P[0]);
        Group { q, t: [q[0], q[1], [one(), zero]], p }
    }

    /// `T = 2 T`, and the tangent. All coordinates are below `1.01 p`, before and after.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn double(&mut self) -> Line {
        let [x, y, z] = &self.t;
        let (b, j) = (square2(y), square2(x));
        // The twist is y^2 = x^3 + 4 (1 + u): e = 12 (1 + u) z^2.
        let z12 = add2(&four(&add2(z, z)), &four(z));
        let e = mul2(&[minus::<16>(&z12[0], &z12[1]), add(&z12[0], &z12[1])], z);
        let e12 = add2(&four(&add2(&e, &e)), &four(&e));
        let f = add2(&add2(&e, &e), &e);
        let h = mul2(&add2(y, y), z);
        let s = add2(&b, &f);
        self.t = [
            mul2(&minus2::<4>(&b, &f), &mul2(&add2(x, x), y)),
            sum([&s, &minus2::<16>(&zero2(), &e12)], [&factor(&s), &factor(&e)]),
            mul2(&four(&b), &h),
        ];
        [minus2::<2>(&e, &b), add2(&add2(&j, &j), &j), h]
    }

    /// `T = T + Q`, and the line, its sign changed. All coordinates are below `1.01 p`, before and after.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn add(&mut self) -> Line {
        let ([x, y, z], [qx, qy]) = (&self.t, &self.q);
        let theta = minus2::<2>(y, &mul2(qy, z));
        let lambda = minus2::<2>(x, &mul2(qx, z));
        let (c, d) = (mul2(&theta, &theta), mul2(&lambda, &lambda));
        let (e, f, g) = (mul2(&lambda, &d), mul2(z, &c), mul2(x, &d));
        let h = minus2::<4>(&add2(&e, &f), &add2(&g, &g));
        let line = [sum([&lambda, &theta], [&factor(qy), &factor(&minus2::<2>(&zero2(), qx))]), theta, lambda];
        self.t = [
            mul2(&lambda, &h),
            sum([&minus2::<8>(&g, &h), &minus2::<2>(&zero2(), &e)], [&factor(&theta), &factor(y)]),
            mul2(z, &e),
        ];
        line
    }

    /// The line at the point on the left of side `n`: `l2` times its `x`, `l3` times its `-y`; 1 in lanes without a pair.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn at(&self, n: usize, line: &Line) -> Line {
        let ([x, minus_y], none) = &self.p[n];
        let [l0, l2, l3] = line;
        let mut line = [*l0, l2.map(|part| mul(&part, x)), l3.map(|part| mul(&part, minus_y))];
        if *none != 0 {
            let (zero, one) = (spread(&P[0]), one());
            for (k, part) in line.iter_mut().flatten().enumerate() {
                let value = if k == 0 { &one } else { &zero };
                *part = std::array::from_fn(|limb| _mm512_mask_mov_epi64(part[limb], *none, value[limb]));
            }
        }
        line
    }
}

/// `f` times a line, below `1.01 p`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn times(f: &Eight12, [l0, l2, l3]: &Line) -> Eight12 {
    let [l0, l2, l3, over2, over3] = [l0, l2, l3, &twisted(l2), &twisted(l3)].map(|part| factor(part));
    std::array::from_fn(|k| {
        let (l2, l3) = (if k < 2 { &over2 } else { &l2 }, if k < 3 { &over3 } else { &l3 });
        sum([&f[k], &f[(k + 4) % 6], &f[(k + 3) % 6]], [&l0, l2, l3])
    })
}

/// `f^2`, below `1.01 p`.
#[target_feature(enable = "avx512f,avx512ifma")]
fn square(f: &Eight12) -> Eight12 {
    let twice = f.each_ref().map(|part| add2(part, part));
    let over = f.each_ref().map(|part| factor(&twisted(part)));
    let f2 = f.each_ref().map(|part| factor(part));
    [
        sum([&f[0], &twice[1], &twice[2], &f[3]], [&f2[0], &over[5], &over[4], &over[3]]),
        sum([&twice[0], &twice[2], &twice[3]], [&f2[1], &over[5], &over[4]]),
        sum([&twice[0], &f[1], &twice[3], &f[4]], [&f2[2], &f2[1], &over[5], &over[4]]),
        sum([&twice[0], &twice[1], &twice[4]], [&f2[3], &f2[2], &over[5]]),
        sum([&twice[0], &twice[1], &f[2], &f[5]], [&f2[4], &f2[3], &f2[2], &over[5]]),
        sum([&twice[0], &twice[1], &twice[2]], [&f2[5], &f2[4], &f2[3]]),
    ]
}

/// The product of the lanes.
#[target_feature(enable = "avx512f,avx512ifma")]
fn joined(f: &Eight12) -> Fq12 {
    let f = f.map(|parts| parts.map(|part| store_eight(part)));
    let lane = |lane: usize| {
        let part = |k: usize| Fq2::new(store_fq(&f[k][0][lane]), store_fq(&f[k][1][lane]));
        Fq12::new(Fq6::new(part(0), part(2), part(4)), Fq6::new(part(1), part(3), part(5)))
    };
    (0..8).map(lane).product()
}

/// See [`super::pairing::miller_loops`]; best of `8 GROUPS` pairs.
#[target_feature(enable = "avx512f,avx512ifma")]
pub fn miller_loops<const N: usize>(left: [&[G1Affine]; N], right: &[G2Affine]) -> [Fq12; N] {
    let of = |start: usize| {
        let range = start..right.len().min(start + 8);
        Group::new(left.map(|left| &left[range.clone()]), &right[range])
    };
    let mut groups: Vec<Group<N>> = (0..right.len()).step_by(8).map(of).collect();
    let mut unit = [zero2(); 6];
    unit[0][0] = one();
    let mut products = [unit; N];
    let multiply = |products: &mut [Eight12; N], group: &Group<N>, line: Line| {
        for (n, product) in products.iter_mut().enumerate() {
            *product = times(product, &group.at(n, &line));
        }
    };
    // The bits of |x| below the leading one.
    let x = Config::X[0];
    for bit in (0..x.ilog2()).rev() {
        products.iter_mut().for_each(|product| *product = square(product));
        for group in &mut groups {
            let line = group.double();
            multiply(&mut products, group, line);
            if x >> bit & 1 == 1 {
                let line = group.add();
                multiply(&mut products, group, line);
            }
        }
    }
    // x is negative.
    products.map(|product| {
        let mut product = joined(&product);
        product.conjugate_in_place();
        product
    })
}
