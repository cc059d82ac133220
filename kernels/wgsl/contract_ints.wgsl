// Decides how contractions of small integers sum.
// Uses: ints
alias Sum = WideSum;

fn add(sum: ptr<function, Sum>, weight: Fr, index: u32) {
    wide_add(sum, weight, load_int(arguments.x, KIND, index));
}

fn reduced(sum: Sum) -> Fr {
    return wide_reduced(sum);
}
