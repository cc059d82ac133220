//! Decides the weights of random models, for tests and for measuring: each is a pure function of a seed and its number, so that
//! none is stored and a device makes its own. In IEEE arithmetic, an operation at a time, which is the same everywhere.

/// What the counter goes on by.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64 (Steele, Lea, Flood 2014): outputs of a 64-bit counter.
pub struct SplitMix(pub u64);

impl SplitMix {
    /// The next one.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Weights about normal, by what they are centred on and by how far they are from it.
#[derive(Clone, Copy, Debug)]
pub struct Weights {
    pub stream: u64,
    pub centre: f32,
    pub spread: f32,
}

impl Weights {
    /// Weight `index`: within 3.5 spreads, by the sum of four uniform 16-bit numbers.
    pub fn at(&self, index: u64) -> f32 {
        let bits = SplitMix(self.stream.wrapping_add(index.wrapping_mul(STEP))).draw();
        let sum: i32 = (0..4).map(|part| (bits >> (16 * part) & 0xffff) as i32).sum();
        self.centre + self.spread * ((sum - 131_070) as f32 / 37_837.2)
    }
}
