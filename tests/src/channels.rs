//! Channels around channels: what they say can be changed, counted, or answered with known challenges.

use zkllm_kernels::Cpu;
use zkllm_prover::prove::Prover;
use zkllm_verifier::channel::{Ask, Channel};
use zkllm_verifier::groups::{G1, G2, Gt};
use zkllm_verifier::{Fr, Refusal};

/// A channel whose challenges are a public sequence that depends on nothing.
pub struct Frozen<C> {
    /// The channel below.
    pub channel: C,
    drawn: u64,
}

/// Challenge number `number` of the sequence.
pub fn frozen(number: u64) -> Fr {
    Fr::from(0x9e37_79b9_7f4a_7c15_u64) * Fr::from(number + 1) * Fr::from(number + 77) + Fr::from(3u64)
}

impl<C> Frozen<C> {
    /// A channel with its challenges replaced.
    pub fn new(channel: C) -> Self {
        Self { channel, drawn: 0 }
    }
}

impl<C: Channel> Channel for Frozen<C> {
    fn absorb(&mut self, label: &'static str, bytes: &[u8]) {
        self.channel.absorb(label, bytes);
    }
    fn challenge(&mut self, _: &'static str) -> Fr {
        self.drawn += 1;
        frozen(self.drawn - 1)
    }
    fn scalar(&mut self, ask: Ask<'_>) -> Result<Fr, Refusal> {
        self.channel.scalar(ask)
    }
    fn g1(&mut self, ask: Ask<'_>) -> Result<G1, Refusal> {
        self.channel.g1(ask)
    }
    fn g2(&mut self, ask: Ask<'_>) -> Result<G2, Refusal> {
        self.channel.g2(ask)
    }
    fn gt(&mut self, ask: Ask<'_>) -> Result<Gt, Refusal> {
        self.channel.gt(ask)
    }
    fn entries(&mut self, ask: Ask<'_>, slots: usize) -> Result<Vec<G1>, Refusal> {
        self.channel.entries(ask, slots)
    }
}

/// A channel that writes down how long every message is, and what it is for.
pub struct Recorder<C> {
    /// The channel below.
    pub channel: C,
    /// The messages: bytes, and the question they answer.
    pub messages: Vec<(usize, String)>,
}

impl<C> Recorder<C> {
    /// A channel with its messages written down.
    pub fn new(channel: C) -> Self {
        Self { channel, messages: Vec::new() }
    }

    fn note(&mut self, bytes: usize, ask: Ask<'_>) {
        let text = format!("{ask:?}");
        let name = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        self.messages.push((bytes, name.to_string()));
    }
}

impl<C: Channel> Channel for Recorder<C> {
    fn absorb(&mut self, label: &'static str, bytes: &[u8]) {
        self.channel.absorb(label, bytes);
    }
    fn challenge(&mut self, label: &'static str) -> Fr {
        self.channel.challenge(label)
    }
    fn scalar(&mut self, ask: Ask<'_>) -> Result<Fr, Refusal> {
        self.note(32, ask);
        self.channel.scalar(ask)
    }
    fn g1(&mut self, ask: Ask<'_>) -> Result<G1, Refusal> {
        self.note(48, ask);
        self.channel.g1(ask)
    }
    fn g2(&mut self, ask: Ask<'_>) -> Result<G2, Refusal> {
        self.note(96, ask);
        self.channel.g2(ask)
    }
    fn gt(&mut self, ask: Ask<'_>) -> Result<Gt, Refusal> {
        self.note(192, ask);
        self.channel.gt(ask)
    }
    fn entries(&mut self, ask: Ask<'_>, slots: usize) -> Result<Vec<G1>, Refusal> {
        for _ in 0..slots.div_ceil(zkllm_verifier::ledger::WIDTH) {
            self.note(48, ask);
        }
        self.channel.entries(ask, slots)
    }
}

/// Is told the prover, the last challenge and the question, and may change the answer before it is committed and sent.
pub trait Lie: FnMut(&mut Prover<'_, Cpu>, Fr, Ask<'_>, &mut [Fr]) {}

impl<F: FnMut(&mut Prover<'_, Cpu>, Fr, Ask<'_>, &mut [Fr])> Lie for F {}

/// The real prover, but for its slots and scalars.
pub struct Liar<'a, L> {
    /// The prover, who believes what it was made to say.
    pub prover: Prover<'a, Cpu>,
    lie: L,
    last: Fr,
}

impl<'a, L: Lie> Liar<'a, L> {
    /// A prover with a lie.
    pub fn new(prover: Prover<'a, Cpu>, lie: L) -> Self {
        Self { prover, lie, last: Fr::from(0u64) }
    }
}

impl<L: Lie> Channel for Liar<'_, L> {
    fn absorb(&mut self, label: &'static str, bytes: &[u8]) {
        self.prover.absorb(label, bytes);
    }
    fn challenge(&mut self, label: &'static str) -> Fr {
        self.last = self.prover.challenge(label);
        self.last
    }
    fn scalar(&mut self, ask: Ask<'_>) -> Result<Fr, Refusal> {
        let mut answer = [self.prover.number(ask)];
        (self.lie)(&mut self.prover, self.last, ask, &mut answer);
        Ok(self.prover.say(answer[0]))
    }
    fn g1(&mut self, ask: Ask<'_>) -> Result<G1, Refusal> {
        (self.lie)(&mut self.prover, self.last, ask, &mut []);
        self.prover.g1(ask)
    }
    fn g2(&mut self, ask: Ask<'_>) -> Result<G2, Refusal> {
        self.prover.g2(ask)
    }
    fn gt(&mut self, ask: Ask<'_>) -> Result<Gt, Refusal> {
        self.prover.gt(ask)
    }
    fn entries(&mut self, ask: Ask<'_>, _: usize) -> Result<Vec<G1>, Refusal> {
        let mut answer = self.prover.slots(ask);
        (self.lie)(&mut self.prover, self.last, ask, &mut answer);
        Ok(self.prover.commit(&answer))
    }
}
