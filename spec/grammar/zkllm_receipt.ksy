# Decides the grammar of a receipt (receipt.layout) in the notation of Kaitai Struct.
# Which elements a proof has before its end depends on the program of the card and the statement (plan, proof.order): here they are one run of
# bytes. The elements themselves (encoding) and the rules of the statement that need the card (statement.checks) are not in the grammar either.
meta:
  id: zkllm_receipt
  title: zkLLM receipt, version 1
  file-extension: receipt
  endian: le
seq:
  - id: magic
    contents: ZKLLMRCP
  - id: version
    type: u2
    valid: 1
  - id: fingerprint
    size: 32
  - id: statement
    type: statement
  - id: proof
    type: proof
    size-eos: true
types:
  statement:
    seq:
      - id: num_tokens
        type: u4
        valid:
          max: 1 << 16
      - id: prompt_length
        type: u4
      - id: tokens
        type: u4
        repeat: expr
        repeat-expr: num_tokens
  proof:
    doc: elements of 32, 48, 96 and 192 bytes (transcript.messages), the last twelve of which every proof has
    seq:
      - id: messages
        size: _io.size - 416
        valid:
          expr: _.length % 16 == 0
      - id: schnorr
        type: schnorr
  schnorr:
    doc: the end of the closing argument, ledger.schnorr
    seq:
      - id: slots
        type: g1
      - id: value
        type: g1
      - id: responses
        size: 32
        repeat: expr
        repeat-expr: 10
        doc: encoding.scalar
  g1:
    doc: encoding.g1
    seq:
      - id: compressed
        type: b1
        valid: true
      - id: identity
        type: b1
      - id: larger_y
        type: b1
      - id: x_high
        type: b5
      - id: x_low
        size: 47
