//! Decides how the bytes of a GGUF file become metadata and places of tensors, as ggml's `docs/gguf.md` has it.
//!
//! There is one reading of a file, this one: what the document calls invalid, or what could be read in two ways (a key
//! or a tensor that occurs twice, text that is not UTF-8), is an error. `tests/format.rs` goes through the document by
//! its sentences. Values stay in the header's bytes and are read where they are asked for.

use std::collections::HashMap;

use super::super::error::ModelError;

/// Largest header that is parsed, in bytes. A vocabulary of 256,000 tokens with merges takes about 15 MB.
pub const HEADER_LIMIT: u64 = 48 << 20;

/// Most tensors, and most metadata entries, of a file; large models have a few thousand and some fifty.
const MOST: usize = 1 << 16;

/// Arrays of arrays are walked to this depth.
const DEPTH: usize = 8;

/// Where tensors begin if the file does not say, in bytes.
const DEFAULT_ALIGNMENT: u64 = 32;

const BOOL: u32 = 7;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

/// A metadata value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Integer(i128),
    Real(f64),
    Flag(bool),
    Text(&'a str),
    Array(Array<'a>),
}

/// Values of one type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Array<'a> {
    kind: u32,
    /// How many there are.
    pub count: usize,
    bytes: &'a [u8],
}

impl<'a> Array<'a> {
    /// The values in order.
    pub fn values(self) -> impl Iterator<Item = Value<'a>> {
        let mut reader = Reader { bytes: self.bytes, at: 0 };
        // Read once before, in `Header::parse`.
        (0..self.count).map_while(move |_| reader.value(self.kind, 0).ok())
    }
}

/// A tensor as the header announces it.
#[derive(Debug)]
pub struct Place {
    /// The number of its storage type.
    pub kind: u32,
    /// Sizes, the outermost axis first.
    pub dims: Vec<usize>,
    /// Its first byte, counted from `Header::data_start`.
    pub offset: u64,
}

/// The header of a file.
pub struct Header {
    bytes: Vec<u8>,
    /// Type and first byte of each value.
    entries: HashMap<String, (u32, usize)>,
    /// The tensors by name.
    pub tensors: HashMap<String, Place>,
    /// What `Place::offset` is a multiple of, in bytes.
    pub alignment: u64,
    /// The first byte of tensors.
    pub data_start: u64,
}

/// What a file is that is not a GGUF file for this program, and what to do with it.
pub fn foreign(head: &[u8]) -> Option<(String, &'static str)> {
    let convert = "convert the model with llama.cpp's convert_hf_to_gguf.py";
    let is = |what: &str, next| Some((what.to_string(), next));
    let version = head.get(4..8).map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    match head {
        [b'G', b'G', b'U', b'F', ..] => match version {
            // Version 3 only adds that a file may be big-endian.
            None | Some(2 | 3) => None,
            Some(1) => is("a GGUF file of version 1, whose lengths have 4 bytes", convert),
            // As llama.cpp tells the byte order: the document has no mark for it.
            Some(version) if version != 0 && version & 0xffff == 0 => {
                is("a big-endian GGUF file", "turn it around with gguf-py's gguf_convert_endian.py")
            }
            Some(version) => {
                Some((format!("a GGUF file of version {version}"), "give one of version 3, or a newer zkllm"))
            }
        },
        [] => is("empty", "fetch the file again"),
        [b'F', b'U', b'G', b'G', ..] => is("a GGUF file in another byte order", convert),
        [b'l', b'm', b'g', b'g', ..] | [b'g', b'g', b'm', b'l', ..] => is("a GGML file from before GGUF", convert),
        [b'f', b'm', b'g', b'g', ..] | [b'g', b'g', b'm', b'f', ..] => is("a GGMF file from before GGUF", convert),
        [b't', b'j', b'g', b'g', ..] | [b'g', b'g', b'j', b't', ..] => is("a GGJT file from before GGUF", convert),
        [b'a', b'l', b'g', b'g', ..] | [b'g', b'g', b'l', b'a', ..] => is("a GGLA adapter from before GGUF", convert),
        [b'P', b'K', 3, 4, ..] => is("a zip archive, as PyTorch writes them", convert),
        [0x80, 2..=5, ..] => is("a Python pickle, as old PyTorch wrote them", convert),
        [0x89, b'H', b'D', b'F', ..] => is("an HDF5 file", convert),
        [_, _, _, _, _, 0, 0, 0, b'{', ..] => is("a safetensors file", convert),
        [b'{', ..] => is("a JSON file", "give the model file beside it, converted to GGUF"),
        [0x1f, 0x8b, ..] | [0xfd, b'7', b'z', ..] | [b'7', b'z', 0xbc, 0xaf, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            is("compressed", "unpack it first")
        }
        _ if head.starts_with(b"version https://git-lfs") => {
            is("a pointer of Git LFS, not the file itself", "fetch the file with git lfs pull")
        }
        _ if head.trim_ascii_start().starts_with(b"<") => {
            is("a web page", "fetch the model file itself, not the page about it")
        }
        _ => is("not a GGUF file", convert),
    }
}

/// One pass over the header.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], String> {
        let rest = &self.bytes[self.at..];
        let taken = usize::try_from(count).ok().and_then(|count| rest.get(..count));
        let taken = taken.ok_or_else(|| format!("{count} bytes announced at byte {}, {} left", self.at, rest.len()))?;
        self.at += taken.len();
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let taken = self.take(N as u64)?;
        taken.try_into().map_err(|_| "a number is cut".to_string())
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Result<&'a str, String> {
        let (length, at) = (self.u64()?, self.at);
        std::str::from_utf8(self.take(length)?).map_err(|_| format!("the text at byte {at} is not UTF-8"))
    }

    /// A number of things of at least `least` bytes each, which must be able to follow.
    fn count(&mut self, least: u64) -> Result<usize, String> {
        let (count, left) = (self.u64()?, (self.bytes.len() - self.at) as u64);
        match usize::try_from(count) {
            Ok(fits) if count.checked_mul(least).is_some_and(|bytes| bytes <= left) => Ok(fits),
            _ => Err(format!("{count} things announced at byte {}, {left} bytes left", self.at)),
        }
    }

    fn value(&mut self, kind: u32, depth: usize) -> Result<Value<'a>, String> {
        Ok(match kind {
            0 => Value::Integer(u8::from_le_bytes(self.array()?).into()),
            1 => Value::Integer(i8::from_le_bytes(self.array()?).into()),
            2 => Value::Integer(u16::from_le_bytes(self.array()?).into()),
            3 => Value::Integer(i16::from_le_bytes(self.array()?).into()),
            4 => Value::Integer(u32::from_le_bytes(self.array()?).into()),
            5 => Value::Integer(i32::from_le_bytes(self.array()?).into()),
            6 => Value::Real(f32::from_le_bytes(self.array()?).into()),
            BOOL => match self.array()? {
                [0] => Value::Flag(false),
                [1] => Value::Flag(true),
                [other] => return Err(format!("a boolean of {other} at byte {}", self.at)),
            },
            STRING => Value::Text(self.text()?),
            ARRAY if depth < DEPTH => {
                let kind = self.u32()?;
                let count = self.count(match kind {
                    0 | 1 | BOOL => 1,
                    2 | 3 => 2,
                    4..=6 => 4,
                    STRING | 10..=12 => 8,
                    _ => 12,
                })?;
                let start = self.at;
                for _ in 0..count {
                    self.value(kind, depth + 1)?;
                }
                Value::Array(Array { kind, count, bytes: &self.bytes[start..self.at] })
            }
            ARRAY => return Err(format!("arrays in arrays in arrays at byte {}", self.at)),
            10 => Value::Integer(u64::from_le_bytes(self.array()?).into()),
            11 => Value::Integer(i64::from_le_bytes(self.array()?).into()),
            12 => Value::Real(f64::from_le_bytes(self.array()?)),
            _ => return Err(format!("the unknown value type {kind} at byte {}", self.at)),
        })
    }

    fn entry(&mut self) -> Result<(&'a str, u32, usize), String> {
        let key = self.text()?;
        if key.is_empty() || key.len() > 65_535 || !key.is_ascii() {
            return Err(format!("a key that is empty, long or not ASCII before byte {}", self.at));
        }
        let (kind, start) = (self.u32()?, self.at);
        self.value(kind, 0).map_err(|reason| format!("{reason}, in `{key:.64}`"))?;
        Ok((key, kind, start))
    }

    fn tensor(&mut self) -> Result<(&'a str, Place), String> {
        let name = self.text()?;
        if name.len() > 64 {
            return Err(format!("the name of a tensor of {} bytes before byte {}, 64 allowed", name.len(), self.at));
        }
        let axes = self.u32()?;
        if axes > 4 {
            return Err(format!("tensor `{name}` with {axes} axes, 4 allowed"));
        }
        let mut dims = Vec::new();
        let mut weights = 1u64;
        for _ in 0..axes {
            let size = self.u64()?;
            let product = weights.checked_mul(size).filter(|product| *product < 1 << 60);
            weights = product.ok_or_else(|| format!("tensor `{name}` of more weights than any file holds"))?;
            dims.insert(0, usize::try_from(size).map_err(|_| format!("tensor `{name}` with an axis of {size}"))?);
        }
        Ok((name, Place { kind: self.u32()?, dims, offset: self.u64()? }))
    }
}

fn damaged(reason: String) -> ModelError {
    ModelError::Header { reason }
}

impl Header {
    /// Parses the first bytes of a file, of which `foreign` says nothing.
    ///
    /// # Errors
    /// `Header`, `Ambiguous`, `Metadata` (of the alignment).
    pub fn parse(mut bytes: Vec<u8>) -> Result<Header, ModelError> {
        let mut reader = Reader { bytes: &bytes, at: 8 };
        if bytes.len() < reader.at {
            return Err(damaged("it is cut after the magic".into()));
        }
        // A tensor takes at least the length of its name, its number of axes, its type and its offset; an entry the
        // length of its key, its type and a byte.
        let (tensor_count, entry_count) = (reader.count(24).map_err(damaged)?, reader.count(13).map_err(damaged)?);
        if tensor_count.max(entry_count) > MOST {
            return Err(damaged(format!("{tensor_count} tensors and {entry_count} metadata entries, {MOST} allowed")));
        }
        let (mut entries, mut tensors) = (HashMap::new(), HashMap::new());
        for _ in 0..entry_count {
            let (key, kind, start) = reader.entry().map_err(damaged)?;
            if entries.insert(key.to_string(), (kind, start)).is_some() {
                return Err(ModelError::Ambiguous { what: format!("the metadata key `{key:.64}` occurs twice") });
            }
        }
        for _ in 0..tensor_count {
            let (name, place) = reader.tensor().map_err(damaged)?;
            if tensors.insert(name.to_string(), place).is_some() {
                return Err(ModelError::Ambiguous { what: format!("tensor `{name}` occurs twice") });
            }
        }
        let end = reader.at;
        bytes.truncate(end);
        bytes.shrink_to_fit();
        let mut header = Header { bytes, entries, tensors, alignment: DEFAULT_ALIGNMENT, data_start: 0 };
        header.alignment = header.stated_alignment()?;
        header.data_start = (end as u64).next_multiple_of(header.alignment);
        Ok(header)
    }

    /// The document asks for a multiple of 8 of type `uint32`, llama.cpp for a power of 2: both, in any type of
    /// integer.
    fn stated_alignment(&self) -> Result<u64, ModelError> {
        let key = "general.alignment";
        let stated = match self.value(key) {
            None => return Ok(DEFAULT_ALIGNMENT),
            Some(Value::Integer(stated)) => u32::try_from(stated).ok(),
            Some(_) => None,
        };
        let power = stated.filter(|stated| *stated >= 8 && stated.is_power_of_two());
        power
            .map(u64::from)
            .ok_or_else(|| ModelError::Metadata { key: key.into(), reason: "not a power of 2 of at least 8".into() })
    }

    /// A metadata entry.
    pub fn value(&self, key: &str) -> Option<Value<'_>> {
        let (kind, at) = *self.entries.get(key)?;
        Reader { bytes: &self.bytes, at }.value(kind, 0).ok()
    }
}
