// Decides additions in G1, y^2 = x^3 + 4, for all inputs: infinity, equal and opposite points too. The formulas are short
// programs over registers, run by one loop with one product in it: unrolled, they take drivers minutes to compile.
// Uses: fq

// An affine point is x, y; (0, 0), which is not on the curve, stands for infinity. A sum is X, Y, ZZ, ZZZ with
// x = X / ZZ, y = Y / ZZZ, ZZ^3 = ZZZ^2; infinity where ZZ = 0.
const AFFINE_BYTES = 96u;
const POINT_BYTES = 192u;
const FQ_BYTES = 48u;

// 0 to 3 hold the thread's sum, infinity at first; 4 to 7 what is added; the others, and those, what a program needs.
var<private> registers: array<Fq, 11>;

// A step is four digits: what, where to, and of which two. A program is its first step and the one after its last.
const ADD = 0u;
const SUB = 0x1000u;
const MUL = 0x2000u;
const STEPS = array<u32, 48>(
    // Affine operand, "madd-2008-s" of the Explicit-Formulas Database: both over the same denominators ..
    MUL | 0x442u, MUL | 0x553u,
    // .. and their difference (P, R). What follows is "add-2008-s".
    SUB | 0x440u, SUB | 0x551u,
    // General operand.
    MUL | 0x442u, MUL | 0x553u, MUL | 0x006u, MUL | 0x117u, MUL | 0x226u, MUL | 0x337u,
    SUB | 0x440u, SUB | 0x551u,
    // The sum, from (P, R): PP, PPP, Q, T, then X, Y, ZZ, ZZZ.
    MUL | 0x644u, MUL | 0x746u, MUL | 0x806u, MUL | 0x917u,
    MUL | 0x055u, SUB | 0x007u, SUB | 0x008u, SUB | 0x008u,
    SUB | 0x880u, MUL | 0x158u, SUB | 0x119u, MUL | 0x226u, MUL | 0x337u,
    // Twice the sum, "dbl-2008-s-1", a = 0: U, V, W, S, M, then X, Y, ZZ, ZZZ. No point has order 2.
    ADD | 0x411u, MUL | 0x544u, MUL | 0x645u, MUL | 0x705u, MUL | 0x800u, ADD | 0x988u, ADD | 0x998u,
    MUL | 0x099u, SUB | 0x007u, SUB | 0x007u,
    SUB | 0x770u, MUL | 0x797u, MUL | 0x161u, SUB | 0x171u, MUL | 0x252u, MUL | 0x363u,
    // The product of denominators in 10.
    MUL | 0xaa3u,
    // The sum's affine coordinates, from the inverse in 10 of all denominators so far and the product in 5 of those before;
    // then 10 is the inverse of these.
    MUL | 0x5a5u, MUL | 0x625u, MUL | 0x666u, MUL | 0x006u, MUL | 0x115u, MUL | 0xaa3u,
);
const AFFINE = vec2<u32>(0u, 4u);
const GENERAL = vec2<u32>(4u, 12u);
const JOIN = vec2<u32>(12u, 25u);
const DOUBLE = vec2<u32>(25u, 41u);
const MULTIPLY_DENOMINATOR = vec2<u32>(41u, 42u);
const NORMALISE = vec2<u32>(42u, 48u);

fn run(program: vec2<u32>) {
    var steps = STEPS;
    for (var at = program.x; at < program.y; at++) {
        let code = steps[at];
        let a = registers[code >> 4u & 15u];
        let b = registers[code & 15u];
        var result: Fq;
        // DX12's older compiler fails at a switch in a loop.
        let what = code >> 12u;
        if (what == 0u) { result = fq_add(a, b); } else if (what == 1u) { result = fq_sub(a, b); } else { result = fq_mul(a, b); }
        registers[code >> 8u & 15u] = result;
    }
}

// Adds what the program has for an operand.
fn add(program: vec2<u32>) {
    var next = program;
    // Two programs at most, in one loop: for the drivers' sake.
    for (var k = 0u; k < 2u; k++) {
        run(next);
        if (k == 1u) { break; }
        next = JOIN;
        if (fq_is_zero(registers[4])) {
            if (!fq_is_zero(registers[5])) {
                // Opposite points.
                registers[2] = Fq();
                registers[3] = Fq();
                break;
            }
            next = DOUBLE;
        }
    }
}

fn is_infinity() -> bool {
    return fq_is_zero(registers[2]);
}

// Adds the affine point at an address, or the opposite one.
fn add_affine(at: u32, negative: bool) {
    let x = fq_load(at);
    var y = fq_load(at + FQ_BYTES);
    if (fq_is_zero(x) && fq_is_zero(y)) { return; }
    if (negative) { y = fq_sub(Fq(), y); }
    if (is_infinity()) {
        registers[0] = x;
        registers[1] = y;
        registers[2] = FQ_ONE;
        registers[3] = FQ_ONE;
        return;
    }
    registers[4] = x;
    registers[5] = y;
    add(AFFINE);
}

// Adds a sum that lies at an address.
fn add_point(at: u32) {
    if (fq_is_zero(fq_load(at + 2u * FQ_BYTES))) { return; }
    let first = select(4u, 0u, is_infinity());
    for (var k = 0u; k < 4u; k++) { registers[first + k] = fq_load(at + k * FQ_BYTES); }
    if (first == 4u) { add(GENERAL); }
}

fn store_point(at: u32) {
    for (var k = 0u; k < 4u; k++) { fq_store(at + k * FQ_BYTES, registers[k]); }
}
