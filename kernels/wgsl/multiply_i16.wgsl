// Uses: multiply_ints
const BYTES = 2u;
