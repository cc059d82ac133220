//! Decides what a refusal is called: one variant a check, a stable code, and who is to blame.

/// Who has to act on a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The bytes are not a card or a receipt.
    Malformed,
    /// The bytes are well formed, and this verifier does not implement what they ask for.
    Unsupported,
    /// The receipt does not prove its statement.
    False,
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $blame:ident;)*) => {
        /// Why a card or a receipt was not accepted. Codes are stable across versions.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Refusal { $($(#[$doc])* $name,)* }

        impl Refusal {
            /// Every refusal there is.
            pub const ALL: &'static [Refusal] = &[$(Refusal::$name,)*];

            /// The stable code, for machines and vectors.
            pub const fn code(self) -> &'static str {
                match self { $(Refusal::$name => $code,)* }
            }

            /// Who has to act.
            pub const fn blame(self) -> Blame {
                match self { $(Refusal::$name => Blame::$blame,)* }
            }
        }
    };
}

refusals! {
    /// The bytes end before the value does.
    Truncated = "truncated", Malformed;
    /// Bytes are left over after the last value.
    TrailingBytes = "trailing-bytes", Malformed;
    /// The first bytes are not those of a card or a receipt.
    WrongMagic = "wrong-magic", Malformed;
    /// A version this verifier does not implement.
    UnknownVersion = "unknown-version", Unsupported;
    /// An architecture this verifier does not implement.
    UnknownArchitecture = "unknown-architecture", Unsupported;
    /// A size over the verifier's limits.
    OverLimit = "over-limit", Unsupported;
    /// More work or memory than the caller, or the specification, lets a verification take.
    OverWork = "over-work", Unsupported;
    /// A field of the card that no honest card has.
    BadCard = "bad-card", Malformed;
    /// A relation of the card's program could wrap around the field.
    CouldWrap = "could-wrap", Malformed;
    /// A token outside the vocabulary.
    TokenOutOfRange = "token-out-of-range", Malformed;
    /// The prompt is empty, or nothing follows it.
    BadPromptLength = "bad-prompt-length", Malformed;
    /// The receipt was made for another card.
    OtherCard = "other-card", False;
    /// A scalar not below the group order.
    BadScalar = "bad-scalar", Malformed;
    /// Bytes that are no canonical point of the curve.
    BadPoint = "bad-point", Malformed;
    /// A point outside the prime-order subgroup.
    WrongSubgroup = "wrong-subgroup", Malformed;
    /// A challenge came out as a value for which the argument is not defined.
    DegenerateChallenge = "degenerate-challenge", False;
    /// The linear constraints and gates do not hold for what the ledger commits to.
    LedgerValue = "ledger-value", False;
    /// The ledger's points do not open.
    LedgerOpening = "ledger-opening", False;
    /// The opened value of the polynomial commitment is not the ledger's.
    OpeningLink = "opening-link", False;
    /// The vector-matrix-vector relation of the polynomial commitment does not hold.
    OpeningVmv = "opening-vmv", False;
    /// The folded scalar-product statement of the polynomial commitment does not hold.
    OpeningFinal = "opening-final", False;
}

impl Refusal {
    /// Whether there is nothing to judge: these are no card and receipt that this verifier reads. Commands exit with 2 then,
    /// and with 1 for every other refusal.
    pub const fn is_unusable(self) -> bool {
        matches!(self.blame(), Blame::Unsupported) || matches!(self, Self::WrongMagic | Self::BadCard | Self::CouldWrap)
    }
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.code())
    }
}

impl core::error::Error for Refusal {}
