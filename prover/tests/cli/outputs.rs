//! Nothing that stands somewhere is lost, and nothing secret is left behind, however a command ends.

use super::command::{MODEL, command, fails, files, run, said};
use super::{at, made, prove, zkllm};
use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const SHORT: [&str; 4] = ["--prompt", "And", "--max-tokens", "1"];

fn commit(out: &Path, more: &[&str]) -> std::process::Output {
    let out = out.display().to_string();
    zkllm(&[&["commit", MODEL, "--out", &out, "--chunk-log", "9"], more].concat())
}

#[test]
fn a_card_that_is_there_keeps_its_secret_side() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    assert!(commit(folder.path(), &[]).status.success());
    let before = ["model.card", "model.secret"].map(|name| fs::read(path(name)).expect("a file"));
    fails(&commit(folder.path(), &[]), 2, "--force, which keeps both", None);
    fs::rename(path("model.card"), path("moved.card")).expect("renamed");
    fails(&commit(folder.path(), &[]), 2, "model.secret is there already", None);
    fs::rename(path("moved.card"), path("model.card")).expect("renamed");
    assert_eq!(["model.card", "model.secret"].map(|name| fs::read(path(name)).expect("a file")), before);

    let forced = commit(folder.path(), &["--force"]);
    assert!(forced.status.success() && said(&forced).contains("kept: what was"), "{}", said(&forced));
    let mut names: Vec<String> =
        files(folder.path()).iter().map(|path| path.file_name().expect("a name").display().to_string()).collect();
    names.sort();
    let [old_card, old_secret, "model.card", "model.secret"] =
        &names.iter().map(String::as_str).collect::<Vec<_>>()[..]
    else {
        panic!("{names:?}")
    };
    assert_eq!([old_card, old_secret].map(|name| fs::read(path(name)).expect("a file")), before);
    // The published card is proved as before.
    for card in [old_card, "model.card"] {
        let [card, out] = [path(card), path("answer.receipt")].map(|path| path.display().to_string());
        let proved = prove(&card, &out, &[&SHORT[..], &["--force"]].concat());
        assert!(proved.status.success(), "{}", said(&proved));
        assert!(zkllm(&["verify", "--card", &card, &out]).status.success());
    }
}

#[test]
fn what_stands_at_the_output_is_not_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    for name in ["model.card", "model.secret"] {
        fs::copy(made().join(name), path(name)).expect("copied");
    }
    let before = ["model.card", "model.secret"].map(|name| fs::read(path(name)).expect("a file"));
    symlink(path("model.secret"), path("link")).expect("a link");
    symlink(path("nowhere"), path("dangling")).expect("a link");
    fs::hard_link(path("model.secret"), path("hard")).expect("a link");
    fs::write(path("old.receipt"), "old").expect("written");
    assert!(Command::new("mkfifo").arg(path("pipe")).status().is_ok_and(|status| status.success()));
    let card = path("model.card").display().to_string();
    // Of each it is said at once, not when the proof is done: there is no model to load.
    let try_ = |out: &str, more: &[&str]| {
        let out = path(out).display().to_string();
        zkllm(&[&["prove", "--card", &card, "--model", "/nowhere", "--out", &out], &SHORT[..], more].concat())
    };
    for more in [&[][..], &["--force"]] {
        for out in ["model.secret", "model.card", "link", "hard", "./../x/model.secret"] {
            let out = out.replace("../x", &format!("../{}", folder.path().file_name().expect("a name").display()));
            fails(&try_(&out, more), 2, "this command reads that file", None);
        }
        fails(&try_("dangling", more), 2, "a link to nothing", None);
        fails(&try_("pipe", more), 2, "no regular file", None);
        fails(&try_("/dev/null", more), 2, "no regular file", None);
        fails(&try_("", more), 2, "a folder", None);
        fails(&try_("new/", more), 2, "a folder", None);
        fails(&try_("new/.", more), 2, "a folder", None);
        fails(&try_("dangling/x", more), 2, "a link to nothing", None);
        fails(&try_(&"x".repeat(300), more), 2, "too long", None);
        fails(&try_("old.receipt/x", more), 2, "Not a directory", None);
        fails(&try_("/proc/x/y", more), 2, "cannot write", None);
    }
    fails(&try_("old.receipt", &[]), 2, "--force to replace it", None);
    assert_eq!(fs::read(path("old.receipt")).expect("a file"), b"old");
    assert_eq!(["model.card", "model.secret"].map(|name| fs::read(path(name)).expect("a file")), before);
    assert!(path("pipe").metadata().expect("a pipe").file_type().is_fifo());
    // A link that is replaced on purpose stays one.
    symlink(path("old.receipt"), path("current")).expect("a link");
    let out = path("current").display().to_string();
    let proved = prove(&card, &out, &[&SHORT[..], &["--force"]].concat());
    assert!(proved.status.success(), "{}", said(&proved));
    assert!(path("current").is_symlink() && fs::read(path("old.receipt")).is_ok_and(|bytes| bytes.len() > 1000));
}

/// Embeddings divided by 2^8: floating point still tells them apart, integers of these fractions lose them.
#[test]
fn a_model_that_integers_do_not_fit_gets_no_card() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut bytes = fs::read(MODEL).expect("the small model");
    let header = bytes.windows(21).position(|name| name == b"blk.3.ffn_down.weight").expect("a tensor");
    // Behind the name: dimensions, two sizes, type, offset; then the embedding, 144 x 1000 numbers of 16 bits.
    let start = (header + 21 + 4 + 16 + 4 + 8).next_multiple_of(32);
    for number in bytes[start..start + 288_000].chunks_exact_mut(2) {
        let bits = u16::from_le_bytes([number[0], number[1]]);
        let exponent = (bits >> 10) & 31;
        let smaller = if exponent > 8 { bits - (8 << 10) } else { bits & 0x8000 };
        number.copy_from_slice(&smaller.to_le_bytes());
    }
    let path = folder.path().join("small.gguf");
    fs::write(&path, bytes).expect("written");
    let (path, out) = (path.display().to_string(), folder.path().join("out"));
    let arguments = ["commit", &path, "--out", &out.display().to_string(), "--chunk-log", "9"];
    fails(&zkllm(&arguments), 2, "of its tokens as in floating point", Some(&out));
    let accepted = zkllm(&[&arguments[..], &["--any-accuracy", "--json"]].concat());
    assert!(
        accepted.status.success() && said(&accepted).contains("warning: as integers the model chooses"),
        "{}",
        said(&accepted)
    );
    let report: serde_json::Value = serde_json::from_slice(&accepted.stdout).expect("one JSON object");
    assert!(report["accuracy"]["greedy_agreement_percent"].as_f64().is_some_and(|percent| percent < 80.0), "{report}");
}

#[test]
fn a_receipt_goes_to_stdout_and_the_answer_beside_it() {
    let proved = prove(&at("model.card"), "-", &SHORT);
    assert!(proved.status.success(), "{}", said(&proved));
    let receipt = made().join("stdout.receipt");
    fs::write(&receipt, &proved.stdout).expect("written");
    assert!(zkllm(&["verify", "--card", &at("model.card"), &receipt.display().to_string()]).status.success());
    fails(&prove(&at("model.card"), "-", &[&SHORT[..], &["--json"]].concat()), 2, "both print on stdout", None);
}

#[test]
fn a_reader_that_leaves_does_not_cost_the_proof() {
    let out = made().join("unread.receipt");
    let arguments = ["prove", "--card", &at("model.card"), "--model", MODEL, "--out", &out.display().to_string()];
    let mut child = command(&[&arguments[..], &SHORT].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("not all could be printed"), "{}", said(&output));
    assert!(zkllm(&["verify", "--card", &at("model.card"), &out.display().to_string()]).status.success());
}

/// Starts a proof of 64 tokens to a folder, and signals it when `ready`.
fn signalled(signal: &str, ready: impl Fn(&Path) -> bool) -> (tempfile::TempDir, std::process::Output) {
    let folder = tempfile::tempdir().expect("a folder");
    let (card, out) = (at("model.card"), folder.path().join("answer.receipt").display().to_string());
    let arguments = [
        &["prove", "--card", &card, "--model", MODEL, "--out", &out, "--prompt", "And"][..],
        &["--max-tokens", "64", "--json"],
    ]
    .concat();
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_zkllm")]).args(arguments);
    let child = shell.current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the binary runs");
    while !ready(folder.path()) && child.try_wait().expect("a child").is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = Command::new("kill").args([signal, &child.id().to_string()]).status();
    (folder, child.wait_with_output().expect("it ends"))
}

#[test]
fn an_interrupt_leaves_nothing_and_says_so() {
    made();
    for signal in ["-INT", "-TERM", "-HUP"] {
        let start = std::time::Instant::now();
        let (folder, output) = signalled(signal, |_| start.elapsed() > Duration::from_millis(400));
        fails(&output, 130, "stopped; no file was written", None);
        assert!(files(folder.path()).is_empty(), "{signal}: {:?}", files(folder.path()));
    }
    // Nothing can be done about this one, and nothing need be.
    let start = std::time::Instant::now();
    let (folder, _) = signalled("-KILL", |_| start.elapsed() > Duration::from_millis(400));
    assert!(files(folder.path()).is_empty(), "{:?}", files(folder.path()));
}

#[test]
fn who_is_to_outlive_a_terminal_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_zkllm")]);
    let mut child =
        shell.args(["commit", MODEL, "--chunk-log", "9", "--out"]).arg(folder.path()).spawn().expect("a shell");
    std::thread::sleep(Duration::from_millis(400));
    assert!(Command::new("kill").args(["-HUP", &child.id().to_string()]).status().is_ok_and(|status| status.success()));
    assert!(child.wait().expect("it ends").success());
    assert!(folder.path().join("model.card").exists());
}

#[test]
fn an_interrupt_after_the_receipt_says_that_it_is_there() {
    made();
    let (folder, output) = signalled("-INT", |folder| folder.join("answer.receipt").exists());
    let receipt = folder.path().join("answer.receipt");
    // The figures are made after the receipt is written; a quick machine is through before it is interrupted.
    if output.status.code() == Some(130) {
        assert!(said(&output).contains("written before, and whole") && said(&output).contains("answer.receipt"));
    } else {
        assert!(output.status.success(), "{}", said(&output));
    }
    assert!(zkllm(&["verify", "--card", &at("model.card"), &receipt.display().to_string()]).status.success());
    assert_eq!(files(folder.path()), [receipt]);
}

#[test]
fn a_crash_dumps_no_memory() {
    made();
    let mut control = Command::new("sh");
    control.args(["-c", "ulimit -c unlimited; kill -ABRT $$"]).current_dir(made());
    if !control.status().expect("a shell").core_dumped() {
        eprintln!("not tested: this machine dumps no memory of anything");
        return;
    }
    let start = std::time::Instant::now();
    let (_folder, output) = signalled("-ABRT", |_| start.elapsed() > Duration::from_millis(400));
    assert!(output.status.signal().is_some() && !output.status.core_dumped(), "{:?}", output.status);
}

#[test]
fn reads_end_where_no_honest_file_goes_on() {
    let receipt = at("answer.receipt");
    for (card, receipt) in [("/dev/zero", &receipt[..]), (&at("model.card"), "/dev/zero")] {
        fails(&zkllm(&["verify", "--card", card, receipt]), 2, "has more than", None);
    }
    fails(&zkllm(&["inspect", "/dev/zero"]), 2, "has more than", None);
    let out = made().join("no.receipt").display().to_string();
    let more = [&SHORT[..], &["--secret", "/dev/zero"]].concat();
    fails(&prove(&at("model.card"), &out, &more), 2, "has more than", None);
    fails(&zkllm(&["commit", "/dev/zero", "--out", &out]), 2, "GGUF", Some(Path::new(&out)));
    // A pipe has no length, and is read.
    let mut verify = Command::new("sh");
    verify.args(["-c", "cat \"$2\" | \"$0\" verify --card \"$1\" /dev/stdin"]);
    let verified = run(verify.args([env!("CARGO_BIN_EXE_zkllm"), &at("model.card"), &receipt]));
    assert!(verified.status.success(), "{}", said(&verified));
}
