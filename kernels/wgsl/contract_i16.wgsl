// Uses: contract contract_ints
const BYTES = 2u;
