//! Decides the bytes of GGUF files for tests, independently of the code that reads them: right ones, and ones that
//! break any rule of the format.

use super::*;

/// Types of metadata values by their numbers.
pub const KINDS: [&str; 13] =
    ["u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"];

/// A tensor as the file has it.
#[derive(Clone)]
pub struct RawTensor {
    pub name: Vec<u8>,
    /// Innermost axis first.
    pub dims: Vec<u64>,
    pub kind: u32,
    /// Where the data are said to lie; behind those before if not given.
    pub offset: Option<u64>,
    pub data: Vec<u8>,
}

/// A file as its parts.
#[derive(Clone)]
pub struct Raw {
    pub version: u32,
    /// Key, type and bytes of each value.
    pub entries: Vec<(Vec<u8>, u32, Vec<u8>)>,
    pub tensors: Vec<RawTensor>,
    /// What the data are laid out with; the file says so only if there is an entry.
    pub alignment: usize,
    /// Numbers of tensors and entries in the header, if they are not those.
    pub counts: Option<[u64; 2]>,
    /// What follows the last tensor.
    pub rest: Vec<u8>,
}

pub fn text(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text].concat()
}

pub fn array(kind: u32, values: &[Vec<u8>]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &(values.len() as u64).to_le_bytes(), &values.concat()].concat()
}

fn value(value: &Value) -> (u32, Vec<u8>) {
    match value {
        Value::U8(v) => (0, v.to_le_bytes().into()),
        Value::I8(v) => (1, v.to_le_bytes().into()),
        Value::U16(v) => (2, v.to_le_bytes().into()),
        Value::I16(v) => (3, v.to_le_bytes().into()),
        Value::U32(v) => (4, v.to_le_bytes().into()),
        Value::I32(v) => (5, v.to_le_bytes().into()),
        Value::F32(v) => (6, v.to_le_bytes().into()),
        Value::Bool(v) => (7, vec![u8::from(*v)]),
        Value::String(v) => (8, text(v.as_bytes())),
        Value::U64(v) => (10, v.to_le_bytes().into()),
        Value::I64(v) => (11, v.to_le_bytes().into()),
        Value::F64(v) => (12, v.to_le_bytes().into()),
        Value::Array(values) => {
            let parts: Vec<(u32, Vec<u8>)> = values.iter().map(self::value).collect();
            let kind = parts.first().map_or(8, |(kind, _)| *kind);
            (9, array(kind, &parts.into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>()))
        }
    }
}

impl Raw {
    /// The parts of a file in the making.
    pub fn of(draft: &Draft) -> Raw {
        use GgmlDType::{BF16, F16, F32, Q4_0, Q4_1, Q4K, Q5_0, Q6K, Q8_0};
        let number = |kind| match kind {
            F32 => 0,
            F16 => 1,
            Q4_0 => 2,
            Q4_1 => 3,
            Q5_0 => 6,
            Q8_0 => 8,
            Q4K => 12,
            Q6K => 14,
            BF16 => 30,
            other => panic!("{other:?}"),
        };
        let tensor = |(name, tensor): &(String, QTensor)| RawTensor {
            name: name.clone().into(),
            dims: tensor.shape().dims().iter().rev().map(|size| *size as u64).collect(),
            kind: number(tensor.dtype()),
            offset: None,
            data: tensor.data().unwrap().into_owned(),
        };
        let entry = |(key, stored): &(String, Value)| {
            let (kind, bytes) = value(stored);
            (key.clone().into(), kind, bytes)
        };
        Raw {
            version: 3,
            entries: draft.metadata.iter().map(entry).collect(),
            tensors: draft.tensors.iter().map(tensor).collect(),
            alignment: 32,
            counts: None,
            rest: Vec::new(),
        }
    }

    pub fn small() -> Raw {
        Raw::of(&Draft::small())
    }

    /// With one more entry.
    pub fn and(mut self, key: &str, kind: u32, bytes: &[u8]) -> Raw {
        self.entries.push((key.into(), kind, bytes.into()));
        self
    }

    /// With an entry as `set`, without those of the same key.
    pub fn set(mut self, key: &str, stored: &Value) -> Raw {
        self.entries.retain(|(other, _, _)| other != key.as_bytes());
        let (kind, bytes) = value(stored);
        self.and(key, kind, &bytes)
    }

    /// With one tensor changed.
    pub fn tensor(mut self, name: &str, change: impl FnOnce(&mut RawTensor)) -> Raw {
        change(self.tensors.iter_mut().find(|tensor| tensor.name == name.as_bytes()).unwrap());
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.version.to_le_bytes());
        let counts = self.counts.unwrap_or([self.tensors.len() as u64, self.entries.len() as u64]);
        counts.iter().for_each(|count| out.extend(count.to_le_bytes()));
        for (key, kind, bytes) in &self.entries {
            out.extend(text(key));
            out.extend(kind.to_le_bytes());
            out.extend(bytes);
        }
        let mut data = Vec::new();
        for tensor in &self.tensors {
            out.extend(text(&tensor.name));
            out.extend((tensor.dims.len() as u32).to_le_bytes());
            tensor.dims.iter().for_each(|size| out.extend(size.to_le_bytes()));
            out.extend(tensor.kind.to_le_bytes());
            out.extend(tensor.offset.unwrap_or(data.len() as u64).to_le_bytes());
            data.extend(&tensor.data);
            data.resize(data.len().next_multiple_of(self.alignment), 0);
        }
        if !self.tensors.is_empty() {
            out.resize(out.len().next_multiple_of(self.alignment), 0);
        }
        [out, data, self.rest.clone()].concat()
    }

    pub fn load(&self) -> Result<Model, ModelError> {
        load_bytes(&self.bytes())
    }
}
