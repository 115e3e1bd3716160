/** Plain HTTP. Tokens are asked for each time, go into a header only, and are not kept. */

export function serverAt(base, host) {
	async function call(path, { body, headers, ...more } = {}) {
		const token = await (async () => host.getToken?.())().catch(() => null);
		const all = { ...(token && { Authorization: `Bearer ${token}` }), ...(body && { "Content-Type": "application/json" }), ...headers };
		return fetch(base + path, { ...more, headers: all, body: body && JSON.stringify(body) });
	}

	async function read(path, options) {
		const response = await call(path, options);
		if ([400, 404, 405].includes(response.status)) return null;
		if (!response.ok) throw new Error(`status ${response.status}`);
		return response.status === 204 ? {} : response.json();
	}

	/** Browsers can't set headers on a socket: a ticket for one use goes into its address. */
	async function ticket() {
		if (host.getTicket) return host.getTicket();
		if (host.ticketUrl) return (await (await fetch(host.ticketUrl, { method: "POST", credentials: "include" })).json()).ticket;
		return host.getToken && (await read("/api/chat/ticket/", { method: "POST" }))?.ticket;
	}

	const conversations = "/api/chat/conversations/";
	const one = (id) => `${conversations}${encodeURIComponent(id)}/`;
	return {
		async socketUrl() {
			const proof = await ticket();
			return `${base.replace(/^http/, "ws")}/ws/db_chat/query/${proof ? `?ticket=${encodeURIComponent(proof)}` : ""}`;
		},
		knowsWho: () => host.getToken,
		/** A ticket opens a socket and nothing else. */
		isHttpOurs: () => host.getToken || !(host.getTicket || host.ticketUrl),
		list: async () => (await read(conversations))?.conversations,
		history: async (id) => (await read(one(id)))?.turns ?? null,
		rename: (id, title) => read(one(id), { method: "PATCH", body: { title } }),
		forget: (id) => read(one(id), { method: "DELETE" }),
		rate: (rating) => read("/api/chat/feedback/", { method: "POST", body: rating }),

		async ask(question, signal, onFrame) {
			let response;
			try {
				response = await call("/api/chat/query/", { method: "POST", body: question, signal, headers: { Accept: "text/event-stream" } });
				if (response.ok && response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
					for await (const data of eventsOf(response.body)) onFrame(JSON.parse(data));
					return null;
				}
				const body = await response.json();
				onFrame(response.ok ? { type: "chat_response", ...body } : { type: "error", code: body.code, message: body.error, retryable: response.status >= 500 || [401, 429].includes(response.status) });
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
