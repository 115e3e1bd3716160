/** A socket that comes back, HTTP where there is none, one final frame per question. */

const ATTEMPTS_BEFORE_HTTP = 2;
const ATTEMPTS_BEFORE_UNREACHABLE = 4;
const ATTEMPTS_BEFORE_LOST = 6;
const BACKOFF_FIRST_MS = 400;
const BACKOFF_MAX_MS = 20_000;
const DIAL_MAX_MS = 8_000;

/** Hard to guess; plain-HTTP pages have no `crypto.randomUUID`. */
export const newRequestId = () => `q-${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;

export const isFinal = ({ type }) => type === "chat_response" || type === "error";

/** Half random: not all clients meet a restarted server at once. */
function pauseAfter(failures) {
	const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (failures - 1));
	return (ceiling / 2) * (1 + Math.random());
}

export function connect(server, { onFrame, onState, onGreeting }) {
	let socket = null;
	let timer = null;
	let failures = 0;
	/** The question on its way; the one before was stopped. */
	let turn = null;
	const leave = new AbortController();

	const isOpen = () => socket?.readyState === WebSocket.OPEN;
	const send = (frame) => socket.send(JSON.stringify(frame));

	async function dial() {
		clearTimeout(timer);
		timer = null;
		if (leave.signal.aborted || socket) return;
		onState(failures === 0 ? "connecting" : "retrying");
		// Keeps the place until the address is there.
		socket = {};
		let dialed;
		try {
			const url = await server.socketUrl();
			if (leave.signal.aborted) return;
			socket = dialed = new WebSocket(url);
		} catch {
			return lost();
		}
		setTimeout(() => dialed.readyState || dialed.close(), DIAL_MAX_MS);
		dialed.onopen = () => {
			failures = 0;
			onState("connected");
			if (turn && !turn.http) say();
		};
		dialed.onmessage = (event) => dialed === socket && read(event.data);
		dialed.onclose = () => dialed === socket && lost();
	}

	function say() {
		const { question, sent, seq } = turn;
		Object.assign(turn, { resumed: sent, sent: true });
		send(sent ? { type: "resume", request_id: question.request_id, after: seq } : question);
	}

	function lost() {
		socket = null;
		if (leave.signal.aborted) return;
		failures += 1;
		const useHttp = failures >= ATTEMPTS_BEFORE_HTTP;
		if (turn?.sent && failures >= ATTEMPTS_BEFORE_LOST) fail("connection_lost");
		else if (turn && !turn.sent && !turn.http && useHttp) askOverHttp();
		onState(useHttp ? "fallback" : "retrying");
		timer = setTimeout(dial, pauseAfter(failures));
	}

	async function askOverHttp() {
		const asked = turn;
		asked.http = new AbortController();
		const code = await server.ask(asked.question, asked.http.signal, (frame) => asked === turn && deliver(frame));
		asked.http = null;
		if (asked !== turn) return;
		if (code !== "unreachable" || turn.seq > 0 || failures >= ATTEMPTS_BEFORE_UNREACHABLE) fail(code ?? "connection_lost");
		// Nothing was heard, so nothing is heard twice. If not, the next lost socket tries again.
		else if (isOpen()) say();
	}

	function read(text) {
		let frame;
		try {
			frame = JSON.parse(text);
		} catch {
			return;
		}
		if (frame.stage === "connected") onGreeting(frame);
		// Without an id, an error is about a frame that was not read.
		const id = frame.request_id ?? (frame.type === "error" && turn?.seq === 0 && turn.question.request_id);
		if (!turn?.sent || id !== turn.question.request_id) return;
		const waiting = turn;
		if (frame.type !== "error" || frame.seq !== undefined) deliver(frame);
		// A refused question. Later refusals are about other frames.
		else if (!turn.resumed) turn.seq === 0 && deliver(frame);
		// A refused resume: the question is gone, or nobody knows now.
		else if (!frame.retryable || (turn.refusals += 1) >= ATTEMPTS_BEFORE_LOST) fail("connection_lost");
		else setTimeout(() => waiting === turn && isOpen() && say(), frame.retry_after_ms ?? pauseAfter(turn.refusals));
	}

	function deliver(frame) {
		const { request_id } = turn.question;
		if (frame.seq <= turn.seq) return;
		turn.seq = frame.seq ?? turn.seq;
		if (isFinal(frame)) turn = null;
		onFrame({ ...frame, request_id });
	}

	const fail = (code) => deliver({ type: "error", code, message: null, retryable: true });

	addEventListener("online", () => timer !== null && dial(), leave);
	dial();

	return {
		ask(question, sent = false) {
			turn = { question, sent, seq: 0, refusals: 0 };
			if (isOpen()) say();
			else if (failures >= ATTEMPTS_BEFORE_HTTP && !sent) askOverHttp();
			else if (timer !== null) dial();
		},
		cancel() {
			if (!turn) return;
			if (turn.sent && isOpen()) return send({ type: "cancel", request_id: turn.question.request_id });
			turn.http?.abort();
			fail("cancelled");
		},
		close() {
			leave.abort();
			clearTimeout(timer);
			turn?.http?.abort();
			turn = null;
			// Not 1000, which stops the question: an element that was only moved takes it up again.
			socket?.close?.();
			socket = null;
		},
	};
}
