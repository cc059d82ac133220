"""Where leaves and columns are placed (plan.md)."""

from dataclasses import dataclass

from multilinear import bits_of
from program import bits
from refuse import require


@dataclass
class Block:
    bits: int
    lookup: object                      # a Lookup, or None
    table: int                          # the number of the table, for a block of a table
    offset: int = 0


class Plan:
    def __init__(self, program, chunk_log):
        self.s = chunk_log
        self._leaves(program)
        self._columns(program)
        self._limits(program)

    def _leaves(self, program):
        """Spec: plan.leaves"""
        blocks = [Block(bits(x.axes), x, None) for x in program.lookups]
        blocks += [Block(t.bits, None, k) for k, t in enumerate(program.tables)]
        self.blocks = sorted(blocks, key=lambda b: -b.bits)             # stable
        require(all(b.bits <= 48 for b in blocks), "over-limit")
        end = 0
        for block in self.blocks:
            block.offset = end
            end += 1 << block.bits
        self.leaf_bits = bits_of(end)
        require(self.leaf_bits <= 48, "over-limit")

    def _columns(self, program):
        """Spec: plan.columns"""
        size = 4 ** self.s
        self.places = {}                                                # column's number: (chunk, offset)

        def place(columns, first):
            end = 0
            for column in sorted(columns, key=lambda c: -bits(c.axes)):
                self.places[column.number] = first + end // size, end % size
                end += 1 << bits(column.axes)
            return -(-end // size)

        self.model_chunks = place([c for c in program.columns if c.origin == "model"], 0)
        self.witness_chunks = place([c for c in program.columns if c.origin != "model"], self.model_chunks)
        self.chunks = self.model_chunks + self.witness_chunks
        self.column_bits = max(bits(c.axes) for c in program.columns)

    def _limits(self, program):
        """Spec: plan.limits"""
        for c in program.columns:
            require(not c.causal or bits(c.axes[-2:]) <= 2 * self.s, "over-limit")
        require(self.chunks <= 1 << 10, "over-limit")
