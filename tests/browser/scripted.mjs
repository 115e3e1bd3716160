/** A server that says what a test wants to see on the page, and nothing that it has to work for. */

const ANSWER = { type: "chat_response", reply: "", sql_query: null, columns: [], rows: [], truncated: false };
export const CONVERSATION = "3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b";

/**
 * Takes the place of the server's socket in a page. Each question is answered with the next of `answers`, the last one again and
 * again: the fields of a final frame, after `pieces` tokens of its reply. `begun` answers stop before their final frame, and where they
 * are `lost`, the line is cut there for good.
 */
export async function answering(page, ...answers) {
  let isCut = false;
  await page.route(/\/api\/chat\/feedback\//, (route) => route.fulfill({ status: 204 }));
  await page.routeWebSocket(/\/ws\/db_chat\/query\//, (socket) => {
    if (isCut) return socket.close({ code: 1001 });
    socket.send(JSON.stringify({ type: "status", stage: "connected", message: "Connected", feedback: true }));
    socket.onMessage((text) => {
      const { request_id } = JSON.parse(text);
      const { pieces = 0, begun = false, lost = false, ...answer } = answers.length > 1 ? answers.shift() : answers[0];
      let seq = 0;
      const say = (frame) => socket.send(JSON.stringify({ request_id, conversation_id: CONVERSATION, seq: (seq += 1), ...frame }));
      if (begun) say({ type: "status", stage: "narrating", message: "Writing the answer" });
      if (begun && answer.sql_query) say({ type: "sql", sql_query: answer.sql_query });
      const size = Math.ceil((answer.reply?.length ?? 0) / pieces);
      for (let at = 0; at < pieces; at += 1) say({ type: "llm_token", token: answer.reply.slice(at * size, (at + 1) * size) });
      isCut = lost;
      if (lost) socket.close({ code: 1001 });
      if (!begun) say({ ...ANSWER, row_count: answer.rows?.length ?? 0, ...answer });
    });
  });
}
