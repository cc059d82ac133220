# Decides the grammar of a card (card.layout) in the notation of Kaitai Struct.
# Not in the grammar: that a name has no characters which hide or reorder text (card.name), and what commitments are (encoding.gt).
meta:
  id: zkllm_card
  title: zkLLM card, version 1
  file-extension: card
  endian: le
seq:
  - id: magic
    contents: ZKLLMCRD
  - id: version
    type: u2
    valid: 1
  - id: architecture
    type: u1
    valid: 1
    doc: 1 is LLaMA
  - id: len_name
    type: u1
    valid:
      max: 128
  - id: name
    type: str
    size: len_name
    encoding: UTF-8
  - id: layers
    type: u4
    valid:
      min: 1
      max: 1 << 10
  - id: width
    type: u4
    valid:
      min: 1
      max: 1 << 17
  - id: kv_heads
    type: u4
    valid:
      min: 1
      max: 1 << 17
  - id: group
    type: u4
    valid:
      min: 1
      max: 1 << 17
  - id: pairs
    type: u4
    valid:
      min: 1
      max: 1 << 17
  - id: hidden
    type: u4
    valid:
      min: 1
      max: 1 << 17
  - id: vocabulary
    type: u4
    valid:
      min: 1
      max: 1 << 20
  - id: context
    type: u4
    valid:
      min: 1
      max: 1 << 16
  - id: tied
    type: u1
    valid:
      max: 1
  - id: biases
    type: u1
    valid:
      max: 1
  - id: rotary_base
    type: u8
  - id: epsilon
    type: u8
  - id: precision
    type: u1
    repeat: expr
    repeat-expr: 31
    valid:
      max: 100
    doc: in the order of card.precision
  - id: tokenizer
    size: 32
    doc: a digest (card.tokenizer)
  - id: chunk_log
    type: u1
    valid:
      min: 1
      max: 16
  - id: num_commitments
    type: u2
    valid:
      max: 1 << 10
  - id: commitments
    type: gt
    repeat: expr
    repeat-expr: num_commitments
  - id: trailing
    size-eos: true
    valid:
      expr: _.length == 0
types:
  gt:
    doc: encoding.gt, unread
    seq:
      - id: coefficients
        size: 48
        repeat: expr
        repeat-expr: 4
