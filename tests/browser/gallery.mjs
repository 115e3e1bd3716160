/**
 * Pictures of everything that the widget can look like, for a person to look at: `node tests/browser/gallery.mjs FOLDER [STATE-PART]`.
 * With `STATIC_FROM_DISK` set, of the files of `static/` as they are now.
 */
import fs from "node:fs";
import { test } from "node:test";
import { hostUrl, offline, open } from "./stage.mjs";
import { STATES, prepare, reach } from "./states.mjs";

const [folder, part = ""] = process.argv.slice(2);
fs.mkdirSync(folder, { recursive: true });
const LOOKS = [
  ["phone-light", { viewport: { width: 390, height: 844 }, colorScheme: "light" }],
  ["tablet-dark", { viewport: { width: 820, height: 1100 }, colorScheme: "dark" }],
  ["desktop-light", { viewport: { width: 1280, height: 800 }, colorScheme: "light" }],
  ["desktop-dark", { viewport: { width: 1280, height: 800 }, colorScheme: "dark" }],
  ["phone-dark", { viewport: { width: 390, height: 844 }, colorScheme: "dark" }],
  ["zoomed-light", { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2, colorScheme: "light" }],
];

for (const [name, state] of Object.entries(STATES)) {
  if (!name.includes(part)) continue;
  for (const [look, options] of LOOKS) {
    if (!look.includes(process.env.LOOK ?? "")) continue;
    test(`${name}, ${look}`, async (t) => {
      const chat = await open(t, { url: state.isElsewhere ? hostUrl : offline.url, allowErrors: true, prepare: prepare(state), ...options });
      await reach(chat, state);
      await chat.page.evaluate(() => document.querySelector("db-chat").scrollIntoView({ block: "nearest" }));
      await chat.page.screenshot({ path: `${folder}/${name.replaceAll(/\W+/g, "-")}-${look}.png` });
    });
  }
}
