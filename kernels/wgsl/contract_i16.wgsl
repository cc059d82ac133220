// Uses: contract contract_ints
const KIND = 2u;
