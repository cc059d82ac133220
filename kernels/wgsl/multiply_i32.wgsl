// Uses: multiply_ints
const BYTES = 4u;
