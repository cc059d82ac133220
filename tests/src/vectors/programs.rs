//! Decides how programs are written as JSON, and which small ones there are vectors of.

use serde_json::{Value, json};
use zkllm_verifier::program::{
    Axis, Column, Index, Lookup, Operand, Origin, Product, ProductKind, Program, Rotary, Rule, Source, Sum, Table,
    Term, Zero,
};

/// The program as JSON.
pub fn write(program: &Program) -> Value {
    let lookups = program.lookups.iter().map(|lookup| {
        let values: Vec<Value> = lookup.values.iter().map(write_sum).collect();
        json!({ "axes": lookup.axes, "causal": lookup.causal, "table": lookup.table, "values": values })
    });
    let products = program.products.iter().map(|product| {
        let (kind, right, rotary) = match &product.kind {
            ProductKind::Einsum(right) => ("einsum", Some(right), None),
            ProductKind::Scores(right) => ("scores", Some(right), None),
            ProductKind::Rotary(rotary) => ("rotary", None, Some(rotary)),
        };
        let mut value = json!({ "axes": product.axes, "kind": kind, "left": write_operand(&product.left) });
        if let Some(right) = right {
            value["right"] = write_operand(right);
        }
        if let Some(Rotary { time, half, pair, base, fraction }) = rotary {
            value["rotary"] = json!({ "t": time, "half": half, "pair": pair, "base": base, "fraction": fraction });
        }
        value
    });
    let columns = program.columns.iter().map(|column| {
        let origin = match column.origin {
            Origin::Model => json!("model"),
            Origin::Witness(_) => json!("witness"),
            Origin::Multiplicity(table) => json!({ "multiplicity": table }),
        };
        json!({ "axes": column.axes, "causal": column.causal, "origin": origin })
    });
    json!({
        "axes": program.axes.iter().map(|axis| json!([axis.name, axis.length])).collect::<Vec<_>>(),
        "lists": program.lists,
        "columns": columns.collect::<Vec<_>>(),
        "products": products.collect::<Vec<_>>(),
        "tables": program.tables.iter().map(write_table).collect::<Vec<_>>(),
        "lookups": lookups.collect::<Vec<_>>(),
        "zeros": program.zeros.iter().map(|zero| json!({ "axes": zero.axes, "sum": write_sum(&zero.sum) })).collect::<Vec<_>>(),
    })
}

fn write_table(table: &Table) -> Value {
    match *table {
        Table::Range { bits } => json!({ "kind": "range", "bits": bits }),
        Table::Exp { bits, fraction, precision } => {
            json!({ "kind": "exp", "bits": bits, "fraction": fraction, "precision": precision })
        }
        Table::Silu { bits, fraction, out } => {
            json!({ "kind": "silu", "bits": bits, "fraction": fraction, "out": out })
        }
    }
}

fn write_operand(operand: &Operand) -> Value {
    json!({ "axes": operand.axes, "sum": write_sum(&operand.sum) })
}

fn write_sum(sum: &Sum) -> Value {
    let terms = sum.terms.iter().map(|term| {
        let source = match term.source {
            Source::Column(id) => json!(["column", id]),
            Source::Product(id) => json!(["product", id]),
            Source::Below(id) => json!(["below", id]),
        };
        let index = term.index.iter().map(|index| match *index {
            Index::At(axis) => json!(["at", axis]),
            Index::All => json!(["all"]),
            Index::Before(axis) => json!(["before", axis]),
            Index::Pick(axis, list) => json!(["pick", axis, list]),
        });
        json!({ "coefficient": term.coefficient as i64, "source": source, "index": index.collect::<Vec<_>>() })
    });
    json!({ "constant": sum.constant as i64, "terms": terms.collect::<Vec<_>>() })
}

/// The program of a JSON value; its columns have no rules.
pub fn read(value: &Value) -> Program {
    let axis = |value: &Value| {
        let length = number(&value[1]);
        Axis { name: "axis", length, bits: length.next_power_of_two().trailing_zeros() as usize }
    };
    let column = |value: &Value| {
        let origin = match &value["origin"] {
            Value::Object(origin) => Origin::Multiplicity(number(&origin["multiplicity"])),
            origin if origin == "model" => Origin::Model,
            _ => Origin::Witness(Rule::Exact { of: Sum::default() }),
        };
        Column { name: String::new(), axes: numbers(&value["axes"]), causal: value["causal"] == true, origin }
    };
    let product = |value: &Value| {
        let kind = match value["kind"].as_str() {
            Some("einsum") => ProductKind::Einsum(operand(&value["right"])),
            Some("scores") => ProductKind::Scores(operand(&value["right"])),
            _ => {
                let field = |name: &str| number(&value["rotary"][name]);
                ProductKind::Rotary(Rotary {
                    time: field("t"),
                    half: field("half"),
                    pair: field("pair"),
                    base: field("base") as u64,
                    fraction: field("fraction") as u32,
                })
            }
        };
        Product { name: String::new(), axes: numbers(&value["axes"]), kind, left: operand(&value["left"]) }
    };
    let lookup = |value: &Value| Lookup {
        name: String::new(),
        axes: numbers(&value["axes"]),
        causal: value["causal"] == true,
        table: number(&value["table"]),
        values: each(&value["values"], sum),
    };
    let zero = |value: &Value| Zero { name: String::new(), axes: numbers(&value["axes"]), sum: sum(&value["sum"]) };
    Program {
        axes: each(&value["axes"], axis),
        columns: each(&value["columns"], column),
        schedule: Vec::new(),
        products: each(&value["products"], product),
        tables: each(&value["tables"], super::check::read_table),
        lookups: each(&value["lookups"], lookup),
        zeros: each(&value["zeros"], zero),
        lists: each(&value["lists"], numbers),
    }
}

fn each<T>(value: &Value, of: impl Fn(&Value) -> T) -> Vec<T> {
    value.as_array().expect("a list").iter().map(of).collect()
}

fn number(value: &Value) -> usize {
    value.as_u64().expect("a number") as usize
}

fn numbers(value: &Value) -> Vec<usize> {
    each(value, number)
}

fn operand(value: &Value) -> Operand {
    Operand { axes: numbers(&value["axes"]), sum: sum(&value["sum"]) }
}

fn sum(value: &Value) -> Sum {
    let integer = |value: &Value| i128::from(value.as_i64().expect("an integer"));
    let index = |value: &Value| match value[0].as_str() {
        Some("at") => Index::At(number(&value[1])),
        Some("before") => Index::Before(number(&value[1])),
        Some("pick") => Index::Pick(number(&value[1]), number(&value[2])),
        _ => Index::All,
    };
    let term = |value: &Value| {
        let id = number(&value["source"][1]);
        let source = match value["source"][0].as_str() {
            Some("column") => Source::Column(id),
            Some("product") => Source::Product(id),
            _ => Source::Below(id),
        };
        Term { coefficient: integer(&value["coefficient"]), source, index: each(&value["index"], index) }
    };
    Sum { constant: integer(&value["constant"]), terms: each(&value["terms"], term) }
}
