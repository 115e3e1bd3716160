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
		return this.turns.find(isWorking);
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

	/** The turn that a frame has changed, if there is one. */
	apply(frame) {
		const { type, conversation_id: id = this.id } = frame;
		const turn = this.turns.find(({ requestId }) => requestId === frame.request_id);
		if (!turn) return null;
		if (type === "status") turn.stage = frame.message;
		else if (type === "sql") turn.sql = frame.sql_query;
		else if (type === "llm_token") turn.prose += frame.token;
		else if (type === "llm_stream_end") turn.prose = frame.message;
		else if (type === "error") Object.assign(turn, { error: frame, state: frame.code === "cancelled" ? "stopped" : "failed" });
		else if (type === "chat_response") Object.assign(turn, answered(frame));
		else return null;
		const isNew = id !== this.id;
		this.id = id;
		if (!isWorking(turn)) {
			turn.seconds = (performance.now() - turn.startedAt) / 1000;
			this.#remember(null);
		} else if (isNew) this.#remember(this.running);
		if (turn.answer && id) {
			const title = this.listed.find((other) => other.id === id)?.title ?? this.turns[0].question.slice(0, 80);
			this.listed = [{ id, title, updated_at: new Date().toISOString() }, ...this.listed.filter((other) => other.id !== id)];
		}
		return turn;
	}

	restore(stored) {
		this.turns = stored.map((answer) => ({ ...answered(answer), requestId: answer.request_id, question: answer.query, ...(answer.outcome === "stopped" && { state: "stopped", answer: null }) }));
	}

	#remember(running) {
		this.running = running;
		keep("sessionStorage", this.#key, { id: this.id, running });
	}
}

const answered = (answer) => ({ answer, prose: answer.reply, sql: answer.sql_query, state: "answered" });
