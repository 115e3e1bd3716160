/** Plain HTTP. Tokens are asked for each time, go into a header only, and are not kept. */

export function serverAt(base, host) {
	async function call(method, path, body, headers, signal) {
		const token = await (async () => host.getToken?.())().catch(() => null);
		const all = { ...(token && { Authorization: `Bearer ${token}` }), ...(body && { "Content-Type": "application/json" }), ...headers };
		return fetch(base + path, { method, headers: all, signal, body: body && JSON.stringify(body) });
	}

	async function read(...request) {
		const response = await call(...request);
		if ([400, 404, 405].includes(response.status)) return null;
		if (!response.ok) throw new Error(`status ${response.status}`);
		return response.status === 204 ? {} : response.json();
	}

	/** Browsers can't set headers on a socket: a ticket for one use goes into its address. */
	async function ticket() {
		if (host.getTicket) return host.getTicket();
		if (host.ticketUrl) return (await (await fetch(host.ticketUrl, { method: "POST", credentials: "include" })).json()).ticket;
		return host.getToken && (await read("POST", "/api/chat/ticket/"))?.ticket;
	}

	const conversations = "/api/chat/conversations/";
	const one = (id) => `${conversations}${encodeURIComponent(id)}/`;
	return {
		async socketUrl() {
			const proof = await ticket();
			return `${base.replace(/^http/, "ws")}/ws/db_chat/query/${proof ? `?ticket=${encodeURIComponent(proof)}` : ""}`;
		},
		/** A ticket opens a socket and nothing else. */
		isHttpOurs: () => host.getToken || !(host.getTicket || host.ticketUrl),
		list: async () => host.getToken && (await read("GET", conversations))?.conversations,
		history: async (id) => (await read("GET", one(id)))?.turns ?? null,
		rename: async (id, title) => host.getToken && read("PATCH", one(id), { title }),
		forget: (id) => read("DELETE", one(id)),
		rate: (rating) => read("POST", "/api/chat/feedback/", rating),

		/** A code, where no final frame came. */
		async ask(question, signal, onFrame) {
			let response;
			try {
				response = await call("POST", "/api/chat/query/", question, { Accept: "text/event-stream" }, signal);
				if (response.ok) for await (const data of eventsOf(response.body)) onFrame(JSON.parse(data));
				else {
					const { code, error: message } = await response.json();
					onFrame({ type: "error", code, message, retryable: response.status >= 500 || [401, 429].includes(response.status) });
				}
				return null;
			} catch (error) {
				if (signal.aborted) return "cancelled";
				if (response) return error instanceof SyntaxError ? "unexpected" : "connection_lost";
				// A refused page can't read any response; that there is one tells it from no server.
				return fetch(`${base}/healthz`, { mode: "no-cors" }).then(() => "origin_not_allowed", () => "unreachable");
			}
		},
	};
}

async function* eventsOf(body) {
	const reader = body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = "";
	for (;;) {
		const { value, done } = await reader.read();
		if (done) return;
		const events = (rest + value).split("\n\n");
		rest = events.pop();
		for (const event of events) yield* event.match(/(?<=^data: ).+/gm) ?? [];
	}
}
