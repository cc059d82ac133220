// Decides how quads are made from the level below, nothing bound.
// Uses: level quads
fn quad(node: u32) -> Quad {
    let pair = children(node);
    return Quad(pair[0].p, fr_add(pair[1].p, fr_mul(arguments.lambda, pair[1].q)), pair[0].q, pair[1].q);
}
