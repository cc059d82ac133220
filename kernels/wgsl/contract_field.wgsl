// Decides how contractions of field elements sum.
// Uses: contract fr
alias Sum = Fr;

fn add(sum: ptr<function, Sum>, weight: Fr, index: u32) {
    *sum = fr_add(*sum, fr_mul(weight, fr_load(arguments.x + 32u * index)));
}

fn reduced(sum: Sum) -> Fr {
    return sum;
}
