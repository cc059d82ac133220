//! Decides what a template consists of.

/// An expression.
#[derive(Debug)]
pub enum Expr {
    Constant(Constant),
    Name(String),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    Negative(Box<Expr>),
    Positive(Box<Expr>),
    Not(Box<Expr>),
    Binary(Box<Expr>, Operator, Box<Expr>),
    Concat(Vec<Expr>),
    Compare(Box<Expr>, Vec<(Relation, Expr)>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    /// Test, value if it holds, value if not.
    Choice(Box<Expr>, Box<Expr>, Option<Box<Expr>>),
    Attribute(Box<Expr>, String),
    Item(Box<Expr>, Box<Expr>),
    /// Start, stop and step.
    Slice(Box<Expr>, [Option<Box<Expr>>; 3]),
    Call(Box<Expr>, Arguments),
    Filter(Box<Expr>, Filter),
    Test(Box<Expr>, String, Arguments),
}

/// A literal.
#[derive(Debug, Clone)]
pub enum Constant {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Power,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

/// What a call passes.
#[derive(Debug, Default)]
pub struct Arguments {
    pub positional: Vec<Expr>,
    pub keyword: Vec<(String, Expr)>,
    /// `*values`
    pub sequence: Option<Box<Expr>>,
    /// `**values`
    pub mapping: Option<Box<Expr>>,
}

/// A filter with its arguments.
#[derive(Debug)]
pub struct Filter {
    pub name: String,
    pub arguments: Arguments,
}

/// What is assigned to.
#[derive(Debug)]
pub enum Target {
    Name(String),
    /// An attribute of a namespace.
    Attribute(String, String),
    Tuple(Vec<Target>),
}

/// A piece of a template.
#[derive(Debug)]
pub enum Statement {
    Text(String),
    Output(Expr),
    If(Vec<(Expr, Vec<Statement>)>, Vec<Statement>),
    For(Loop),
    Set(Target, Expr),
    SetBlock(Target, Vec<Filter>, Vec<Statement>),
    Macro(Macro),
    /// A call whose `caller` is the macro.
    CallBlock(Expr, Macro),
    FilterBlock(Vec<Filter>, Vec<Statement>),
    With(Vec<(Target, Expr)>, Vec<Statement>),
    /// What transformers has models generate: a macro that is called where it stands.
    Generation(Macro),
    Break,
    Continue,
}

#[derive(Debug)]
pub struct Loop {
    pub target: Target,
    pub values: Expr,
    pub condition: Option<Expr>,
    pub recursive: bool,
    pub body: Vec<Statement>,
    pub otherwise: Vec<Statement>,
}

#[derive(Debug)]
pub struct Macro {
    pub name: String,
    pub parameters: Vec<String>,
    /// Of the last parameters.
    pub defaults: Vec<Expr>,
    pub body: Vec<Statement>,
    /// Whether the body reads `caller`, `kwargs`, `varargs`.
    pub reads: [bool; 3],
}
