// Decides how the fractions of a level of the tree are read: all `p` are 1 where there is no table of them, and leaves
// are made on the fly where there are `leaves`: then `q` is the table that they number, `plus` more than small integers of a
// kind, and there are none where no integer is stored. What is not there is 0/1, and so is a leaf without a number.
// Uses: fr packed places
struct Fraction {
    p: Fr,
    q: Fr,
}

fn fraction(index: u32) -> Fraction {
    var at = index;
    if (arguments.leaves != 0u) {
        let number = stored_place(index, arguments.side, arguments.first, arguments.before);
        if (number == NOWHERE) { return Fraction(Fr(), FR_ONE); }
        at = load_low(arguments.leaves, arguments.kind, number) + arguments.plus;
    }
    var p = FR_ONE;
    if (arguments.p != 0u) { p = fr_load(arguments.p + 32u * index); }
    return Fraction(p, fr_load(arguments.q + 32u * at));
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
