//! Compiles the kernels with the C++ compiler of this machine; with its sanitizers where `ZKLLM_SANITIZE` names some, for this
//! package's tests only.

fn main() {
    let mut build = cc::Build::new();
    if let Ok(sanitizers) = std::env::var("ZKLLM_SANITIZE") {
        let flag = format!("-fsanitize={sanitizers}");
        build.flag(&flag).flag("-fno-sanitize-recover=all").flag("-g");
        // What the compiler's driver would link, which rustc tells it not to.
        println!("cargo:rustc-link-arg-tests=-lasan");
        println!("cargo:rustc-link-arg-tests=-lubsan");
    }
    build
        .cpp(true)
        .std("c++17")
        .opt_level(2)
        .include("src")
        .file("src/shim.cpp")
        // A product and a sum are rounded each for itself.
        .flag("-ffp-contract=off")
        .flag_if_supported("-Wno-unknown-pragmas")
        .compile("zkllm_shim");
    println!("cargo:rerun-if-env-changed=ZKLLM_SANITIZE");
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=../cuda");
}
