//! The command line with a GPU, which the stand-in for the driver is: what it makes, and what it says where the GPU fails.
//! `tools/cuda-check.sh` makes the stand-in and runs this.

mod command;

use std::path::Path;
use std::process::Output;
use std::sync::LazyLock;

use command::{MODEL, fails, files, run, said};
use tempfile::TempDir;

/// With model.card and model.secret, and kernels that an earlier run has compiled.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().display().to_string();
    let arguments = ["commit", MODEL, "--out", &out, "--chunk-log", "9", "--backend", "cuda"];
    let committed = run(command::command(&arguments).env("XDG_CACHE_HOME", folder.path()));
    assert!(committed.status.success(), "{}", said(&committed));
    folder
});

/// What the command says with such a stand-in.
fn on(gpu: &str, arguments: &[&str]) -> Output {
    run(command::command(arguments).env("ZKLLM_STANDIN", gpu).env("XDG_CACHE_HOME", FOLDER.path()))
}

fn at(name: &str) -> String {
    FOLDER.path().join(name).display().to_string()
}

fn prove(gpu: &str, backend: &str, out: &Path) -> Output {
    let (card, out) = (at("model.card"), out.display().to_string());
    let fixed = ["prove", "--card", &card, "--model", MODEL, "--prompt", "And the", "--max-tokens", "1"];
    on(gpu, &[&fixed[..], &["--out", &out, "--backend", backend]].concat())
}

#[test]
fn a_receipt_made_with_the_driver_is_proved() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("answer.receipt");
    let proved = prove("", "auto", &out);
    assert!(proved.status.success(), "{}", said(&proved));
    assert!(said(&proved).contains("backend: cuda (Stand-in for a GPU, compute capability 9.0"), "{}", said(&proved));
    let verified = on("", &["verify", "--card", &at("model.card"), &out.display().to_string()]);
    assert!(verified.status.success(), "{}", said(&verified));
}

#[test]
fn what_fails_on_the_gpu_is_named_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("answer.receipt");
    let again = "run it again, or use --backend cpu";
    for (gpu, words) in [
        ("none", &["--backend cuda: no usable NVIDIA GPU: no CUDA-capable device is detected"][..]),
        ("launches=0", &["--backend cuda: the GPU failed in", "unspecified launch failure", again]),
        ("launches=400", &["the GPU failed in", "unspecified launch failure", again]),
        ("launches=900 code=46", &["the GPU failed in", "busy or unavailable", again]),
        ("launches=1000 code=700", &["the GPU failed in", "an illegal memory access was encountered", again]),
        ("bytes=1000", &["--backend cuda: the GPU is out of memory", "bytes were wanted and"]),
        ("bytes=20000000", &["the GPU is out of memory", "prove fewer tokens", "use --backend cpu"]),
        ("bytes=60000000", &["the GPU is out of memory", "prove fewer tokens", "use --backend cpu"]),
    ] {
        let output = prove(gpu, "cuda", &out);
        words.iter().for_each(|words| fails(&output, 2, words, Some(&out)));
        assert!(files(folder.path()).is_empty(), "{gpu}");
    }
    let card = folder.path().join("card");
    for (gpu, words) in [("launches=140", "the GPU failed in"), ("bytes=600000", "the GPU is out of memory")] {
        let out = card.display().to_string();
        let arguments = ["commit", MODEL, "--out", &out, "--chunk-log", "9", "--backend", "cuda"];
        fails(&on(gpu, &arguments), 2, words, Some(&card.join("model.card")));
        assert!(!card.exists() || files(&card).is_empty(), "{gpu}");
    }
}

/// With `auto`, a GPU that is there and fails its self-test is not taken.
#[test]
fn a_gpu_that_fails_at_once_is_passed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("answer.receipt");
    let proved = prove("launches=10", "auto", &out);
    assert!(proved.status.success() && out.exists(), "{}", said(&proved));
    assert!(
        !said(&proved).contains("backend: cuda") && said(&proved).contains("the GPU failed in"),
        "{}",
        said(&proved)
    );
}

/// Kernels are compiled once, and once more where the driver refuses what was kept.
#[test]
fn compiled_kernels_are_kept() {
    let cache = tempfile::tempdir().expect("a folder");
    // Ends when it has opened the GPU: there is no such prompt.
    let opened = |backend: &str, says: &str| {
        let mut command = command::command(&["bench", "--shape", "tiny", "--tokens", "1", "--backend", backend]);
        run(command.env("XDG_CACHE_HOME", cache.path()).env("ZKLLM_STANDIN_NVRTC", says))
    };
    if said(&opened("auto", "")).contains("kernels compiled with the program") {
        eprintln!("not tested: this program was built with nvcc");
        return;
    }
    std::fs::remove_dir_all(cache.path().join("zkllm")).expect("the kernels of the first run");
    let source = "NVRTC does not compile the kernels: error: of the source";
    fails(&opened("cuda", "error: of the source"), 2, source, None);
    fails(&opened("auto", ""), 2, "kernels compiled by this run", None);
    fails(&opened("auto", "is not asked"), 2, "kernels compiled by an earlier run", None);
    let [file] = &files(&cache.path().join("zkllm"))[..] else { panic!("one file is kept") };
    std::fs::write(file, "damaged").expect("written");
    fails(&opened("auto", ""), 2, "kernels compiled by this run", None);
    fails(&opened("auto", "is not asked"), 2, "kernels compiled by an earlier run", None);
}

#[test]
fn the_gpu_is_measured_and_tested() {
    let output = on("", &["doctor", "--backend", "cuda"]);
    assert!(output.status.success(), "{}", said(&output));
    for words in [
        "backend    cuda: Stand-in for a GPU, compute capability 9.0, 16 GiB",
        "copied to the GPU",
        "self-test  every verb gives what the reference gives",
    ] {
        assert!(said(&output).contains(words), "{words:?} is not in: {}", said(&output));
    }
}
