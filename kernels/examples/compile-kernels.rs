//! Decides whether NVRTC compiles the kernels that are in the program: `compile-kernels 80 90`. Needs no GPU.

fn main() {
    for capability in std::env::args().skip(1) {
        let number: i32 = capability.parse().expect("compute capabilities, as 90 for 9.0");
        match zkllm_kernels::cuda::compile(number / 10, number % 10) {
            Ok(cubin) => println!("sm_{number}: {} bytes", cubin.len()),
            Err(fault) => {
                eprintln!("sm_{number}: {fault}");
                std::process::exit(1);
            }
        }
    }
}
