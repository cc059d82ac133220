// Uses: multiply_ints
const KIND = 2u;
