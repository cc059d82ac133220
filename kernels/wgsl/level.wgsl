// Decides how the fractions of a level of the tree are read: all `p` are 1 where there is no table of them, and leaves
// are made on the fly where there are `leaves`: then `q` is the table that they number, `plus` more than small integers of a
// kind. If there are matrices of `times x earlier`, the first number at `first` in one of them, there is no number above the
// diagonal. What is not there is 0/1, and so is a leaf without a number.
// Uses: fr packed
struct Fraction {
    p: Fr,
    q: Fr,
}

fn fraction(index: u32) -> Fraction {
    var row = index;
    if (arguments.leaves != 0u) {
        let place = arguments.first + index;
        if (arguments.times != 0u && place % arguments.earlier > place / arguments.earlier % arguments.times) {
            return Fraction(Fr(), FR_ONE);
        }
        row = load_low(arguments.leaves, arguments.kind, index) + arguments.plus;
    }
    var p = FR_ONE;
    if (arguments.p != 0u) { p = fr_load(arguments.p + 32u * index); }
    return Fraction(p, fr_load(arguments.q + 32u * row));
}

// The two children of a node; rows of the level have `below_length` fractions.
fn children(node: u32) -> array<Fraction, 2> {
    let half = (arguments.below_length + 1u) / 2u;
    let first = 2u * (node % half);
    let at = node / half * arguments.below_length + first;
    var other = Fraction(Fr(), FR_ONE);
    if (first + 1u < arguments.below_length) { other = fraction(at + 1u); }
    return array<Fraction, 2>(fraction(at), other);
}
