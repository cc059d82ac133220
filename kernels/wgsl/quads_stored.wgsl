// Decides how quads are read from four tables of `size`, one after the other.
// Uses: quads
fn quad(node: u32) -> Quad {
    var result: Quad;
    for (var k = 0u; k < 4u; k++) { result[k] = fr_load(arguments.tables + 32u * (k * arguments.size + node)); }
    return result;
}
