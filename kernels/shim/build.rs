//! Compiles the kernels with the C++ compiler of this machine.

fn main() {
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .opt_level(2)
        .include("src")
        .file("src/shim.cpp")
        .flag_if_supported("-Wno-unknown-pragmas")
        .compile("zkllm_shim");
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=../cuda");
}
