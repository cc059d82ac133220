//! Encodings of scalars and group elements: each has one, and nothing else is read.

use ark_bls12_381::{Fq, Fq2, Fq6, Fq12, g1, g2};
use ark_ec::short_weierstrass::SWCurveConfig;
use ark_ec::{AffineRepr, CurveGroup, PrimeGroup};
use ark_ff::{AdditiveGroup, BigInteger, CyclotomicMultSubgroup, Field, One, PrimeField};
use ark_serialize::CanonicalSerialize;
use sha3::{Digest, Sha3_512};
use zkllm_verifier::groups::*;
use zkllm_verifier::{Fr, Refusal};

fn scalar(seed: u64) -> Fr {
    Fr::from_le_bytes_mod_order(&Sha3_512::digest(seed.to_le_bytes()))
}

fn fq(seed: u64) -> Fq {
    Fq::from_le_bytes_mod_order(&Sha3_512::digest(seed.to_le_bytes()))
}

fn fq2(seed: u64) -> Fq2 {
    Fq2::new(fq(2 * seed), fq(2 * seed + 1))
}

fn fq6(seed: u64) -> Fq6 {
    Fq6::new(fq2(3 * seed), fq2(3 * seed + 1), fq2(3 * seed + 2))
}

/// An element of `Fq12` of order dividing `p^4 - p^2 + 1`, most likely not `r`.
fn cyclotomic(seed: u64) -> Fq12 {
    let f = Fq12::new(fq6(2 * seed), fq6(2 * seed + 1));
    let f = f.frobenius_map(6) * f.inverse().unwrap();
    f.frobenius_map(2) * f
}

/// `y` and `z` of the torus coordinate `x + y v + z v^2 = (1 + a)/b` of `a + b w`, written down.
fn compressed(element: &Fq12) -> [u8; 192] {
    let t = (element.c0 + Fq6::ONE) * element.c1.inverse().unwrap();
    bytes(&[t.c1, t.c2])
}

fn bytes<const N: usize>(value: &impl CanonicalSerialize) -> [u8; N] {
    let mut bytes = [0; N];
    value.serialize_compressed(&mut bytes[..]).unwrap();
    bytes
}

/// `bytes + p` in the coefficient that starts at `start`, little endian.
fn plus_p(bytes: &[u8; 192], start: usize) -> [u8; 192] {
    let mut changed = *bytes;
    let mut carry = 0;
    for (byte, p) in changed[start..start + 48].iter_mut().zip(Fq::MODULUS.to_bytes_le()) {
        let sum = u16::from(*byte) + u16::from(p) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    changed
}

#[test]
fn elements_are_read_as_they_were_written() {
    for seed in 0..20 {
        let x = if seed == 0 { Fr::ZERO } else { scalar(seed) };
        assert_eq!(read_scalar(&write_scalar(&x)), Ok(x));
        let (p, q, g) = (G1::generator() * x, G2::generator() * x, Gt::generator() * x);
        assert_eq!(read_g1(&write_g1(&p.into())), Ok(p.into_affine()));
        assert_eq!(read_g2(&write_g2(&q.into())), Ok(q.into_affine()));
        assert_eq!(read_gt(&write_gt(&g)), Ok(g));
        assert_eq!(read_gt(&write_gt(&-g)), Ok(-g));
    }
}

#[test]
fn the_identity_has_one_encoding() {
    let g1 = [&[0xc0][..], &[0; 47]].concat();
    let g2 = [&[0xc0][..], &[0; 95]].concat();
    assert_eq!(write_g1(&G1::zero())[..], g1);
    assert_eq!(write_g2(&G2::zero())[..], g2);
    assert_eq!(write_gt(&Gt::ZERO), [0; 192]);
    assert_eq!(read_gt(&[0; 192]), Ok(Gt::ZERO));
    for at in 96..192 {
        let mut changed = [0; 192];
        changed[at] = 1;
        assert_eq!(read_gt(&changed), Err(Refusal::BadPoint));
    }
    for i in 0..48 * 8 {
        let mut changed: [u8; 48] = g1.clone().try_into().unwrap();
        changed[i / 8] ^= 1 << (i % 8);
        assert!(!read_g1(&changed).is_ok_and(|point| point.is_zero()), "bit {i}");
    }
    for i in 0..96 * 8 {
        let mut changed: [u8; 96] = g2.clone().try_into().unwrap();
        changed[i / 8] ^= 1 << (i % 8);
        assert!(!read_g2(&changed).is_ok_and(|point| point.is_zero()), "bit {i}");
    }
}

#[test]
fn numbers_have_one_encoding() {
    assert_eq!(read_scalar(&[0xff; 32]), Err(Refusal::BadScalar));
    assert_eq!(read_scalar(&Fr::MODULUS.to_bytes_le().try_into().unwrap()), Err(Refusal::BadScalar));
    let element = write_gt(&(Gt::generator() * scalar(1)));
    for coefficient in 0..4 {
        assert_eq!(read_gt(&plus_p(&element, 48 * coefficient)), Err(Refusal::BadPoint));
        assert_eq!(read_gt(&plus_p(&[0; 192], 48 * coefficient)), Err(Refusal::BadPoint));
        for bit in [0x20, 0x40, 0x80] {
            let mut changed = element;
            changed[48 * coefficient + 47] |= bit;
            assert_eq!(read_gt(&changed), Err(Refusal::BadPoint));
        }
    }
    // x + p for a small x: the top bits of the first byte are flags, and p has 381 bits.
    let x_plus_p = |x: u8| {
        let mut bytes: Vec<u8> = Fq::MODULUS.to_bytes_be();
        *bytes.last_mut().unwrap() += x;
        bytes[0] |= 0x80;
        bytes
    };
    assert_eq!(read_g1(&x_plus_p(0).try_into().unwrap()), Err(Refusal::BadPoint));
    assert_eq!(read_g1(&x_plus_p(4).try_into().unwrap()), Err(Refusal::BadPoint));
    let g2 = [x_plus_p(2), vec![0; 48]].concat();
    assert_eq!(read_g2(&g2.try_into().unwrap()), Err(Refusal::BadPoint));
}

#[test]
fn flags_are_checked() {
    let (g1, g2) = (write_g1(&G1::generator()), write_g2(&G2::generator()));
    // The sign flag gives the other point.
    let (mut negative1, mut negative2) = (g1, g2);
    negative1[0] ^= 0x20;
    negative2[0] ^= 0x20;
    assert_eq!(read_g1(&negative1), Ok(-G1::generator()));
    assert_eq!(read_g2(&negative2), Ok(-G2::generator()));
    for flags in [0x00, 0x20, 0x40, 0x60, 0xc0, 0xe0] {
        let (mut changed1, mut changed2) = (g1, g2);
        changed1[0] = changed1[0] & 0x1f | flags;
        changed2[0] = changed2[0] & 0x1f | flags;
        assert_eq!(read_g1(&changed1), Err(Refusal::BadPoint), "{flags}");
        assert_eq!(read_g2(&changed2), Err(Refusal::BadPoint), "{flags}");
    }
    let mut sorted = write_g1(&G1::zero());
    sorted[0] |= 0x20;
    assert_eq!(read_g1(&sorted), Err(Refusal::BadPoint));
}

#[test]
fn points_of_the_curve_outside_the_subgroup_are_refused() {
    // (0, 2) and (0, -2) have order 3.
    let mut order3 = [0; 48];
    for flags in [0x80, 0xa0] {
        order3[0] = flags;
        assert_eq!(read_g1(&order3), Err(Refusal::WrongSubgroup));
    }
    let (mut found1, mut found2) = (0, 0);
    for seed in 0..40 {
        if let Some(point) = G1::get_point_from_x_unchecked(fq(seed), true) {
            found1 += 1;
            assert_eq!(read_g1(&write_g1(&point)), Err(Refusal::WrongSubgroup));
            // A member plus a point of an order that divides the cofactor.
            let small = g1::Config::mul_affine(&point, Fr::MODULUS.as_ref()).into_affine();
            assert_eq!(read_g1(&write_g1(&(G1::generator() + small).into())), Err(Refusal::WrongSubgroup));
        }
        if let Some(point) = G2::get_point_from_x_unchecked(fq2(seed), true) {
            found2 += 1;
            assert_eq!(read_g2(&write_g2(&point)), Err(Refusal::WrongSubgroup));
            let small = g2::Config::mul_affine(&point, Fr::MODULUS.as_ref()).into_affine();
            assert_eq!(read_g2(&write_g2(&(G2::generator() + small).into())), Err(Refusal::WrongSubgroup));
        }
    }
    assert!(found1 > 5 && found2 > 5);
}

#[test]
fn x_coordinates_of_no_point_are_refused() {
    let none = (0..).map(fq).find(|x| G1::get_point_from_x_unchecked(*x, true).is_none()).unwrap();
    let mut bytes: [u8; 48] = none.into_bigint().to_bytes_be().try_into().unwrap();
    bytes[0] |= 0x80;
    assert_eq!(read_g1(&bytes), Err(Refusal::BadPoint));
}

#[test]
fn elements_of_other_orders_are_not_in_the_target_group() {
    let member = Gt::generator() * scalar(7);
    for seed in 0..10 {
        // What is read is cyclotomic, whatever the bytes.
        assert_eq!(read_gt(&bytes(&[fq2(seed), fq2(seed + 1)])), Err(Refusal::WrongSubgroup));
        // Cyclotomic, not of order r; its r-th power, without the part of order r; and a member times that.
        let other = cyclotomic(seed);
        assert_eq!(read_gt(&compressed(&other)), Err(Refusal::WrongSubgroup));
        let cofactor = other.cyclotomic_exp(Fr::MODULUS);
        assert!(!cofactor.is_one());
        assert_eq!(read_gt(&compressed(&cofactor)), Err(Refusal::WrongSubgroup));
        assert_eq!(read_gt(&compressed(&(member.0 * cofactor))), Err(Refusal::WrongSubgroup));
    }
}

/// `4513` is the smallest factor of `(p^4 - p^2 + 1)/r`; `(p^4 - p^2 + 1)/4513` in limbs.
const SMALL_COFACTOR: [u64; 24] = [
    0x55b163f39ac229d9,
    0xc92a0f0168e49bde,
    0xe8b45143a5e8da1a,
    0x3de271e9f30db60b,
    0x5e8587ab22ef0aad,
    0xe28cfd1a2a5f33ab,
    0x5ba756d010548081,
    0xeb5094f664d01f3d,
    0x0a2db1754d3ef43f,
    0xd5d4c600988f6c3b,
    0x1e3ef618ab612749,
    0xb0dc97447a3e9698,
    0xb74fc1c134a671f6,
    0x52a169b0cab754dc,
    0x28a00ecd6bdb4538,
    0x553cc486189e16a2,
    0xac88d6dd01f53279,
    0xb6263e26c181d1c6,
    0xf0b91e6e264e57de,
    0x0b366090e00227c1,
    0x77f7bbcfbd62c9ee,
    0xff34202c35e17458,
    0xe884792d56b767a0,
    0x0000006552a4bb30,
];

/// `3 x y = 1 + 3 xi z^2` for the torus coordinate of every cyclotomic element but 1, and `y = 0` for none; the elements
/// of norm 1 over `Fq6` that it does not hold for are not cyclotomic.
#[test]
fn two_coordinates_say_all_of_a_cyclotomic_element() {
    let xi = Fq2::new(Fq::ONE, Fq::ONE);
    let three = Fq2::from(3u64);
    let holds = |t: Fq6| three * t.c0 * t.c1 == Fq2::ONE + three * xi * t.c2.square();
    let is_cyclotomic = |g: Fq12| g.frobenius_map(4) * g == g.frobenius_map(2);
    for seed in 0..50 {
        let g = cyclotomic(seed);
        let t = (g.c0 + Fq6::ONE) * g.c1.inverse().unwrap();
        assert!(is_cyclotomic(g) && holds(t) && t.c1 != Fq2::ZERO);
        // And back, from any two coordinates.
        let (y, z) = (fq2(2 * seed), if seed == 0 { Fq2::ZERO } else { fq2(2 * seed + 1) });
        let x = (Fq2::ONE + three * xi * z.square()) * (three * y).inverse().unwrap();
        let element = |t: Fq6| Fq12::new(t, Fq6::ONE) * Fq12::new(t, -Fq6::ONE).inverse().unwrap();
        assert!(is_cyclotomic(element(Fq6::new(x, y, z))));
        assert!(!is_cyclotomic(element(Fq6::new(x + Fq2::ONE, y, z))));
    }
    // No solution with y = 0: -1/(3 xi) has no root.
    assert!((-(three * xi).inverse().unwrap()).legendre().is_qnr());
}

#[test]
fn elements_of_small_order_are_not_in_the_target_group() {
    let member = Gt::generator() * scalar(9);
    let small =
        (0..).map(|seed| cyclotomic(seed).cyclotomic_exp(SMALL_COFACTOR)).find(|small| !small.is_one()).unwrap();
    assert!(small.pow([4513_u64]).is_one());
    for power in [1_u64, 2, 4512] {
        assert_eq!(read_gt(&compressed(&small.pow([power]))), Err(Refusal::WrongSubgroup));
        assert_eq!(read_gt(&compressed(&(member.0 * small.pow([power])))), Err(Refusal::WrongSubgroup));
    }
}

#[test]
fn sums_in_the_target_group_are_those_of_single_powers() {
    let elements: Vec<Gt> = (1..5).map(|seed| Gt::generator() * scalar(seed)).collect();
    let [a, b, c, d] = elements[..] else { unreachable!() };
    let scalars = [Fr::ZERO, Fr::ONE, -Fr::ONE, Fr::from(16u64), -Fr::from(15u64), scalar(9), scalar(10)];
    let mut terms: Vec<(Fr, Gt)> = Vec::new();
    for (number, element) in [a, b, a, -c, c, d, Gt::ZERO, a, b].into_iter().enumerate() {
        let naive: Gt = terms.iter().map(|(scalar, element)| *element * scalar).sum();
        assert_eq!(zkllm_verifier::dory::combine(&terms), Ok(naive), "{number} terms");
        terms.push((scalars[number % scalars.len()], element));
    }
    for scalar in scalars {
        assert_eq!(zkllm_verifier::dory::combine(&[(scalar, a)]), Ok(a * scalar));
    }
}

#[test]
fn no_bytes_panic_and_no_bytes_alias() {
    let element = write_gt(&(Gt::generator() * scalar(3)));
    let (point1, point2) = (write_g1(&G1::generator()), write_g2(&G2::generator()));
    for bit in 0..192 * 8 {
        let flip = |bytes: &mut [u8]| bytes[bit / 8] ^= 1 << (bit % 8);
        let mut changed = element;
        flip(&mut changed);
        assert!(read_gt(&changed).is_err());
        if bit < 48 * 8 {
            let mut changed = point1;
            flip(&mut changed);
            assert!(read_g1(&changed).map_or(true, |point| point == -G1::generator()));
        }
        if bit < 96 * 8 {
            let mut changed = point2;
            flip(&mut changed);
            assert!(read_g2(&changed).map_or(true, |point| point == -G2::generator()));
        }
    }
    for seed in 0..200_u64 {
        let random: Vec<u8> = (0..5).flat_map(|i| Sha3_512::digest((5 * seed + i).to_be_bytes())).collect();
        assert!(read_gt(random[..192].try_into().unwrap()).is_err());
        assert!(read_g1(random[..48].try_into().unwrap()).is_err());
        assert!(read_g2(random[..96].try_into().unwrap()).is_err());
    }
    for byte in 0..=255 {
        let _ = (read_gt(&[byte; 192]), read_g1(&[byte; 48]), read_g2(&[byte; 96]), read_scalar(&[byte; 32]));
    }
}
