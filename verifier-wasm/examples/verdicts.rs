//! Prints the native verdict on pairs of files, one JSON object a line, to compare other builds of the verifier with.
//! Usage: verdicts CARD RECEIPT [CARD RECEIPT]..

use std::time::Instant;

fn main() -> std::io::Result<()> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    for pair in paths.chunks_exact(2) {
        let (card, receipt) = (std::fs::read(&pair[0])?, std::fs::read(&pair[1])?);
        let start = Instant::now();
        let outcome = zkllm_verifier_wasm::outcome::verify(&card, &receipt, &Default::default(), &mut |_, _, _| ());
        let milliseconds = start.elapsed().as_secs_f64() * 1e3;
        println!("{}", serde_json::json!({ "outcome": outcome, "milliseconds": milliseconds }));
    }
    Ok(())
}
