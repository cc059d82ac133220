//! Decides what PTX says: its text becomes steps over numbered registers.
//!
//! Source: NVIDIA, "Parallel Thread Execution ISA", version 9.0; of it, what the kernels are compiled to. What is not known here
//! is an error with its name.

use std::collections::HashMap;

/// Functions by their names.
pub struct Program {
    pub functions: Vec<Function>,
    pub names: HashMap<String, usize>,
}

/// A function or a kernel.
#[derive(Default)]
pub struct Function {
    /// Where its arguments are in its frame.
    pub parameters: Vec<Place>,
    /// Where it leaves its result in its frame.
    pub result: Option<Place>,
    pub steps: Vec<Step>,
    /// Number of registers, those of [`SPECIAL`] and constants included.
    pub registers: usize,
    /// Registers that hold a constant.
    pub constants: Vec<(Register, u64)>,
    /// Bytes of its frame: variables, arguments, result, arguments and results of calls.
    pub frame: usize,
}

/// A register's number in its function; constants are registers too.
pub type Register = u32;

/// Bytes of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub start: usize,
    pub bytes: usize,
}

/// Registers that a thread finds set, at the numbers of their places here.
pub const SPECIAL: [&str; 4] = ["%tid.x", "%ntid.x", "%ctaid.x", "%nctaid.x"];

/// One instruction.
pub struct Step {
    /// Runs only where this predicate is as said.
    pub guard: Option<(Register, bool)>,
    pub operation: Operation,
}

/// What an instruction does; a result comes first.
pub enum Operation {
    Pure(fn([u64; 4]) -> u64, Register, [Register; 4]),
    /// `a + b + carry`: what the carry flag has to do with it.
    Add(Flag, Register, [Register; 2]),
    Subtract(Flag, Register, [Register; 2]),
    /// The low or high half of `a b`, plus `c`.
    MultiplyAdd {
        flag: Flag,
        high: bool,
        to: Register,
        of: [Register; 3],
    },
    Compare {
        holds: fn(std::cmp::Ordering) -> bool,
        kind: Kind,
        to: Register,
        of: [Register; 2],
    },
    Convert {
        to: (Register, u32),
        of: Register,
        from: Kind,
    },
    /// Registers of so many bits each from one, lowest first.
    Split {
        to: Vec<(Register, u32)>,
        of: Register,
    },
    Load {
        space: Space,
        kind: Kind,
        to: Vec<(Register, u32)>,
        address: Register,
        offset: u64,
    },
    Store {
        space: Space,
        kind: Kind,
        of: Vec<Register>,
        address: Register,
        offset: u64,
    },
    /// Adds in memory, 32 bits, and gives what was there.
    AddAtomically {
        to: Option<Register>,
        address: Register,
        offset: u64,
        of: Register,
    },
    /// The address of a variable in the frame.
    Local(Register, usize),
    Branch(usize),
    Call {
        function: usize,
        arguments: Vec<Place>,
        result: Option<Place>,
    },
    Return,
}

/// Whether the carry flag is read, and whether it is written. All of them are of 32 bits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flag {
    pub read: bool,
    pub written: bool,
}

/// The type of a number.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub bits: u32,
    pub signed: bool,
}

impl Kind {
    /// The value of `bits`: its sign continued, or zeros.
    pub fn extend(self, bits: u64) -> u64 {
        let unused = 64 - self.bits;
        if self.signed { ((bits << unused) as i64 >> unused) as u64 } else { bits << unused >> unused }
    }

    fn named(name: &str) -> Result<Kind, String> {
        let bits = match name {
            "pred" => Ok(1),
            _ => name[1..].parse().map_err(|_| format!("a type {name}")),
        };
        Ok(Kind { bits: bits?, signed: name.starts_with('s') })
    }
}

/// Where an address points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// The device's memory.
    Global,
    /// Memory of the thread.
    Local,
    /// Either.
    Generic,
    /// The frame of the function itself, where its arguments and those of calls are.
    Frame,
}

impl Program {
    /// Reads a module's text.
    ///
    /// # Errors
    /// What is not understood.
    pub fn parse(text: &str) -> Result<Program, String> {
        let mut text: String = text.lines().flat_map(|line| [line.split("//").next().unwrap_or(""), "\n"]).collect();
        // Vectors of registers stand in braces too, which are no blocks: <> from here on.
        while let Some(open) = text.find("{%") {
            let close = open + text[open..].find('}').ok_or("a vector that is not closed")?;
            text.replace_range(close..=close, ">");
            text.replace_range(open..=open, "<");
        }
        // Heads of functions, each with what is between its braces; a declaration has none.
        let mut heads = Vec::new();
        let mut rest = &text[..];
        while let Some(at) = [".func", ".entry"].iter().filter_map(|word| rest.find(word)).min() {
            rest = &rest[at..];
            let end = rest.find(['{', ';']).ok_or("a function without an end")?;
            let (head, after) = rest.split_at(end);
            rest = after;
            if after.starts_with('{') {
                let mut depth = 0;
                let close = after.find(|c| {
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    depth == 0
                });
                let (body, after) = after.split_at(close.ok_or("a brace that is not closed")?);
                heads.push((head, &body[1..]));
                rest = after;
            }
        }
        let name = |head: &str| {
            let after = head.trim_start_matches(['.', 'f', 'u', 'n', 'c', 'e', 't', 'r', 'y']).trim_start();
            let after =
                if after.starts_with('(') { after.split_once(')').map_or("", |(_, after)| after) } else { after };
            after.split('(').next().unwrap_or("").trim().to_string()
        };
        let names = heads.iter().enumerate().map(|(number, (head, _))| (name(head), number)).collect();
        let functions = heads.iter().map(|(head, body)| {
            let function = Reader::new(&names).read(head, body);
            function.map_err(|what| format!("{} in {}", what, name(head)))
        });
        Ok(Program { functions: functions.collect::<Result<_, String>>()?, names })
    }
}

/// A function that is being read.
struct Reader<'a> {
    functions: &'a HashMap<String, usize>,
    function: Function,
    registers: HashMap<String, Register>,
    /// Bits of the registers of these names, numbers at their ends left out.
    declared: HashMap<String, u32>,
    /// Variables, arguments and results in the frame.
    places: HashMap<String, Place>,
    labels: HashMap<String, usize>,
    branches: Vec<(usize, String)>,
}

impl<'a> Reader<'a> {
    fn new(functions: &'a HashMap<String, usize>) -> Self {
        let registers: HashMap<_, _> =
            SPECIAL.iter().zip(0..).map(|(name, number)| (name.to_string(), number)).collect();
        Reader {
            functions,
            function: Function { registers: registers.len(), ..Function::default() },
            registers,
            declared: HashMap::new(),
            places: HashMap::new(),
            labels: HashMap::new(),
            branches: Vec::new(),
        }
    }

    fn read(mut self, head: &str, body: &str) -> Result<Function, String> {
        for declared in head.split(".param").skip(1) {
            let (name, place) = self.declare(declared.split([',', ')']).next().unwrap_or(""))?;
            if name.starts_with("func_retval") {
                self.function.result = Some(place);
            } else {
                self.function.parameters.push(place);
            }
        }
        for statement in body.split([';', '{', '}']) {
            let mut statement = statement.trim();
            while let Some((label, after)) = statement.split_once(':').filter(|(label, _)| label.starts_with('$')) {
                self.labels.insert(label.to_string(), self.function.steps.len());
                statement = after.trim();
            }
            if let Some(declared) = statement.strip_prefix(".local").or_else(|| statement.strip_prefix(".param")) {
                self.declare(declared)?;
            } else if let Some(declared) = statement.strip_prefix(".reg") {
                let (kind, name) = declared.trim().split_once(char::is_whitespace).ok_or("a register")?;
                let bits = Kind::named(kind.trim_start_matches('.'))?.bits;
                self.declared.insert(name.split('<').next().unwrap_or("").trim().to_string(), bits);
            } else if !statement.is_empty() && !statement.starts_with(".pragma") {
                self.statement(statement).map_err(|what| format!("{what}: {statement}"))?;
            }
        }
        for (step, label) in std::mem::take(&mut self.branches) {
            let target = self.labels.get(&label).ok_or_else(|| format!("a label {label}"))?;
            self.function.steps[step].operation = Operation::Branch(*target);
        }
        self.function.steps.push(Step { guard: None, operation: Operation::Return });
        Ok(self.function)
    }

    /// A variable: `[.align N] .type name` or `name[bytes]`.
    fn declare(&mut self, declared: &str) -> Result<(String, Place), String> {
        let mut words = declared.split_whitespace();
        let name = words.next_back().ok_or("a name")?;
        let kind = Kind::named(words.next_back().unwrap_or("").trim_start_matches('.'))?;
        let bytes = match name.split_once('[') {
            Some((_, count)) => count.trim_end_matches(']').parse::<usize>().map_err(|_| format!("a size {name}"))?,
            None => kind.bits as usize / 8,
        };
        let name = name.split('[').next().unwrap_or("").to_string();
        let place = Place { start: self.function.frame.next_multiple_of(16), bytes };
        self.function.frame = place.start + bytes;
        self.places.insert(name.clone(), place);
        Ok((name, place))
    }

    fn place(&self, name: &str) -> Result<Place, String> {
        self.places.get(name).copied().ok_or_else(|| format!("a variable {name}"))
    }

    /// Bits of a declared register.
    fn bits(&self, name: &str) -> Option<u32> {
        self.declared.get(name.trim_end_matches(|last: char| last.is_ascii_digit())).copied()
    }

    /// The register of that name or with that constant.
    fn register(&mut self, name: &str) -> Result<Register, String> {
        if let Some(register) = self.registers.get(name) {
            return Ok(*register);
        }
        let register = self.function.registers as Register;
        self.function.registers += 1;
        self.registers.insert(name.to_string(), register);
        if name.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            // Floating-point numbers are written as their bits.
            let number = match ["0x", "0f", "0d"].iter().find_map(|mark| name.strip_prefix(mark)) {
                Some(digits) => i128::from_str_radix(digits, 16),
                None => name.parse::<i128>(),
            };
            self.function.constants.push((register, number.map_err(|_| format!("a number {name}"))? as u64));
        } else if self.bits(name).is_none() {
            return Err(format!("a register {name}"));
        }
        Ok(register)
    }

    /// `a` or `{a, b}`: registers and their bits, 0 for a constant.
    fn vector(&mut self, operand: &str) -> Result<Vec<(Register, u32)>, String> {
        let names = operand.trim_start_matches('<').trim_end_matches('>');
        names.split(',').map(str::trim).map(|name| Ok((self.register(name)?, self.bits(name).unwrap_or(0)))).collect()
    }

    /// `[register+offset]`, or `[variable+offset]` in the frame.
    fn address(&mut self, operand: &str) -> Result<(Register, u64), String> {
        let inside = operand.trim_start_matches('[').trim_end_matches(']');
        let (base, offset) = inside.split_once('+').unwrap_or((inside, "0"));
        let offset = offset.parse::<i64>().map_err(|_| format!("an offset {offset}"))? as u64;
        match self.places.get(base).copied() {
            Some(place) => Ok((self.register("0")?, offset + place.start as u64)),
            None => Ok((self.register(base)?, offset)),
        }
    }

    fn statement(&mut self, statement: &str) -> Result<(), String> {
        let (guard, instruction) = match statement.strip_prefix('@') {
            Some(guarded) => {
                let (predicate, rest) = guarded.split_once(char::is_whitespace).ok_or("an instruction")?;
                let name = predicate.trim_start_matches('!');
                (Some((self.register(name)?, !predicate.starts_with('!'))), rest.trim())
            }
            None => (None, statement),
        };
        let (name, rest) = instruction.split_once(char::is_whitespace).unwrap_or((instruction, ""));
        let operands = operands(rest);
        let operation = self.operation(name, &operands)?;
        self.function.steps.push(Step { guard, operation });
        Ok(())
    }

    fn operation(&mut self, name: &str, operands: &[&str]) -> Result<Operation, String> {
        let parts: Vec<&str> = name.split('.').collect();
        let last = parts[parts.len() - 1];
        let operand = |index: usize| operands.get(index).copied().ok_or("too few operands");
        let flag = Flag { read: parts[0].ends_with('c'), written: parts.contains(&"cc") };
        Ok(match parts[0] {
            "add" | "addc" | "sub" | "subc" | "mad" | "madc" if flag.read || flag.written => {
                if last != "u32" {
                    return Err(format!("an instruction {name}"));
                }
                let to = self.register(operand(0)?)?;
                let [a, b] = [self.register(operand(1)?)?, self.register(operand(2)?)?];
                match &parts[0][..3] {
                    "add" => Operation::Add(flag, to, [a, b]),
                    "sub" => Operation::Subtract(flag, to, [a, b]),
                    _ => {
                        let of = [a, b, self.register(operand(3)?)?];
                        Operation::MultiplyAdd { flag, high: parts[1] == "hi", to, of }
                    }
                }
            }
            "setp" => {
                let holds: fn(std::cmp::Ordering) -> bool = match parts[1] {
                    "eq" => |order| order.is_eq(),
                    "ne" => |order| order.is_ne(),
                    "lt" | "lo" => |order| order.is_lt(),
                    "le" | "ls" => |order| order.is_le(),
                    "gt" | "hi" => |order| order.is_gt(),
                    "ge" | "hs" => |order| order.is_ge(),
                    _ => return Err(format!("an instruction {name}")),
                };
                let (to, of) =
                    (self.register(operand(0)?)?, [self.register(operand(1)?)?, self.register(operand(2)?)?]);
                Operation::Compare { holds, kind: Kind::named(last)?, to, of }
            }
            "cvt" if !name.contains(".f") => {
                let (to, of) = (self.vector(operand(0)?)?[0], self.register(operand(1)?)?);
                let (into, from) = (Kind::named(parts[1])?, Kind::named(last)?);
                Operation::Convert { to, of, from: if into.bits < from.bits { into } else { from } }
            }
            "ld" | "st" => {
                let space = match parts[1] {
                    "global" => Space::Global,
                    "local" => Space::Local,
                    "param" => Space::Frame,
                    part if part == last || part.starts_with('v') => Space::Generic,
                    _ => return Err(format!("an instruction {name}")),
                };
                let kind = Kind::named(last)?;
                if parts[0] == "ld" {
                    let (to, (address, offset)) = (self.vector(operand(0)?)?, self.address(operand(1)?)?);
                    Operation::Load { space, kind, to, address, offset }
                } else {
                    let ((address, offset), of) = (self.address(operand(0)?)?, self.vector(operand(1)?)?);
                    Operation::Store { space, kind, of: of.into_iter().map(|(of, _)| of).collect(), address, offset }
                }
            }
            "atom" | "red" if name.ends_with(".global.add.u32") => {
                let to = if parts[0] == "atom" { Some(self.register(operand(0)?)?) } else { None };
                let at = usize::from(to.is_some());
                let ((address, offset), of) = (self.address(operand(at)?)?, self.register(operand(at + 1)?)?);
                Operation::AddAtomically { to, address, offset, of }
            }
            "bra" => {
                self.branches.push((self.function.steps.len(), operand(0)?.to_string()));
                Operation::Branch(0)
            }
            "call" => {
                let list = |operand: &str| -> Vec<String> {
                    let names = operand.trim_matches(['(', ')']).split(',').map(|name| name.trim().to_string());
                    names.filter(|name| !name.is_empty()).collect()
                };
                let callee =
                    operands.iter().position(|operand| !operand.starts_with('(')).ok_or("a function's name")?;
                let places = |operand: Option<&&str>| -> Result<Vec<Place>, String> {
                    operand.map_or(Ok(Vec::new()), |names| list(names).iter().map(|name| self.place(name)).collect())
                };
                let result = places(operands[..callee].first())?.first().copied();
                let arguments = places(operands.get(callee + 1))?;
                let function = operands[callee];
                let function = self.functions.get(function).ok_or_else(|| format!("a function {function}"))?;
                Operation::Call { function: *function, arguments, result }
            }
            "ret" | "exit" => Operation::Return,
            "mov" if operand(0)?.starts_with('<') => {
                Operation::Split { to: self.vector(operand(0)?)?, of: self.register(operand(1)?)? }
            }
            "mov" if operand(1)?.starts_with('<') => {
                let (to, of) = (self.register(operand(0)?)?, self.vector(operand(1)?)?);
                match of[..] {
                    [(low, 32), (high, _)] => {
                        Operation::Pure(|[low, high, ..]| low | high << 32, to, [low, high, low, low])
                    }
                    [(low, 16), (high, _)] => {
                        Operation::Pure(|[low, high, ..]| low | high << 16, to, [low, high, low, low])
                    }
                    _ => return Err(format!("an instruction {name}")),
                }
            }
            "mov" if self.places.contains_key(operand(1)?) => {
                Operation::Local(self.register(operand(0)?)?, self.place(operand(1)?)?.start)
            }
            _ => {
                let of = operands[1..].iter().map(|operand| self.register(operand)).collect::<Result<Vec<_>, _>>()?;
                let of = std::array::from_fn(|index| of.get(index).or(of.last()).copied().unwrap_or(0));
                Operation::Pure(
                    pure(name).ok_or_else(|| format!("an instruction {name}"))?,
                    self.register(operand(0)?)?,
                    of,
                )
            }
        })
    }
}

/// Instructions without a flag, a memory or a jump.
fn pure(name: &str) -> Option<fn([u64; 4]) -> u64> {
    let f: fn([u64; 4]) -> u64 = match name {
        "mov.u16" | "mov.b16" | "mov.u32" | "mov.b32" => |[a, ..]| a as u32 as u64,
        "mov.pred" => |[a, ..]| a & 1,
        "mov.u64" | "mov.b64" | "cvta.local.u64" | "cvta.to.local.u64" | "cvta.to.global.u64" => |[a, ..]| a,
        "add.s32" | "add.u32" => |[a, b, ..]| (a as u32).wrapping_add(b as u32) as u64,
        "add.s64" | "add.u64" => |[a, b, ..]| a.wrapping_add(b),
        "sub.s32" | "sub.u32" => |[a, b, ..]| (a as u32).wrapping_sub(b as u32) as u64,
        "sub.s64" | "sub.u64" => |[a, b, ..]| a.wrapping_sub(b),
        "neg.s32" => |[a, ..]| (a as u32).wrapping_neg() as u64,
        "neg.s64" => |[a, ..]| a.wrapping_neg(),
        "abs.s64" => |[a, ..]| (a as i64).wrapping_abs() as u64,
        "mul.lo.s32" | "mul.lo.u32" => |[a, b, ..]| (a as u32).wrapping_mul(b as u32) as u64,
        "mul.lo.s64" | "mul.lo.u64" => |[a, b, ..]| a.wrapping_mul(b),
        "mul.hi.u32" => |[a, b, ..]| (a as u32 as u64 * (b as u32 as u64)) >> 32,
        "mul.hi.u64" => |[a, b, ..]| ((u128::from(a) * u128::from(b)) >> 64) as u64,
        "mul.wide.u32" => |[a, b, ..]| a as u32 as u64 * (b as u32 as u64),
        "mul.wide.s32" => |[a, b, ..]| (a as i32 as i64 * (b as i32 as i64)) as u64,
        "mad.lo.s32" | "mad.lo.u32" => |[a, b, c, _]| (a as u32).wrapping_mul(b as u32).wrapping_add(c as u32) as u64,
        "mad.lo.s64" | "mad.lo.u64" => |[a, b, c, _]| a.wrapping_mul(b).wrapping_add(c),
        "mad.wide.u32" => |[a, b, c, _]| (a as u32 as u64 * (b as u32 as u64)).wrapping_add(c),
        "mad.wide.s32" => |[a, b, c, _]| (a as i32 as i64 * (b as i32 as i64)).wrapping_add(c as i64) as u64,
        "add.f32" | "add.rn.f32" => |[a, b, ..]| (single(a) + single(b)).to_bits().into(),
        "mul.f32" | "mul.rn.f32" => |[a, b, ..]| (single(a) * single(b)).to_bits().into(),
        "div.rn.f32" => |[a, b, ..]| (single(a) / single(b)).to_bits().into(),
        "mul.f64" | "mul.rn.f64" => |[a, b, ..]| (f64::from_bits(a) * f64::from_bits(b)).to_bits(),
        "cvt.rn.f32.s32" => |[a, ..]| (a as i32 as f32).to_bits().into(),
        "cvt.rn.f32.f64" => |[a, ..]| (f64::from_bits(a) as f32).to_bits().into(),
        "cvt.f64.f32" => |[a, ..]| f64::from(single(a)).to_bits(),
        // To the nearest that there is, and towards 0.
        "cvt.rzi.s64.f64" => |[a, ..]| f64::from_bits(a) as i64 as u64,
        // What a division by 0 gives is not said.
        "div.u32" => |[a, b, ..]| (a as u32).checked_div(b as u32).map_or(0xdead_beef, u64::from),
        "div.u64" => |[a, b, ..]| a.checked_div(b).unwrap_or(0xdead_beef_dead_beef),
        "div.s64" => |[a, b, ..]| match b {
            0 => 0xdead_beef_dead_beef,
            _ => (a as i64).wrapping_div(b as i64) as u64,
        },
        "rem.u32" => |[a, b, ..]| (a as u32).checked_rem(b as u32).map_or(0xdead_beef, u64::from),
        "rem.u64" => |[a, b, ..]| a.checked_rem(b).unwrap_or(0xdead_beef_dead_beef),
        "min.u64" => |[a, b, ..]| a.min(b),
        "max.u64" => |[a, b, ..]| a.max(b),
        "min.s64" => |[a, b, ..]| (a as i64).min(b as i64) as u64,
        "max.s64" => |[a, b, ..]| (a as i64).max(b as i64) as u64,
        "min.u32" => |[a, b, ..]| (a as u32).min(b as u32) as u64,
        "max.u32" => |[a, b, ..]| (a as u32).max(b as u32) as u64,
        "and.b16" | "and.b32" | "and.b64" | "and.pred" => |[a, b, ..]| a & b,
        "or.b16" | "or.b32" | "or.b64" | "or.pred" => |[a, b, ..]| a | b,
        "xor.b16" | "xor.b32" | "xor.b64" | "xor.pred" => |[a, b, ..]| a ^ b,
        "not.b32" => |[a, ..]| !a as u32 as u64,
        "not.b64" => |[a, ..]| !a,
        "not.pred" => |[a, ..]| a ^ 1,
        // Shifts go no further than the width.
        "shl.b32" => |[a, b, ..]| (a as u32).checked_shl(b as u32).unwrap_or(0) as u64,
        "shl.b64" => |[a, b, ..]| a.checked_shl(b as u32).unwrap_or(0),
        "shr.u32" => |[a, b, ..]| (a as u32).checked_shr(b as u32).unwrap_or(0) as u64,
        "shr.u64" => |[a, b, ..]| a.checked_shr(b as u32).unwrap_or(0),
        "shr.s32" => |[a, b, ..]| (a as i32 >> (b as u32).min(31)) as u32 as u64,
        "shr.s64" => |[a, b, ..]| (a as i64 >> (b as u32).min(63)) as u64,
        "selp.b16" | "selp.u16" | "selp.b32" | "selp.u32" | "selp.b64" | "selp.u64" => {
            |[a, b, predicate, _]| if predicate == 1 { a } else { b }
        }
        // The truth table's bit of the three inputs, at every place.
        "lop3.b32" => |[a, b, c, table]| {
            let bit = |at: u64| table >> ((a >> at & 1) << 2 | (b >> at & 1) << 1 | c >> at & 1) & 1;
            (0..32).map(|at| bit(at) << at).sum()
        },
        // `a` in `b`, from a bit on, so many bits.
        "bfi.b64" => |[a, b, from, count]| {
            let mask =
                1u64.checked_shl(count as u32).unwrap_or(0).wrapping_sub(1).checked_shl(from as u32).unwrap_or(0);
            a.checked_shl(from as u32).unwrap_or(0) & mask | b & !mask
        },
        _ => return None,
    };
    Some(f)
}

fn single(bits: u64) -> f32 {
    f32::from_bits(bits as u32)
}

/// What commas part, but for those in brackets of any kind.
fn operands(text: &str) -> Vec<&str> {
    let mut depth = 0;
    let parts = text.split(move |c| {
        depth += i32::from("(<[".contains(c)) - i32::from(")>]".contains(c));
        depth == 0 && c == ','
    });
    parts.map(str::trim).filter(|operand| !operand.is_empty()).collect()
}
