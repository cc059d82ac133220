// Uses: contract contract_ints
const BYTES = 4u;
