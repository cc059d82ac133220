// Decides the summand `p0 q1 + q0 s` with `s = p1 + lambda q1`, of `[p0, s, q0, q1]` with the padding `[0, lambda, 1, 1]`:
// its rounds' terms, and its fold of `rows` rows of `length`.
// Uses: fr
alias Quad = array<Fr, 4>;

fn padding() -> Quad {
    return Quad(Fr(), arguments.lambda, FR_ONE, FR_ONE);
}

fn summand(quad: Quad) -> Fr {
    return fr_add(fr_mul(quad[0], quad[3]), fr_mul(quad[2], quad[1]));
}

// The node at `first` and the one after it.
fn pair_of(first: u32, whole: bool) -> array<Quad, 2> {
    var next = padding();
    if (whole) { next = quad(first + 1u); }
    return array<Quad, 2>(quad(first), next);
}

fn terms(first: u32, whole: bool) -> array<Fr, 2> {
    var pair = pair_of(first, whole);
    var rise: Quad;
    for (var k = 0u; k < 4u; k++) { rise[k] = fr_sub(pair[1][k], pair[0][k]); }
    return array<Fr, 2>(fr_sub(summand(pair[1]), summand(pair[0])), summand(rise));
}
