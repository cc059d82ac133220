// For every unit of every run: the sum of its entries times their columns' bases. `tables[k]` has the multiples of
// `2^(width k)` times the bases by 1 to `2^(width - 1)`.
// Uses: runs curve
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    runs: u32,
    run_count: u32,
    tables: u32,
    width: u32,
    units: u32,
}

// `x` shifted right, plus `carry`.
fn next_digit(x: vec2<u32>, width: u32, carry: u32) -> vec2<u32> {
    let low = (x.x >> width) | (x.y << (32u - width));
    let high = bitcast<u32>(bitcast<i32>(x.y) >> width);
    let sum = low + carry;
    return vec2<u32>(sum, high + u32(sum < carry));
}

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!begins(id)) { return; }
    let run = run_of(arguments.runs, arguments.run_count, thread);
    let width = arguments.width;
    var index = thread - run.first_unit;
    var place = 0u;
    var rest = vec2<u32>();
    if (index < run.length) { rest = load_int(run.values, run.kind, index); }
    while (true) {
        // Threads find their next digit that is not 0 before all of them add.
        var magnitude = 0u;
        var negative = 0u;
        var multiple = 0u;
        while (magnitude == 0u && index < run.length) {
            if (rest.x == 0u && rest.y == 0u) {
                index += run.units;
                place = 0u;
                if (index < run.length) { rest = load_int(run.values, run.kind, index); }
                continue;
            }
            // The signed digit, -2^(width - 1) <= digit < 2^(width - 1).
            let low = rest.x & ((1u << width) - 1u);
            negative = low >> (width - 1u);
            magnitude = select(low, (1u << width) - low, negative == 1u);
            multiple = load_word(arguments.tables + 8u * place)
                + AFFINE_BYTES * (((run.column + index) << (width - 1u)) + magnitude - 1u);
            rest = next_digit(rest, width, negative);
            place++;
        }
        if (magnitude == 0u) { break; }
        add_affine(multiple, negative == 1u);
    }
    store_point(arguments.out + POINT_BYTES * thread);
}
