//! What hostile chat templates do: they take bounded memory, and no commit dies of them.

// Not all of it is used here.
#[allow(dead_code)]
mod command;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use command::{MODEL, command, fails, run, said};
use zkllm_prover::model::{Chat, Message, Now};

/// The system's allocator with the bytes that are held, and the most that were.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MOST.fetch_max(HELD.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Each takes gigabytes, for ever, or the stack, if nothing stops it.
/// What nobody would be paying for if it were kept.
const KEPT: [&str; 2] = [
    "{% set s = 'a' * 200000 %}{% set d = {} %}{% for i in range(15000) %}{% set v = d[s] %}{% endfor %}x",
    "{% for i in range(15000) %}{% set v = dict(**{'a' * 100000: 1}) %}{% endfor %}x",
];

const HOSTILE: [&str; 47] = [
    "{{ ([{'a': 1, 'b': 1, 'c': 1, 'd': 1}] * 500)|tojson(separators=(',', 'a' * 1000000)) }}",
    "{{ 'x' * 10**9 }}",
    "{{ ['x'] * 10**9 }}",
    "{{ (1,) * 10**9 }}",
    "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
    "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}",
    "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}",
    "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}",
    "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s|tojson }}",
    "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s == ns.s }}",
    "{% set ns = namespace(s=1) %}{% for i in range(90) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s|tojson(indent=10**6) }}",
    "{% set ns = namespace(s=1) %}{% for i in range(10**5) %}{% set ns.s = [ns.s] %}{% endfor %}",
    "{% set ns = namespace(s=1) %}{% for i in range(10**5) %}{% set ns.s = {'a': ns.s} %}{% endfor %}",
    "{% set ns = namespace(s=[1]) %}{% for i in range(10**5) %}{% set ns.s = [ns.s]|select %}{% endfor %}",
    "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s %}{{ ns.s }}{{ ns.s }}{% endset %}{% endfor %}",
    "{% set s = 'x' * 10**6 %}{% for i in range(10**5) %}{{ s }}{% endfor %}",
    "{% for a in range(10**5) %}{% for b in range(10**5) %}{{ b }}{% endfor %}{% endfor %}",
    "{% for i in range(10**5) %}{% set x = namespace(a=range(10**5)|list) %}{% endfor %}",
    "{{ range(10**9) }}",
    "{{ 'x'|indent(10**9) }}",
    "{{ ('\n' * 10**6)|indent('x' * 10**6, blank=true) }}",
    "{{ ('a' * 10**6)|replace('', 'b' * 10**6) }}",
    "{{ ('a' * 10**6).replace('a', 'b' * 10**6) }}",
    "{{ ('b' * 10**6).join(range(10**5)|map('string')|list) }}",
    "{{ range(10**5)|join('b' * 10**6) }}",
    "{{ ('{0}' * 10**5).format('x' * 10**6) }}",
    "{{ ('a' * 10**7).split('a') }}",
    "{{ ('a' * 10**7)|list }}",
    "{{ ('<' * 10**7)|e|e|e|e }}",
    "{{ ['\x01' * 10**7]|string }}",
    "{{ strftime_now('%A' * 10**7) }}",
    "{{ 10 ** 10**9 }}",
    "{{ 'x'.center(10**9) }}",
    "{{ 'x'.zfill(10**9) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ [1]|batch(10**9, 'x')|list }}",
    "{{ lipsum(n=10**6) }}",
    "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}",
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(40) }}",
    "{% macro m(n) %}{{ n }}{{ m(n ~ n) }}{% endmacro %}{{ m('x') }}",
    "{% for x in [1, 1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
    "{{ 'x'|map(*['map'] * 10**4)|list }}",
    "{% set ns = namespace(d={}) %}{% for i in range(10**5) %}{% set ns.d = dict(ns.d, **{'k' ~ i: i}) %}{% endfor %}",
    "{{ (range(10**5)|map('string')|list)|unique|list }}",
    "{{ ('x' * 10**6).strip('yx' * 10**6) }}",
    "{{ ''.join(['x' * 10**6] * 10**6) }}",
];

fn peak(template: &str) -> (Result<String, String>, usize) {
    let before = HELD.load(Relaxed);
    MOST.store(before, Relaxed);
    let now = Now::day(2024, 7, 26).expect("a day");
    let rendered = Chat::new(template, &[]).render(&[Message::user("Hi")], true, now);
    (rendered.map_err(|error| error.to_string()), MOST.load(Relaxed) - before)
}

#[test]
fn no_template_takes_memory_without_bound() {
    let repeated = [
        format!("{{{{ {}1{} }}}}", "(".repeat(300_000), ")".repeat(300_000)),
        format!("{{{{ {}1 }}}}", "not ".repeat(200_000)),
        format!("{{{{ 1{} }}}}", "+1".repeat(400_000)),
        format!("{{{{ x{} }}}}", ".a".repeat(400_000)),
        format!("{{{{ x{} }}}}", "|d".repeat(400_000)),
        format!("{{{{ 1{} }}}}", "if 1 ".repeat(200_000)),
        format!("{{{{ {} }}}}", "x".repeat(1_000_000)),
        // Of 60 values some have no order; a sort that goes on all the same is a fault of the program.
        format!(
            "{{{{ [{}]|sort }}}}",
            (0..60)
                .map(|i| if i % 3 == 0 { "none".into() } else { (i * 37 % 60).to_string() })
                .collect::<Vec<_>>()
                .join(",")
        ),
        "{% if 1 %}".repeat(100_000),
        "{% macro m() %}".repeat(60_000),
        "{#".repeat(500_000),
        "{{".repeat(500_000),
        format!("{{{{ '{}", "\\".repeat(1_000_001)),
    ];
    for template in HOSTILE.into_iter().chain(repeated.iter().map(String::as_str)) {
        let (rendered, bytes) = peak(template);
        assert!(rendered.is_err(), "{template:.99}: {} bytes", rendered.map_or(0, |text| text.len()));
        assert!(bytes < 192 << 20, "{template:.99}: {bytes} bytes");
    }
    for template in KEPT {
        let (_, bytes) = peak(template);
        assert!(bytes < 192 << 20, "{template:.99}: {bytes} bytes");
    }
}

#[test]
fn a_long_conversation_is_rendered() {
    let message = "word ".repeat(1 << 20);
    let template = "{% for m in messages %}{% set c = m.content | trim %}{{ ('<' ~ m.role ~ '>') + c.replace('word', 'w') }}{% endfor %}";
    let messages = vec![Message::user(&message); 4];
    let now = Now::day(2024, 7, 26).expect("a day");
    let rendered = Chat::new(template, &[]).render(&messages, true, now).expect("rendered");
    assert_eq!(rendered.len(), 4 * ("<user>".len() + "w ".len() * (1 << 20) - 1));
}

/// The small model with a chat template; what is put into the header keeps what follows at its alignment.
fn with_template(template: &str) -> Vec<u8> {
    let mut bytes = std::fs::read(MODEL).expect("the small model");
    let key = "tokenizer.chat_template";
    let fixed = 8 + key.len() + 4 + 8;
    let text = format!("{template:<width$}", width = (fixed + template.len()).next_multiple_of(32) - fixed);
    let mut entry = (key.len() as u64).to_le_bytes().to_vec();
    entry.extend(key.as_bytes());
    entry.extend(8u32.to_le_bytes());
    entry.extend((text.len() as u64).to_le_bytes());
    entry.extend(text.as_bytes());
    bytes[16] += 1;
    bytes.splice(24..24, entry);
    bytes
}

#[test]
fn a_commit_does_not_die_of_a_template() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("model.gguf"), with_template(HOSTILE[3])).expect("written");
    let out = folder.path().join("out").display().to_string();
    let committed = run(&mut command(&["commit", &at("model.gguf"), "--out", &out, "--chunk-log", "9", "--json"]));
    assert!(committed.status.success(), "{}", said(&committed));
    assert!(said(&committed).contains("warning: the chat template of the model file failed"), "{}", said(&committed));
    let report: serde_json::Value = serde_json::from_slice(&committed.stdout).expect("one JSON object");
    assert!(report["peak_bytes"].as_u64().expect("bytes") < 1 << 30, "{report}");
    let card = format!("{out}/model.card");
    let ask = |more: &[&str]| {
        let ask = ["generate", "--card", &card, "--model", &at("model.gguf"), "--max-tokens", "2", "--prompt", "And"];
        run(&mut command(&[&ask[..], more].concat()))
    };
    fails(&ask(&["--chat"]), 2, "give a plain prompt instead", None);
    let plain = ask(&[]);
    assert!(plain.status.success(), "{}", said(&plain));
}
