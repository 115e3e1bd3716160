/** What happens while an answer is on its way: words, stages, stop, trouble. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { open, provider, watchLongTasks } from "./stage.mjs";
import { Gate } from "./provider.mjs";

const SQL = "SELECT count(*) AS n FROM orders";

test("words are on the screen while the provider is still sending", async (t) => {
  const chat = await open(t);
  const gates = [new Gate(), new Gate()];
  provider.script(SQL, ["The first ", "words", gates[0], " and the middle", gates[1], " and the end."]);
  await chat.type("How many orders?");
  await gates[0].reached;
  await chat.last.getByText("The first words", { exact: true }).waitFor();
  assert.equal(await chat.stop.isVisible(), true);
  gates[0].open();
  await chat.last.getByText("The first words and the middle", { exact: true }).waitFor();
  gates[1].open();
  await chat.last.getByText("The first words and the middle and the end.", { exact: true }).waitFor();
  await chat.settled();
});

test("the status line says what is happening, and the SQL is there before the rows", async (t) => {
  const chat = await open(t);
  const writing = new Gate();
  const narrating = new Gate();
  provider.script([writing, SQL], [narrating, "Done."]);
  await chat.type("How many orders?");
  await chat.last.getByText("Writing a query").waitFor();
  writing.open();
  await chat.last.getByText("Writing the answer").waitFor();
  await chat.last.getByText("SQL", { exact: true }).waitFor();
  narrating.open();
  await chat.settled();
  assert.equal(await chat.last.getByText("Writing the answer").isVisible(), false);
});

for (const [how, act] of [
  ["the stop button", (chat) => chat.stop.click()],
  ["Escape", (chat) => chat.input.press("Escape")],
]) {
  test(`${how} stops the answer and hangs up on the provider`, async (t) => {
    const chat = await open(t);
    const gate = new Gate();
    provider.script(SQL, ["Half an ans", gate, "wer"]);
    await chat.type("How many orders?");
    await chat.last.getByText("Half an ans").waitFor();
    await act(chat);
    await gate.hungUp;
    await chat.last.getByText("Stopped.").waitFor();
    assert.equal(await chat.last.getByText("Half an ans").isVisible(), true, "what was said stays");

    provider.script(SQL, "A whole answer.");
    await chat.last.getByRole("button", { name: "Ask again" }).click();
    await chat.settled();
    await chat.last.getByText("A whole answer.").waitFor();
    assert.equal(await chat.turns.count(), 1, "the new try takes the old one's place");
  });
}

test("stopping while the query is being written works too", async (t) => {
  const chat = await open(t);
  const gate = new Gate();
  provider.script([gate, SQL]);
  await chat.type("How many orders?");
  await gate.reached;
  await chat.stop.click();
  await gate.hungUp;
  await chat.last.getByText("Stopped.").waitFor();
});

test("a provider that is down is explained, and asking again works when it is back", async (t) => {
  const chat = await open(t);
  provider.script({ status: 503 }, { status: 503 }, { status: 503 });
  await chat.ask("How many orders?");
  const text = await chat.last.innerText();
  assert.doesNotMatch(text, /503|undefined|null|127\.0\.0\.1|scripted/);
  provider.script(SQL, "It works again.");
  await chat.last.getByRole("button", { name: "Ask again" }).click();
  await chat.last.getByText("It works again.").waitFor();
  assert.equal(await chat.turns.count(), 1);
});

test("a screen reader hears the beginning and the end, not every word", async (t) => {
  const chat = await open(t);
  const words = Array.from({ length: 200 }, (_, number) => `word${number} `);
  provider.script(SQL, words);
  await chat.page.evaluate(() => {
    const live = document.querySelector("db-chat").shadowRoot.querySelector("[role=status]");
    window.heard = [];
    new MutationObserver(() => window.heard.push(live.textContent)).observe(live, { childList: true, characterData: true, subtree: true });
  });
  await chat.ask("Many words, please");
  await chat.until(() => window.heard.some((text) => text.includes("word199")));
  const heard = await chat.page.evaluate(() => window.heard);
  const stages = heard.slice(0, -1);
  assert.ok(stages.includes("Writing the answer"), stages.join(" | "));
  assert.ok(stages.length < 10 && stages.every((text) => !text.includes("word")), stages.join(" | ").slice(0, 500));
});

test("the page stays responsive while 2,000 words arrive at full speed", async (t) => {
  const chat = await open(t);
  const longest = async (words) => {
    provider.script(SQL, Array.from({ length: words }, (_, number) => `w${number}${number % 100 === 99 ? ".\n\n" : " "}`));
    await chat.page.evaluate(watchLongTasks);
    await chat.ask("Words, please");
    await chat.last.getByText(`w${words - 1}.`).waitFor();
    return chat.page.evaluate(() => window.longest);
  };
  const [few, many] = [await longest(200), await longest(2000)];
  t.diagnostic(`longest task while streaming 200 words: ${few} ms, 2,000 words: ${many} ms`);
  assert.equal(await chat.last.locator(".prose > p").count(), 20);
  // No matter of the machine's speed: what is drawn again with every word does not grow with the answer.
  assert.ok(many <= 10 * Math.max(50, few), `${few} ms, ${many} ms`);
});
