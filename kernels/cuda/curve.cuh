// Decides additions in G1, y^2 = x^3 + 4, for all inputs: infinity, equal and opposite points too.
#pragma once
#include "field.cuh"

// (0, 0), which is not on the curve, stands for infinity.
struct Affine {
    Fq x, y;

    DEVICE bool is_infinity() const { return x.is_zero() && y.is_zero(); }
    friend DEVICE Affine operator-(const Affine& point) { return {point.x, -point.y}; }
};

// x = X / ZZ, y = Y / ZZZ with ZZ^3 = ZZZ^2; infinity where ZZ = 0. Zeroed memory is infinity.
struct Point {
    Fq x, y, zz, zzz;

    static DEVICE Point infinity() { return {}; }
    static DEVICE Point of(const Affine& point) {
        if (point.is_infinity()) return infinity();
        return {point.x, point.y, Fq::one(), Fq::one()};
    }

    DEVICE bool is_infinity() const { return zz.is_zero(); }

    // "dbl-2008-s-1" of the Explicit-Formulas Database, a = 0. No point has order 2.
    DEVICE_CALL Point doubled() const {
        Fq u = y + y, v = u.squared(), w = u * v, s = x * v, square = x.squared(), m = square + square + square;
        Point sum;
        sum.x = m.squared() - s - s;
        sum.y = m * (s - sum.x) - w * y;
        sum.zz = v * zz;
        sum.zzz = w * zzz;
        return sum;
    }

    // "madd-2008-s".
    DEVICE void add(const Affine& b) {
        if (b.is_infinity()) return;
        if (is_infinity()) {
            *this = of(b);
            return;
        }
        join(x, y, b.x * zz, b.y * zzz);
    }

    // "add-2008-s". Rarely needed, long: a call.
    DEVICE_CALL void add(const Point& b) {
        if (b.is_infinity()) return;
        if (is_infinity()) {
            *this = b;
            return;
        }
        Fq u1 = x * b.zz, s1 = y * b.zzz, u2 = b.x * zz, s2 = b.y * zzz;
        // Both over the product of the denominators.
        zz = zz * b.zz;
        zzz = zzz * b.zzz;
        join(u1, s1, u2, s2);
    }

private:
    // The sum of two points over the same denominators: (u1, s1), (u2, s2).
    DEVICE void join(const Fq& u1, const Fq& s1, const Fq& u2, const Fq& s2) {
        Fq p = u2 - u1, r = s2 - s1;
        if (p.is_zero()) {
            Point same = {u1, s1, zz, zzz};
            *this = r.is_zero() ? same.doubled() : infinity();
            return;
        }
        Fq pp = p.squared(), ppp = p * pp, q = u1 * pp, t = s1 * ppp;
        x = r.squared() - ppp - q - q;
        y = r * (q - x) - t;
        zz = zz * pp;
        zzz = zzz * ppp;
    }
};
