"""Reading bytes from the first to the last (encoding.md)."""

from refuse import require


class Reader:
    """Spec: encoding.integers"""

    def __init__(self, data, position=0):
        self.data, self.position = data, position

    def take(self, n):
        require(self.position + n <= len(self.data), "truncated")
        piece = self.data[self.position:self.position + n]
        self.position += n
        return piece

    def integer(self, n):
        return int.from_bytes(self.take(n), "little")

    def end(self):
        require(self.position == len(self.data), "trailing-bytes")
