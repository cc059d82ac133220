// Decides how a sumcheck over a compact tensor sums: rows of `length` entries, and the weights of their pairs,
// `row_weights[row] high[pair / CHUNK] low[pair % CHUNK]`; no table, no weight. `terms(first, whole)` gives the pair's two
// summands: of the entries `first` and `first + 1`, or of `first` and the padding where the pair is not whole. Every
// thread writes its two sums.
// Uses: fr

// Pairs that share one weight of the high table, and those of them that one thread takes.
const CHUNK = 1024u;
const TAKEN = 8u;

fn weighted(x: Fr, table: u32, index: u32) -> Fr {
    if (table == 0u) { return x; }
    return fr_mul(x, fr_load(table + 32u * index));
}

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!begins(id)) { return; }
    let half = (arguments.length + 1u) / 2u;
    let chunks = (half + CHUNK - 1u) / CHUNK;
    let span = min(half, CHUNK);
    let lanes = (span + TAKEN - 1u) / TAKEN;
    var sums: array<Fr, 2>;
    for (var task = thread; task < arguments.rows * chunks * lanes; task += arguments.threads) {
        let lane = task % lanes;
        let chunk = task / lanes % chunks;
        let row = task / lanes / chunks;
        var part: array<Fr, 2>;
        for (var i = lane; i < span && chunk * CHUNK + i < half; i += lanes) {
            let entry = 2u * (chunk * CHUNK + i);
            var both = terms(row * arguments.length + entry, entry + 1u < arguments.length);
            for (var k = 0u; k < 2u; k++) { part[k] = fr_add(part[k], weighted(both[k], arguments.low, i)); }
        }
        for (var k = 0u; k < 2u; k++) {
            let of_row = weighted(part[k], arguments.row_weights, row);
            sums[k] = fr_add(sums[k], weighted(of_row, arguments.high, chunk));
        }
    }
    for (var k = 0u; k < 2u; k++) { fr_store(arguments.out + 32u * (2u * thread + k), sums[k]); }
}
