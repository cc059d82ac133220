// Uses: contract contract_ints
const KIND = 4u;
