//! Joins the CUDA kernels to one source, and compiles it where there is a compiler; elsewhere that is done at run time.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// `name` with the files it includes in their places, each once.
fn joined(directory: &Path, name: &str, seen: &mut Vec<String>) -> String {
    if seen.iter().any(|other| other == name) {
        return String::new();
    }
    seen.push(name.to_string());
    let path = directory.join(name);
    println!("cargo:rerun-if-changed={}", path.display());
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut out = String::new();
    for line in text.lines() {
        let included = line.strip_prefix("#include \"").and_then(|rest| rest.strip_suffix('"'));
        match included.filter(|name| directory.join(name).exists()) {
            Some(name) => out += &joined(directory, name, seen),
            None if line == "#pragma once" => {}
            None => out = out + line + "\n",
        }
    }
    out
}

/// The compiler: the one named by ZKLLM_NVCC, else the one of the CUDA toolkit. None where ZKLLM_NVCC is empty.
fn compiler() -> Option<PathBuf> {
    for name in ["ZKLLM_NVCC", "CUDA_HOME", "CUDA_PATH", "PATH"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    if let Some(path) = env::var_os("ZKLLM_NVCC") {
        return Some(PathBuf::from(path)).filter(|path| !path.as_os_str().is_empty());
    }
    let homes =
        ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(env::var_os).map(|home| PathBuf::from(home).join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = PathBuf::from("/usr/local/cuda/bin");
    homes.chain(env::split_paths(&path)).chain([usual]).map(|bin| bin.join("nvcc")).find(|nvcc| nvcc.is_file())
}

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where"));
    let (source, binary) = (out.join("kernels.cu"), out.join("kernels.fatbin"));
    fs::write(&source, joined(Path::new("cuda"), "kernels.cu", &mut Vec::new())).expect("the build directory");
    // Nothing is compiled ahead of time for GPUs without a compiler.
    fs::write(&binary, []).expect("the build directory");
    let Some(nvcc) = compiler() else { return };
    let targets = ["arch=compute_80,code=sm_80", "arch=compute_90,code=[sm_90,compute_90]"];
    let outcome = Command::new(&nvcc)
        .args(["-std=c++17", "-O3", "-fatbin", "-o"])
        .arg(&binary)
        .args(targets.iter().flat_map(|target| ["-gencode", target]))
        .arg(&source)
        .output();
    let why = match outcome {
        Ok(output) if output.status.success() => return,
        Ok(output) => String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_string(),
        Err(error) => error.to_string(),
    };
    println!("cargo:warning={} did not compile the kernels ({why}): NVRTC will, at run time", nvcc.display());
    let _ = fs::write(&binary, []);
}
