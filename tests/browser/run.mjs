/**
 * Runs every browser test in one process, because they share two servers and a browser.
 * `DB_CHAT_BINARY` and `CHROMIUM` name other binaries than the usual ones; a word on the command
 * line picks the files whose name holds it. With `STATIC_FROM_DISK` set, pages get the files of `static/` as they are now.
 */
import fs from "node:fs";

const picked = process.argv[2] ?? "";
const files = fs.readdirSync(new URL(".", import.meta.url)).filter((name) => name.endsWith(".test.mjs") && name.includes(picked));
for (const file of files.sort()) await import(`./${file}`);
