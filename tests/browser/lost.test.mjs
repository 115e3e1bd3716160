/** The network and the server fail for real, in the middle of an answer: through a proxy that is cut, and by killing the server. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import net from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { MODEL, open, provider, startServer, withModel } from "./stage.mjs";
import { Gate } from "./provider.mjs";
import { Proxy } from "./proxy.mjs";

const SQL = "SELECT count(*) AS n FROM orders";

async function through(t, url) {
  const proxy = await Proxy.to(url);
  t.after(() => proxy.stop());
  return { proxy, chat: await open(t, { url: proxy.url, allowErrors: true }) };
}

test("a line cut twice in the middle of an answer costs no word and no second one", async (t) => {
  const { proxy, chat } = await through(t, withModel.url);
  const gates = [new Gate(), new Gate()];
  provider.script(SQL, ["One, two, ", gates[0], "three, four, ", gates[1], "five."]);
  await chat.type("Count to five");
  await chat.last.getByText("One, two,", { exact: true }).waitFor();
  proxy.cut();
  await chat.last.getByText("Reconnecting").waitFor();
  // Said while nobody listens.
  gates[0].open();
  await gates[1].reached;
  await chat.last.getByText("One, two, three, four,", { exact: true }).waitFor();
  proxy.cut();
  gates[1].open();
  await chat.last.getByText("One, two, three, four, five.", { exact: true }).waitFor();
  await chat.settled();
  assert.equal(provider.calls.length, 2, "the model was not asked again");
});

for (const [what, leave] of [
  ["a reload of the page", (page) => page.reload()],
  ["a move of the element to another place", (page) => page.evaluate(() => document.querySelector("main").prepend(document.querySelector("db-chat")))],
]) {
  test(`${what} in the middle of an answer costs no word`, async (t) => {
    // The conversation is not stored before its first answer, and browsers report the 404.
    const chat = await open(t, { allowErrors: true });
    const gate = new Gate();
    provider.script(SQL, ["Half, ", gate, "and the rest."]);
    await chat.type("Take your time");
    await chat.last.getByText("Half,", { exact: true }).waitFor();
    await leave(chat.page);
    await chat.last.getByText("Half,", { exact: true }).waitFor();
    gate.open();
    await chat.last.getByText("Half, and the rest.", { exact: true }).waitFor();
    assert.equal(provider.calls.length, 2);
  });
}

test("behind a proxy that lets no socket through, questions go over HTTP", async (t) => {
  const { proxy, chat } = await through(t, withModel.url);
  proxy.blocksSockets = true;
  proxy.cut();
  await chat.page.getByText("No live connection").waitFor();
  const gate = new Gate();
  provider.script(SQL, ["Word", gate, " by word."]);
  await chat.type("How many orders?");
  await chat.last.getByText("Word", { exact: true }).waitFor();
  gate.open();
  await chat.last.getByText("Word by word.").waitFor();
  await chat.settled();
  await chat.page.reload();
  await chat.turns.getByText("Word by word.").waitFor();
});

test("behind a proxy that never answers a handshake, questions go over HTTP", async (t) => {
  const { proxy, chat } = await through(t, withModel.url);
  proxy.swallowsSockets = true;
  proxy.cut();
  provider.script(SQL, ["Said over HTTP."]);
  await chat.type("How many orders?");
  await chat.last.getByText("Said over HTTP.").waitFor({ timeout: 60_000 });
});

test("an answer that died with its server is said to be lost, and can be asked again on another one", { timeout: 400_000 }, async (t) => {
  const port = await freePort();
  const redis = spawn("redis-server", ["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], { stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => redis.kill("SIGKILL"));
  for await (const line of redis.stdout) if (String(line).includes("Ready to accept connections")) break;
  const instances = await Promise.all([1, 2].map(() => startServer({ ...MODEL, REDIS_URL: `redis://127.0.0.1:${port}/0` })));
  t.after(() => Promise.all(instances.map((instance) => instance.stop())));

  const { proxy, chat } = await through(t, instances[0].url);
  const gate = new Gate();
  provider.script(SQL, ["Half an ans", gate]);
  await chat.type("How many orders?");
  await chat.last.getByText("Half an ans").waitFor();
  const failed = chat.page.evaluate(() => new Promise((resolve) => document.addEventListener("db-chat-error", ({ detail }) => resolve(detail), { once: true })));
  proxy.target = instances[1].url;
  await instances[0].stop("SIGKILL");
  assert.equal((await failed).code, "turn_lost");
  provider.script(SQL, "A whole answer.");
  await chat.last.getByRole("button", { name: "Ask again" }).click();
  await chat.last.getByText("A whole answer.").waitFor();
  assert.equal(await chat.turns.count(), 1);
});

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return String(port);
}
