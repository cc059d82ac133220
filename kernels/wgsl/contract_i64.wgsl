// Uses: contract contract_ints
const KIND = 8u;
