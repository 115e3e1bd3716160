/**
 * The plain HTTP side of the protocol: a question answered as server-sent events, and the history.
 *
 * In: the server's base URL and what to ask; out: the same frames as on the socket. Keeps nothing.
 */

/** An address on the server; `server` may have a path of its own in front. */
export function restUrl(server, path) {
  return server.replace(/\/+$/, "") + path;
}

/**
 * Asks over REST and hands each frame to `onFrame`. Resolves, never rejects: to `null` when the
 * stream ended by itself (the caller knows whether a final frame came), otherwise to a code.
 */
export async function askOverRest(server, question, signal, onFrame) {
  try {
    const response = await fetch(restUrl(server, "/api/chat/query/"), {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "text/event-stream" },
      body: JSON.stringify(question),
      signal,
    });
    const type = response.headers.get("Content-Type") ?? "";
    if (response.ok && type.startsWith("text/event-stream")) {
      for await (const data of eventsOf(response.body)) onFrame(JSON.parse(data));
      return null;
    }
    const body = await response.json();
    if (response.ok) onFrame({ type: "chat_response", ...body });
    else onFrame({ type: "error", code: body.code, message: body.error, retryable: response.status >= 500 || response.status === 429 });
    return null;
  } catch (error) {
    if (signal.aborted) return "cancelled";
    return error instanceof SyntaxError ? "unexpected" : "unreachable";
  }
}

/** The stored conversation: its turns, or `null` when the server has none of that id. */
export async function loadHistory(server, conversationId) {
  const response = await fetch(restUrl(server, `/api/chat/conversations/${encodeURIComponent(conversationId)}/`), {
    headers: { Accept: "application/json" },
  });
  if (response.status === 404 || response.status === 400) return null;
  if (!response.ok) throw new Error(`history: status ${response.status}`);
  return (await response.json()).turns;
}

/** The `data` of each server-sent event (WHATWG HTML, section 9.2). */
async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let data = [];
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (data.length > 0) yield data.join("\n");
        data = [];
      } else if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
    }
  }
}
