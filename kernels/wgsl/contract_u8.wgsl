// Uses: contract contract_ints
const KIND = 17u;
