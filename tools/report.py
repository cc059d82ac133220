#!/usr/bin/env python3
"""Puts the demo's figures together: writes report.json and prints the closing table.

Usage: report.py DIR MODEL-NAME MIN-TOTAL MIN-OUTPUT
DIR holds model.card, answer.receipt, prove.json (what `zkllm prove --json` printed), and from measure.py commit.run,
prove.run, verify.run. Exits 1, after the table, if the run has fewer tokens than asked for.
"""
import json
import os
import struct
import sys


def load(path: str) -> dict:
    with open(path) as file:
        return json.load(file)


def tokens_of(receipt: str) -> tuple[int, int]:
    """All tokens and those of the prompt, from the receipt: what is proved, whatever the prover says."""
    with open(receipt, "rb") as file:
        return struct.unpack_from("<II", file.read(50), 42)


def size(count: int) -> str:
    return f"{count:,} B"


def seconds(value: float | None) -> str:
    return "not reported" if value is None else f"{value:.2f} s"


def main() -> int:
    if len(sys.argv) != 5:
        print(__doc__, file=sys.stderr)
        return 2
    folder, name, min_total, min_output = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    at = lambda file: os.path.join(folder, file)
    said, commit, prove, verify = load(at("prove.json")), load(at("commit.run")), load(at("prove.run")), load(at("verify.run"))
    total, prompt = tokens_of(at("answer.receipt"))
    report = {
        "model": said.get("model", name),
        "prompt_tokens": prompt,
        "output_tokens": total - prompt,
        "output_text": said.get("output_text"),
        "receipt_bytes": os.path.getsize(at("answer.receipt")),
        "card_bytes": os.path.getsize(at("model.card")),
        "commit_s": commit["seconds"],
        # What the prover counts as proving; without such a figure the whole process, loading and generating included.
        "prove_s": said.get("prove_s", prove["seconds"]),
        "floor_s": said.get("floor_s"),
        "verify_s": verify["seconds"],
        "peak_bytes": max(commit["peak_bytes"], prove["peak_bytes"], verify["peak_bytes"]),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        # More than the contract asks for.
        "prove_process_s": prove["seconds"],
        "commit_peak_bytes": commit["peak_bytes"],
        "prove_peak_bytes": prove["peak_bytes"],
        "verify_peak_bytes": verify["peak_bytes"],
    }
    with open(at("report.json.part"), "w") as out:
        json.dump(report, out, indent=2, ensure_ascii=False)
        out.write("\n")
    os.replace(at("report.json.part"), at("report.json"))

    floor = report["floor_s"]
    rows = [
        ("model", report["model"]),
        ("tokens", f"{total} = {prompt} prompt + {total - prompt} generated"),
        ("proof (receipt)", size(report["receipt_bytes"])),
        ("card", size(report["card_bytes"])),
        ("commit, once a model", seconds(report["commit_s"])),
        ("prove", seconds(report["prove_s"])),
        ("  floor from its own plan", seconds(floor)),
        ("  measured / floor", f"{report['prove_s'] / floor:.1f}" if floor else "not reported"),
        ("  with loading and generating", seconds(report["prove_process_s"])),
        ("verify, separate process", seconds(report["verify_s"])),
        ("peak memory: commit", size(report["commit_peak_bytes"])),
        ("peak memory: prove", size(report["prove_peak_bytes"])),
        ("peak memory: verify", size(report["verify_peak_bytes"])),
        ("cores", str(report["cores"])),
    ]
    width = max(len(left) for left, _ in rows)
    print()
    for left, right in rows:
        print(f"  {left:<{width}}  {right}")
    print()
    if total < min_total or total - prompt < min_output:
        print(f"report.py: {total} tokens with {total - prompt} generated; the demo asks for {min_total} with {min_output}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
