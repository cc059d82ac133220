//! Decides what NVRTC is on a machine without it: `libnvrtc.so`, whose kernels the stand-in for the driver takes.
//!
//! `ZKLLM_STANDIN_NVRTC` is what it has to say against the source, if anything. For tests only.

#![allow(clippy::missing_safety_doc)] // NVRTC's documentation has them.

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr::null_mut;

use cudarc::nvrtc::sys::{nvrtcProgram, nvrtcResult};
use zkllm_cuda_shim::IMAGE;

/// Of what is asked of it, the program in the handle's place.
struct Program {
    log: CString,
}

fn program<'a>(handle: nvrtcProgram) -> &'a Program {
    // SAFETY: of nvrtcCreateProgram, and not destroyed.
    unsafe { &*handle.cast() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcVersion(major: *mut c_int, minor: *mut c_int) -> nvrtcResult {
    unsafe {
        major.write(13);
        minor.write(0);
    }
    nvrtcResult::NVRTC_SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcCreateProgram(
    handle: *mut nvrtcProgram,
    _: *const c_char,
    _: *const c_char,
    _: c_int,
    _: *const *const c_char,
    _: *const *const c_char,
) -> nvrtcResult {
    let log = std::env::var("ZKLLM_STANDIN_NVRTC").unwrap_or_default();
    let program = Box::new(Program { log: CString::new(log).expect("a variable has no NUL") });
    unsafe { handle.write(Box::into_raw(program).cast()) };
    nvrtcResult::NVRTC_SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcDestroyProgram(handle: *mut nvrtcProgram) -> nvrtcResult {
    unsafe {
        drop(Box::from_raw((*handle).cast::<Program>()));
        handle.write(null_mut());
    }
    nvrtcResult::NVRTC_SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcCompileProgram(
    handle: nvrtcProgram,
    count: c_int,
    options: *const *const c_char,
) -> nvrtcResult {
    // SAFETY: the caller's options.
    let first = unsafe { CStr::from_ptr(if count > 0 { *options } else { c"".as_ptr() }) };
    if first != c"--gpu-architecture=sm_90" {
        return nvrtcResult::NVRTC_ERROR_INVALID_OPTION;
    }
    match program(handle).log.is_empty() {
        true => nvrtcResult::NVRTC_SUCCESS,
        false => nvrtcResult::NVRTC_ERROR_COMPILATION,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetProgramLogSize(handle: nvrtcProgram, size: *mut usize) -> nvrtcResult {
    unsafe { size.write(program(handle).log.as_bytes_with_nul().len()) };
    nvrtcResult::NVRTC_SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetProgramLog(handle: nvrtcProgram, log: *mut c_char) -> nvrtcResult {
    let text = program(handle).log.as_bytes_with_nul();
    unsafe { log.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), text.len()) };
    nvrtcResult::NVRTC_SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetCUBINSize(_: nvrtcProgram, size: *mut usize) -> nvrtcResult {
    unsafe { size.write(IMAGE.len()) };
    nvrtcResult::NVRTC_SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetCUBIN(_: nvrtcProgram, image: *mut c_char) -> nvrtcResult {
    unsafe { image.cast::<u8>().copy_from_nonoverlapping(IMAGE.as_ptr(), IMAGE.len()) };
    nvrtcResult::NVRTC_SUCCESS
}
