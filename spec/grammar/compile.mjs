// Decides `node compile.mjs MODULES OUT FILE..`: the parsers in Python of grammars in the notation of Kaitai Struct.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [modules, out, ...files] = process.argv.slice(2);
const require = createRequire(join(resolve(modules), "x.js"));
const compiler = require("kaitai-struct-compiler");
const yaml = require("yaml");
for (const file of files) {
    const made = await compiler.compile("python", yaml.parse(readFileSync(file, "utf8")), undefined, false);
    for (const [name, text] of Object.entries(made)) writeFileSync(join(out, name), text);
}
