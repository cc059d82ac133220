//! Usage: zkllm-wasm-bindgen INPUT.wasm FOLDER NAME [--names]
//! Writes NAME.js, NAME.d.ts and NAME_bg.wasm; with --names the functions keep their names, for profiles.

use wasm_bindgen_cli_support::Bindgen;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, folder, name, rest @ ..] = arguments.as_slice() else {
        anyhow::bail!("usage: zkllm-wasm-bindgen INPUT.wasm FOLDER NAME [--names]");
    };
    let names = rest.iter().any(|option| option == "--names");
    Bindgen::new()
        .input_path(input)
        .out_name(name)
        .web(true)?
        .typescript(true)
        .omit_default_module_path(false)
        .remove_name_section(!names)
        .remove_producers_section(true)
        .generate(folder)
}
