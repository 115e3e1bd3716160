/** A socket that comes back, HTTP where there is none, one final frame for each question. */

const ATTEMPTS_BEFORE_HTTP = 2;
const ATTEMPTS_BEFORE_LOST = 6;
const BACKOFF_FIRST_MS = 400;
const BACKOFF_MAX_MS = 20_000;

/** Hard to guess; `crypto.randomUUID` is missing on plain-HTTP pages. */
export const newRequestId = () => `q-${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;

export const isFinal = (frame) => frame.type === "chat_response" || frame.type === "error";

export function connect(server, { onFrame, onState, onGreeting }) {
	let socket = null;
	let timer = null;
	let dialing = false;
	let failures = 0;
	let closed = false;
	const pending = new Map();

	const isOpen = () => socket?.readyState === WebSocket.OPEN;
	const send = (frame) => socket.send(JSON.stringify(frame));

	async function dial() {
		clearTimeout(timer);
		timer = null;
		if (closed || socket || dialing) return;
		onState(failures === 0 ? "connecting" : "retrying");
		let dialed;
		try {
			dialing = true;
			const url = await server.socketUrl();
			if (closed) return;
			dialed = new WebSocket(url);
		} catch {
			return lost();
		} finally {
			dialing = false;
		}
		socket = dialed;
		dialed.onopen = opened;
		dialed.onmessage = (event) => dialed === socket && read(event.data);
		dialed.onclose = () => dialed === socket && lost();
	}

	function opened() {
		failures = 0;
		onState("connected");
		for (const turn of pending.values()) if (!turn.http) say(turn);
	}

	function say(turn) {
		const { question, seq } = turn;
		turn.resumed = turn.sent;
		turn.sent = true;
		send(turn.resumed ? { type: "resume", request_id: question.request_id, after: seq } : question);
	}

	function lost() {
		socket = null;
		if (closed) return;
		failures += 1;
		const useHttp = failures >= ATTEMPTS_BEFORE_HTTP;
		for (const turn of [...pending.values()]) {
			if (turn.http) continue;
			if (!turn.sent && useHttp) askOverHttp(turn);
			if (turn.sent && failures >= ATTEMPTS_BEFORE_LOST) fail(turn, "connection_lost");
		}
		onState(useHttp ? "fallback" : "retrying");
		const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (failures - 1));
		// Half of it random: a restarted server is not met by all its clients at once.
		timer = setTimeout(dial, ceiling / 2 + (Math.random() * ceiling) / 2);
	}

	async function askOverHttp(turn) {
		turn.http = new AbortController();
		fail(turn, (await server.ask(turn.question, turn.http.signal, (frame) => deliver(turn, frame))) ?? "connection_lost");
	}

	function read(text) {
		let frame;
		try {
			frame = JSON.parse(text);
		} catch {
			return;
		}
		if (frame.stage === "connected") onGreeting(frame);
		const silent = [...pending.values()].filter(({ sent, seq }) => sent && seq === 0);
		// An error without an id is about a frame that could not be read.
		const turn = pending.get(frame.request_id) ?? (frame.type === "error" && !frame.request_id && silent.length === 1 && silent[0]);
		if (!turn) return;
		const isRefusal = frame.type === "error" && frame.seq === undefined;
		if (!isRefusal) deliver(turn, frame);
		// A refused resume: the question is gone, or may as well be.
		else if (turn.resumed) fail(turn, "connection_lost");
		// A refused question. Later refusals are about other frames of ours.
		else if (turn.seq === 0) deliver(turn, frame);
	}

	function deliver(turn, frame) {
		const { request_id } = turn.question;
		if (pending.get(request_id) !== turn) return;
		if (typeof frame.seq === "number") {
			if (frame.seq <= turn.seq) return;
			turn.seq = frame.seq;
		}
		if (isFinal(frame)) pending.delete(request_id);
		onFrame({ ...frame, request_id });
	}

	const fail = (turn, code) => deliver(turn, { type: "error", code, message: null, retryable: true });

	const leave = new AbortController();
	addEventListener("online", () => timer !== null && dial(), leave);
	dial();

	return {
		ask(question, sent = false) {
			const turn = { question, seq: 0, sent, resumed: false, http: null };
			pending.set(question.request_id, turn);
			if (isOpen()) say(turn);
			else if (failures >= ATTEMPTS_BEFORE_HTTP && !sent) askOverHttp(turn);
			else if (timer !== null) dial();
		},
		cancel(requestId) {
			const turn = pending.get(requestId);
			if (!turn) return;
			if (turn.sent && isOpen()) return send({ type: "cancel", request_id: requestId });
			turn.http?.abort();
			fail(turn, "cancelled");
		},
		close() {
			closed = true;
			leave.abort();
			clearTimeout(timer);
			for (const turn of pending.values()) turn.http?.abort();
			pending.clear();
			// Not 1000, which stops the question: an element that was only moved takes it up again.
			socket?.close();
			socket = null;
		},
	};
}
