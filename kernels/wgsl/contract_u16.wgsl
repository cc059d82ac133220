// Uses: contract contract_ints
const KIND = 18u;
