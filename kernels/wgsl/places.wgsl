// Decides where the integers of squares are of which only those not above a diagonal are stored: `side` rows and columns each,
// one after the other. The first place is `first` in its square, and `before` of that are stored before. All are stored if
// `side` is 0.
const NOWHERE = 0xffffffffu;

fn stored_place(index: u32, side: u32, first: u32, before: u32) -> u32 {
    if (side == 0u) { return index; }
    let place = first + index;
    let line = place / side;
    let column = place % side;
    let square = line / side;
    let row = line % side;
    if (column > row) { return NOWHERE; }
    return square * (side * (side + 1u) / 2u) + row * (row + 1u) / 2u + column - before;
}
