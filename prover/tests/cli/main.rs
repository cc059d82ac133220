//! The command line: a receipt from the small model, and what bad input is told. Every refusal says what to do, exits with
//! 2 (1 for a false receipt) and leaves nothing half-written.

#[path = "../command/mod.rs"]
mod command;
mod outputs;
mod words;

use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Duration;

use command::{MODEL, command, fails, files, run, said};

fn zkllm(arguments: &[&str]) -> Output {
    run(&mut command(arguments))
}

/// A folder with model.card, model.secret and answer.receipt of the small model, made once.
fn made() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let folder = tempfile::tempdir().expect("a folder");
            let at = |name: &str| folder.path().join(name).display().to_string();
            let committed =
                zkllm(&["commit", MODEL, "--out", &folder.path().display().to_string(), "--chunk-log", "9"]);
            assert!(committed.status.success(), "{}", said(&committed));
            let proved = prove(
                &at("model.card"),
                &at("answer.receipt"),
                &["--prompt", "And the LORD said unto", "--max-tokens", "4"],
            );
            assert!(proved.status.success(), "{}", said(&proved));
            folder
        })
        .path()
}

fn at(name: &str) -> String {
    made().join(name).display().to_string()
}

fn prove(card: &str, out: &str, more: &[&str]) -> Output {
    zkllm(&[&["prove", "--card", card, "--model", MODEL, "--out", out], more].concat())
}

#[test]
fn a_receipt_is_proved_and_reported() {
    let output = zkllm(&["verify", "--card", &at("model.card"), &at("answer.receipt"), "--json"]);
    assert!(output.status.success());
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(report["verdict"], "proved");
    let tokens = report["tokens"].as_array().expect("tokens").len();
    assert_eq!(tokens as u64, report["prompt_len"].as_u64().expect("a length") + 4);
}

#[test]
fn the_secret_side_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(at("model.secret")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_changed_receipt_is_refused_by_name() {
    let mut bytes = std::fs::read(at("answer.receipt")).expect("a receipt");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let forged = made().join("forged.receipt");
    std::fs::write(&forged, bytes).expect("written");
    fails(&zkllm(&["verify", "--card", &at("model.card"), &forged.display().to_string()]), 1, "refused: ", None);
}

#[test]
fn a_receipt_of_another_version_is_unusable() {
    let mut bytes = std::fs::read(at("answer.receipt")).expect("a receipt");
    bytes[8] = 2;
    let other = made().join("version.receipt");
    std::fs::write(&other, bytes).expect("written");
    fails(&zkllm(&["verify", "--card", &at("model.card"), &other.display().to_string()]), 2, "unknown-version", None);
}

#[test]
fn model_files_that_are_none_are_explained() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let commit = |bytes: &[u8]| {
        let path = folder.path().join("model.gguf");
        std::fs::write(&path, bytes).expect("written");
        zkllm(&["commit", &path.display().to_string(), "--out", &out.display().to_string()])
    };
    let whole = std::fs::read(MODEL).expect("the small model");
    fails(&commit(b"not a model at all"), 2, "GGUF", Some(&out));
    fails(&commit(&whole[..whole.len() / 2]), 2, "cannot use the model", Some(&out));
    fails(
        &zkllm(&["commit", "/nowhere/model.gguf", "--out", &out.display().to_string()]),
        2,
        "/nowhere/model.gguf",
        Some(&out),
    );
}

#[test]
fn prompts_that_do_not_fit_are_explained() {
    let out = made().join("no.receipt");
    let try_ = |more: &[&str]| prove(&at("model.card"), &out.display().to_string(), more);
    fails(&try_(&["--prompt", "And", "--max-tokens", "0"]), 2, "0 is not in 1..", Some(&out));
    fails(&try_(&["--prompt", "And", "--max-tokens", "100000"]), 2, "shorten", Some(&out));
    fails(&try_(&["--tokens", "5000", "--max-tokens", "1"]), 2, "vocabulary", Some(&out));
    fails(&try_(&["--prompt", "And", "--chat", "--max-tokens", "1"]), 2, "chat template", Some(&out));
}

#[test]
fn the_card_of_another_model_is_explained() {
    let other = tempfile::tempdir().expect("a folder");
    let path = other.path().display().to_string();
    assert!(zkllm(&["commit", MODEL, "--out", &path, "--chunk-log", "9"]).status.success());
    let card = other.path().join("model.card").display().to_string();
    // Two commitments to one model are two cards: blinding is fresh.
    fails(&zkllm(&["verify", "--card", &card, &at("answer.receipt")]), 1, "other-card", None);
    let out = other.path().join("answer.receipt");
    let more = ["--secret", &at("model.secret"), "--prompt", "And", "--max-tokens", "1"];
    fails(&prove(&card, &out.display().to_string(), &more), 2, "belongs to the card with the fingerprint", Some(&out));
}

#[test]
fn a_damaged_secret_side_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (damaged, out) = (folder.path().join("model.secret"), folder.path().join("answer.receipt"));
    let bytes = std::fs::read(at("model.secret")).expect("a secret side");
    // The first chunk's blinding is behind 74 bytes of heading; its first row follows.
    let changed = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        bytes
    };
    let changes = [42, 80, 106 + 60, bytes.len() - 1].map(changed);
    for bytes in changes.iter().map(|bytes| &bytes[..]).chain([&bytes[..bytes.len() - 1], b""]) {
        std::fs::write(&damaged, bytes).expect("room");
        let more = ["--secret", &damaged.display().to_string(), "--prompt", "And", "--max-tokens", "1"];
        fails(&prove(&at("model.card"), &out.display().to_string(), &more), 2, "is damaged: restore it", Some(&out));
    }
}

#[test]
fn a_full_disk_leaves_no_receipt() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().display().to_string();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=8k", "tmpfs", &path]).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("not tested: mounting a small file system needs root");
        return;
    }
    let out = folder.path().join("answer.receipt");
    let output = prove(&at("model.card"), &out.display().to_string(), &["--prompt", "And", "--max-tokens", "1"]);
    let left = files(folder.path());
    assert!(Command::new("umount").arg(&path).status().is_ok_and(|status| status.success()));
    fails(&output, 2, "free some space", Some(&out));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn random_weights_are_measured_without_a_file() {
    let output =
        zkllm(&["bench", "--shape", "tiny", "--context", "64", "--tokens", "20", "--max-tokens", "3", "--json"]);
    assert!(output.status.success(), "{}", said(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!((&report["prompt_tokens"], &report["output_tokens"]), (&17.into(), &3.into()));
    let phases = report["phases_s"].as_object().expect("seconds by phase");
    for phase in ["inference", "commit", "tlookup", "products", "opening", "check"] {
        assert!(phases[phase].is_f64(), "{phase}");
    }
    // What cannot be done is said before it is begun.
    let large = ["bench", "--shape", "llama2-13b", "--tokens", "2048"];
    fails(&zkllm(&large), 2, "GiB of the machine's memory, which has", None);
    fails(
        &zkllm(&["bench", "--shape", "tiny", "--tokens", "17"]),
        2,
        "must be at least 18, --max-tokens and a prompt of two",
        None,
    );
    fails(&zkllm(&["bench", "--shape", "tiny", "--chunk-log", "7"]), 2, "give --context 128", None);
    fails(&zkllm(&["bench", MODEL]), 2, "give a prompt", None);
    let forecast = zkllm(&["cost", "--shape", "llama2-13b", "--length", "2048", "--backend", "cpu"]);
    assert!(String::from_utf8_lossy(&forecast.stdout).contains("lookup tree"));
}

#[test]
fn an_interrupt_leaves_no_receipt() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("answer.receipt");
    let arguments = [
        "prove",
        "--card",
        &at("model.card"),
        "--model",
        MODEL,
        "--out",
        &out.display().to_string(),
        "--prompt",
        "And",
        "--max-tokens",
        "64",
    ];
    let mut child = command(&arguments).spawn().expect("the binary runs");
    std::thread::sleep(Duration::from_millis(400));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().is_ok_and(|status| status.success()));
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(files(folder.path()).is_empty());
}

#[test]
fn a_gpu_that_is_not_there_is_an_error_and_auto_says_what_it_took() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("answer.receipt");
    let prompt = ["--prompt", "And", "--max-tokens", "1", "--backend"];
    let path = out.display().to_string();
    let doctor = zkllm(&["doctor"]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.status.success() && said.contains("self-test  every verb"), "{said}");
    // On a machine with a GPU the first of these succeeds.
    if said.contains("backend    cpu") {
        fails(
            &prove(&at("model.card"), &path, &[&prompt[..], &["cuda"]].concat()),
            2,
            "--backend cuda: no",
            Some(&out),
        );
    }
    for (more, words) in [
        (&["wgpu", "--adapter", "no such one"][..], "no adapter has \"no such one\" in its name"),
        (&["cpu", "--adapter", "any"], "--adapter is for --backend wgpu"),
    ] {
        fails(&prove(&at("model.card"), &path, &[&prompt[..], more].concat()), 2, words, Some(&out));
    }
    // No driver for any GPU: the loaders of Vulkan and OpenGL look nowhere.
    if cfg!(target_os = "linux") {
        let none =
            ["VK_DRIVER_FILES", "VK_ICD_FILENAMES", "__EGL_VENDOR_LIBRARY_FILENAMES"].map(|name| (name, "/dev/null"));
        let doctor =
            Command::new(env!("CARGO_BIN_EXE_zkllm")).args(["doctor", "--backend", "wgpu"]).envs(none).output();
        fails(&doctor.expect("the binary runs"), 2, "--backend wgpu: no GPU was found", None);
    }
    // Any adapter: a software one too.
    let wgpu = prove(&at("model.card"), &path, &[&prompt[..], &["wgpu"]].concat());
    assert!(wgpu.status.success(), "{}", String::from_utf8_lossy(&wgpu.stderr));
    assert!(zkllm(&["verify", "--card", &at("model.card"), &path]).status.success());
    let auto = prove(&at("model.card"), &path, &[&prompt[..], &["auto", "--force"]].concat());
    assert!(auto.status.success() && String::from_utf8_lossy(&auto.stderr).contains("backend: "));
    fails(&prove(&at("model.card"), &path, &[&prompt[..], &["gpu"]].concat()), 2, "possible values", None);
}

#[test]
fn the_card_has_the_name_that_it_is_given_or_says_why_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out").display().to_string();
    let commit = |name: &str| zkllm(&["commit", MODEL, "--out", &out, "--chunk-log", "9", "--json", "--name", name]);
    fails(&commit("Tiny\u{202e}LM"), 2, "U+202E", None);
    fails(&commit("Tiny  LM"), 2, "--name", None);
    let committed = commit("Kleines Modell ☃");
    assert!(committed.status.success(), "{}", said(&committed));
    let report: serde_json::Value = serde_json::from_slice(&committed.stdout).expect("one JSON object");
    assert_eq!(report["model"], "Kleines Modell ☃");
}
