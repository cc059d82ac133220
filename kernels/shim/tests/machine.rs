//! Decides that the machine that runs PTX reckons as the instruction set says, and stops what a GPU forbids.

use zkllm_cuda_shim::ptx::Ptx;
use zkllm_kernels::device::{Argument, BLOCK, Device, Fault};

const WORDS: usize = BLOCK;

/// A kernel `k` of one array whose address `%rd1` is, each of its threads at its own 4 bytes, `%rd2`; a function before it.
fn module(function: &str, body: &str) -> Result<Ptx, String> {
    let place = "mov.u32 %r1, %tid.x; mul.wide.u32 %rd3, %r1, 4; add.s64 %rd2, %rd1, %rd3;";
    let head = "ld.param.u64 %rd4, [k_param_0]; cvta.to.global.u64 %rd1, %rd4;";
    Ptx::new(&format!(
        "{function}\n.visible .entry k(.param .u64 k_param_0)\n{{ .reg .pred %p<2>; .reg .b32 %r<9>; .reg .b64 %rd<9>; {head} {place} {body} ret; }}"
    ))
}

/// What the array holds after a launch of one block: first, the numbers from 0 on.
fn run(function: &str, body: &str) -> Result<Vec<u32>, String> {
    let device = module(function, body)?;
    let memory = device.allocate(4 * WORDS).expect("memory");
    let numbers: Vec<u8> = (0..WORDS as u32).flat_map(u32::to_le_bytes).collect();
    device.write(&memory, 0, &numbers).expect("a copy");
    // SAFETY: the machine allows no more than its memory.
    match unsafe { device.launch("k", 1, &[Argument::Word(Ptx::address(&memory))]) } {
        Ok(()) => {}
        Err(Fault::Failed { why, .. }) => return Err(why),
        Err(other) => panic!("{other}"),
    }
    let mut bytes = vec![0; 4 * WORDS];
    device.read(&memory, 0, &mut bytes).expect("a copy");
    Ok(bytes.chunks(4).map(|word| u32::from_le_bytes(word.try_into().expect("4 bytes"))).collect())
}

/// What thread 5 stores.
fn stored(body: &str) -> u32 {
    run("", &format!("{body} st.global.u32 [%rd2], %r2;")).expect("it runs")[5]
}

#[track_caller]
fn refused(body: &str, why: &str) {
    let result = run("", body);
    assert!(result.as_ref().is_err_and(|said| said.contains(why)), "{result:?}");
}

#[test]
fn carries_and_borrows_go_from_one_instruction_to_the_next() {
    // 2^64 - 1 + 2^32 + 1, word by word: 0, 1, 1.
    let sum = "add.cc.u32 %r3, -1, 1; addc.cc.u32 %r4, -1, 1; addc.u32 %r5, 0, 0;";
    assert_eq!([3, 4, 5].map(|word| stored(&format!("{sum} mov.u32 %r2, %r{word};"))), [0, 1, 1]);
    // 0 - 1 with a borrow from every word.
    let difference = "sub.cc.u32 %r3, 0, 1; subc.cc.u32 %r4, 0, 0; subc.u32 %r5, 7, 0;";
    assert_eq!([3, 4, 5].map(|word| stored(&format!("{difference} mov.u32 %r2, %r{word};"))), [u32::MAX, u32::MAX, 6]);
    // (2^32 - 1)^2 + (2^32 - 1) = 2^64 - 2^32, of which the low half carries.
    let product = "mad.lo.cc.u32 %r3, -1, -1, -1; madc.hi.cc.u32 %r4, -1, -1, 0; addc.u32 %r5, 0, 0;";
    assert_eq!([3, 4, 5].map(|word| stored(&format!("{product} mov.u32 %r2, %r{word};"))), [0, u32::MAX, 0]);
    // What does not write the flag keeps it; what writes it does so with 0 too.
    assert_eq!(stored("add.cc.u32 %r3, -1, 1; add.s32 %r4, 1, 1; addc.u32 %r2, 0, 0;"), 1);
    assert_eq!(stored("add.cc.u32 %r3, -1, 1; add.cc.u32 %r4, 1, 1; addc.u32 %r2, 0, 0;"), 0);
}

#[test]
fn numbers_have_the_width_and_the_sign_that_are_written() {
    assert_eq!(stored("shr.s32 %r2, -8, 40;"), u32::MAX);
    assert_eq!(stored("shr.u32 %r2, -8, 32;"), 0);
    assert_eq!(stored("shl.b32 %r2, 3, 31;"), 1 << 31);
    assert_eq!(stored("mul.hi.u32 %r2, -1, -1;"), u32::MAX - 1);
    assert_eq!(stored("cvt.u32.u16 %r2, 65537;"), 1);
    assert_eq!(stored("mul.wide.s32 %rd5, -3, 5; shr.s64 %rd5, %rd5, 32; cvt.u32.u64 %r2, %rd5;"), u32::MAX);
    assert_eq!(stored("setp.lt.s32 %p1, -1, 0; selp.b32 %r2, 10, 20, %p1;"), 10);
    assert_eq!(stored("setp.lt.u32 %p1, -1, 0; selp.b32 %r2, 10, 20, %p1;"), 20);
    assert_eq!(stored("lop3.b32 %r2, 12, 10, 6, 0x96;"), 12 ^ 10 ^ 6);
    assert_eq!(stored("mov.u64 %rd5, 0x500000007; mov.b64 {%r3, %r4}, %rd5; sub.s32 %r2, %r3, %r4;"), 2);
    assert_eq!(stored("mov.u32 %r4, 2; mov.b64 %rd5, {%r1, %r4}; shr.u64 %rd5, %rd5, 32; cvt.u32.u64 %r2, %rd5;"), 2);
}

#[test]
fn branches_guards_calls_and_own_memory_work() {
    assert_eq!(stored("mov.u32 %r2, 0; $L1: add.s32 %r2, %r2, 5; setp.lt.u32 %p1, %r2, 23; @%p1 bra $L1;"), 25);
    assert_eq!(stored("mov.u32 %r2, 1; setp.eq.u32 %p1, %r1, 5; @!%p1 mov.u32 %r2, 2;"), 1);
    let triple = ".func (.param .b32 func_retval0) triple(.param .b32 triple_param_0)
        { .reg .b32 %r<9>; .reg .b64 %rd<9>; .local .align 16 .b8 own[16]; mov.u64 %rd1, own; cvta.local.u64 %rd2, %rd1; ld.param.u32 %r1, [triple_param_0];
        st.local.v2.u32 [%rd1], {%r1, 9}; ld.u32 %r2, [%rd2]; ld.u32 %r3, [%rd2+4]; mad.lo.s32 %r2, %r2, 3, %r3;
        st.param.b32 [func_retval0], %r2; ret; }";
    let call = "{ .param .b32 param0; st.param.b32 [param0], %r1; .param .b32 retval0;
        call.uni (retval0), triple, (param0); ld.param.b32 %r2, [retval0]; } st.global.u32 [%rd2], %r2;";
    let expected: Vec<u32> = (0..WORDS as u32).map(|thread| 3 * thread + 9).collect();
    assert_eq!(run(triple, call).expect("it runs"), expected);
}

#[test]
fn threads_that_use_what_another_one_writes_are_refused() {
    let next = "add.s32 %r3, %r1, 1; rem.u32 %r3, %r3, %ntid.x; mul.wide.u32 %rd5, %r3, 4; add.s64 %rd5, %rd1, %rd5;";
    // Its own place, or all of them the same place and nobody writes it.
    assert!(run("", "ld.global.u32 %r2, [%rd2]; st.global.u32 [%rd2], %r2;").is_ok());
    assert!(run("", "ld.global.u32 %r2, [%rd1];").is_ok());
    refused("st.global.u32 [%rd1], 1;", "races");
    refused(&format!("{next} ld.global.u32 %r2, [%rd5]; st.global.u32 [%rd2], %r2;"), "races");
    refused(&format!("{next} st.global.u32 [%rd2], 1; ld.global.u32 %r2, [%rd5];"), "races");
    // Bytes of one word, each of one thread.
    let byte = "cvt.u64.u32 %rd5, %r1; add.s64 %rd5, %rd1, %rd5;";
    assert_eq!(run("", &format!("{byte} st.global.u8 [%rd5], %r1;")).expect("it runs")[1], 0x0706_0504);
    refused(&format!("{byte} st.global.u8 [%rd1+3], %r1;"), "races");
    refused(&format!("{byte} st.global.u8 [%rd5], %r1; ld.global.u32 %r2, [%rd1];"), "races");
    refused(&format!("{byte} ld.global.u32 %r2, [%rd1]; st.global.u8 [%rd5], %r1;"), "races");
    // Sums in memory are for all threads, but nobody may look at them before the launch is over.
    assert_eq!(run("", "red.global.add.u32 [%rd1], 2;").expect("it runs")[0], 2 * BLOCK as u32);
    refused("red.global.add.u32 [%rd1], 2; ld.global.u32 %r2, [%rd1];", "races");
    refused("red.global.add.u32 [%rd1], 2; st.global.u32 [%rd1], 2;", "races");
    refused("ld.global.u32 %r2, [%rd1]; atom.global.add.u32 %r3, [%rd1], 2;", "races");
}

#[test]
fn accesses_outside_the_memory_or_not_aligned_are_refused() {
    let end = 4 * WORDS;
    assert!(run("", &format!("ld.global.u32 %r2, [%rd1+{}];", end - 4)).is_ok());
    refused(&format!("ld.global.u32 %r2, [%rd1+{end}];"), "reads outside");
    refused("ld.global.u32 %r2, [%rd1+-4];", "reads outside");
    refused(&format!("ld.global.v2.u32 {{%r2, %r3}}, [%rd1+{}];", end - 4), "aligned");
    refused(&format!("st.global.u64 [%rd1+{end}], %rd1;"), "writes outside");
    refused(&format!("red.global.add.u32 [%rd1+{end}], 1;"), "adds outside");
    refused("ld.global.u32 %r2, [%rd1+2];", "aligned");
    refused("ld.global.v4.u32 {%r2, %r3, %r4, %r5}, [%rd1+8];", "aligned");
    refused("st.global.u64 [%rd1+4], %rd1;", "aligned");
    refused("mov.u64 %rd5, 64; ld.local.u32 %r2, [%rd5];", "its own");
}

#[test]
fn memory_that_was_given_back_is_outside() {
    let device = module("", "st.global.u32 [%rd2], 1;").expect("a module");
    let memory = device.allocate(4 * WORDS).expect("memory");
    let arguments = [Argument::Word(Ptx::address(&memory))];
    drop(memory);
    // SAFETY: the machine allows no more than its memory.
    let fault = unsafe { device.launch("k", 1, &arguments) };
    assert!(matches!(fault, Err(Fault::Failed { .. })), "{fault:?}");
}

#[test]
fn a_thread_that_does_not_end_is_stopped() {
    refused("$L1: bra $L1;", "does not end");
}

#[test]
fn arguments_have_to_be_the_parameters() {
    let device = module("", "").expect("a module");
    for arguments in [&[][..], &[Argument::Word(0), Argument::Word(0)], &[Argument::Element([0; 4])]] {
        // SAFETY: the machine allows no more than its memory.
        let fault = unsafe { device.launch("k", 1, arguments) };
        assert!(matches!(&fault, Err(Fault::Failed { why, .. }) if why.contains("other sizes")), "{fault:?}");
    }
}

#[test]
fn what_is_not_known_is_an_error_with_its_name() {
    for unknown in [
        "bar.sync 0;",
        "ld.shared.u32 %r2, [%rd1];",
        "mov.u32 %r2, %laneid;",
        "mov.u32 %r2, z;",
        "frob.b32 %r2, 1;",
        "bra $L9;",
    ] {
        let what = module("", unknown).err().unwrap_or_else(|| panic!("{unknown} is read"));
        assert!(what.ends_with("in k"), "{what}");
    }
}
