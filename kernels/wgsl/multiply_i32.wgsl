// Uses: multiply_ints
const KIND = 4u;
