//! Decides where the kernels come from: compiled with the crate, else by NVRTC and kept on disk for the next run.

use std::ffi::{CString, c_char};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use cudarc::nvrtc::{result, sys};

use crate::device::Fault;

/// All kernels in one file.
const SOURCE: &str = include_str!(concat!(env!("OUT_DIR"), "/kernels.cu"));
/// Compiled for 8.0, 9.0 and what comes after; empty where the crate was built without a compiler for GPUs.
const COMPILED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kernels.fatbin"));

/// The kernels for GPUs of one compute capability, in a form that the driver loads.
pub struct Image {
    pub bytes: Vec<u8>,
    /// How it was had.
    pub origin: &'static str,
}

/// Where kernels come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Program,
    /// What an earlier run has left on disk, else as the next one.
    Kept,
    Compiler,
}

/// Where to look for them, one after the other: a driver that is too old for the first takes others.
pub fn sources((major, _): (i32, i32)) -> impl Iterator<Item = Source> {
    let program = (!COMPILED.is_empty() && major >= 8).then_some(Source::Program);
    program.into_iter().chain([Source::Kept, Source::Compiler])
}

/// The kernels for a GPU of compute capability `major.minor`, from one of its [`sources`].
pub fn image((major, minor): (i32, i32), source: Source) -> Result<Image, Fault> {
    if source == Source::Program {
        return Ok(Image { bytes: COMPILED.to_vec(), origin: "compiled with the program" });
    }
    let version = version()?;
    let mut hash = DefaultHasher::new();
    SOURCE.hash(&mut hash);
    let name = format!("kernels-{:016x}-sm_{major}{minor}-nvrtc_{}.{}.cubin", hash.finish(), version.0, version.1);
    let path = cache().map(|directory| directory.join(name));
    let kept = path.as_ref().filter(|_| source == Source::Kept).and_then(|path| std::fs::read(path).ok());
    if let Some(bytes) = kept {
        return Ok(Image { bytes, origin: "compiled by an earlier run" });
    }
    let bytes = compile(major, minor)?;
    if let Some(path) = path {
        // A cache that cannot be written costs time and no more.
        let _ = keep(&path, &bytes);
    }
    Ok(Image { bytes, origin: "compiled by this run" })
}

/// The directory of caches, by the rules of the XDG.
fn cache() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()).or_else(home)?;
    Some(base.join("zkllm"))
}

/// Written aside and renamed: nobody reads half a file.
fn keep(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let aside = path.with_extension(format!("{}.part", std::process::id()));
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    std::fs::write(&aside, bytes)?;
    std::fs::rename(&aside, path).inspect_err(|_| _ = std::fs::remove_file(&aside))
}

fn missing() -> Fault {
    Fault::NoKernels(
        "this program was built without nvcc, and the library NVRTC of CUDA 12 or newer was not found; install it, or \
         build where nvcc is found"
            .to_string(),
    )
}

fn version() -> Result<(i32, i32), Fault> {
    // SAFETY: only opens the library.
    if !unsafe { sys::is_culib_present() } {
        return Err(missing());
    }
    let (mut major, mut minor) = (0, 0);
    // SAFETY: writes two integers.
    unsafe { sys::nvrtcVersion(&mut major, &mut minor) }.result().map_err(|_| missing())?;
    Ok((major, minor))
}

/// Compiles the kernels by NVRTC, for one compute capability. Needs no GPU.
///
/// # Errors
/// No NVRTC, or what it says.
pub fn compile(major: i32, minor: i32) -> Result<Vec<u8>, Fault> {
    version()?;
    let fault = |why: String| Fault::NoKernels(format!("NVRTC does not compile the kernels: {why}"));
    let source = CString::new(SOURCE).map_err(|error| fault(error.to_string()))?;
    let program = result::create_program(&source, Some(c"kernels.cu")).map_err(|error| fault(format!("{error:?}")))?;
    let options = [format!("--gpu-architecture=sm_{major}{minor}"), "--std=c++17".to_string()];
    // SAFETY: the program was just made and is destroyed below; the sizes are those that NVRTC says.
    unsafe {
        let outcome = result::compile_program(program, &options).map_err(|_| {
            let log = result::get_program_log(program).unwrap_or_default();
            let text: Vec<u8> = log.into_iter().map(|c| c as u8).take_while(|c| *c != 0).collect();
            fault(String::from_utf8_lossy(&text).into_owned())
        });
        let cubin = outcome.and_then(|()| {
            let mut size = 0;
            sys::nvrtcGetCUBINSize(program, &mut size).result().map_err(|error| fault(format!("{error:?}")))?;
            let mut bytes = vec![0u8; size];
            let place = bytes.as_mut_ptr().cast::<c_char>();
            sys::nvrtcGetCUBIN(program, place).result().map_err(|error| fault(format!("{error:?}")))?;
            Ok(bytes)
        });
        let _ = result::destroy_program(program);
        cubin
    }
}
