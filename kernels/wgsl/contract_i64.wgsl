// Uses: contract contract_ints
const BYTES = 8u;
