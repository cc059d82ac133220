// For groups of `count` rows of `width` values each: the sums of runs of `fan` rows that do not cross groups.
// Uses: fr
struct Arguments {
    first_thread: u32,
    threads: u32,
    out: u32,
    values: u32,
    groups: u32,
    count: u32,
    fan: u32,
    width: u32,
}

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (!begins(id)) { return; }
    let runs = (arguments.count + arguments.fan - 1u) / arguments.fan;
    let at = thread % arguments.width;
    let run = thread / arguments.width % runs;
    let group = thread / arguments.width / runs;
    let end = min((run + 1u) * arguments.fan, arguments.count);
    var sum: Fr;
    for (var i = run * arguments.fan; i < end; i++) {
        let entry = (group * arguments.count + i) * arguments.width + at;
        sum = fr_add(sum, fr_load(arguments.values + 32u * entry));
    }
    fr_store(arguments.out + 32u * thread, sum);
}
