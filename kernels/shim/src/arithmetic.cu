// Decides how the tests reach single operations of the fields and the curve.
#include "../../cuda/curve.cuh"

template <class F>
DEVICE void operate(F* out, const F* a, const F* b, u64 count) {
    u64 i = thread_number();
    if (i >= count) return;
    F results[] = {a[i] + b[i], a[i] - b[i], -a[i], a[i] * b[i], a[i].inverse()};
    for (int k = 0; k < 5; k++) out[5 * i + k] = results[k];
}
KERNEL(test_fr, Fr* out, const Fr* a, const Fr* b, u64 count) { operate(out, a, b, count); }
KERNEL(test_fq, Fq* out, const Fq* a, const Fq* b, u64 count) { operate(out, a, b, count); }

KERNEL(test_points, Point* out, const Affine* a, const Affine* b, u64 count) {
    u64 i = thread_number();
    if (i >= count) return;
    Point mixed = Point::of(a[i]);
    mixed.add(b[i]);
    // The same with denominators: (3a + b) - 2a.
    Point full = Point::of(a[i]).doubled();
    full.add(a[i]);
    full.add(Point::of(b[i]).doubled());
    full.add(-b[i]);
    Point minus = Point::of(-a[i]).doubled();
    full.add(minus);
    out[3 * i] = mixed;
    out[3 * i + 1] = full;
    out[3 * i + 2] = Point::of(a[i]).doubled();
}
