/** What has been asked and answered, and what of it outlives a reload. */

/** JSON in storage, which can be forbidden: then it all lasts as long as the page. */
function keep(storage, key, value) {
	try {
		if (value !== undefined) globalThis[storage].setItem(key, JSON.stringify(value));
		return JSON.parse(globalThis[storage].getItem(key));
	} catch {
		return null;
	}
}

export const isWorking = ({ state }) => state === "working" || state === "stopping";

export class Conversation {
	turns = [];
	#key;

	constructor(key) {
		this.#key = `db-chat:${key}`;
		const { id = null, running = null } = keep("sessionStorage", this.#key) ?? {};
		Object.assign(this, { id, running });
	}

	get working() {
		return this.turns.find(isWorking) ?? null;
	}

	get listed() {
		return keep("localStorage", this.#key) ?? [];
	}

	set listed(list) {
		keep("localStorage", this.#key, list.slice(0, 50));
	}

	begin(requestId, question) {
		const turn = { requestId, question, state: "working", prose: "", startedAt: performance.now() };
		this.turns.push(turn);
		this.#remember({ requestId, question });
		return turn;
	}

	open(id = null) {
		this.id = id;
		this.turns = [];
		this.#remember(null);
	}

	apply(frame) {
		const turn = this.turns.find((other) => other.requestId === frame.request_id);
		const change = {
			status: () => ({ stage: frame.message }),
			sql: () => ({ sql: frame.sql_query }),
			llm_token: () => ({ prose: turn.prose + frame.token }),
			llm_stream_end: () => ({ prose: frame.message }),
			chat_response: () => ({ answer: frame, prose: frame.reply, sql: frame.sql_query ?? null, state: "answered" }),
			error: () => ({ error: frame, state: frame.code === "cancelled" ? "stopped" : "failed" }),
		}[frame.type];
		if (!turn || !change) return null;
		Object.assign(turn, change());
		const isNew = frame.conversation_id && frame.conversation_id !== this.id;
		if (isNew) this.id = frame.conversation_id;
		if (!isWorking(turn)) turn.seconds = (performance.now() - turn.startedAt) / 1000;
		if (isNew || !isWorking(turn)) this.#remember(isWorking(turn) ? this.running : null);
		if (turn.answer && this.id) {
			const others = this.listed.filter(({ id }) => id !== this.id);
			const title = this.listed.find(({ id }) => id === this.id)?.title ?? this.turns[0].question.slice(0, 80);
			this.listed = [{ id: this.id, title, updated_at: new Date().toISOString() }, ...others];
		}
		return turn;
	}

	restore(stored) {
		this.turns = stored.map((answer) => ({ requestId: answer.request_id, question: answer.query, sql: answer.sql_query, prose: answer.reply, ...(answer.outcome === "stopped" ? { state: "stopped" } : { state: "answered", answer }) }));
	}

	#remember(running) {
		this.running = running;
		keep("sessionStorage", this.#key, { id: this.id, running });
	}
}
