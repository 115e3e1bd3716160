/**
 * Somebody's site on an origin of its own: a page that embeds the widget under a strict policy, and a backend route that gets
 * tickets with the key that only the backend knows, for those who are signed in. As docs/WIDGET.md tells its reader to do it.
 */
import http from "node:http";
import { once } from "node:events";

export class Site {
  #server = http.createServer((request, response) => this.#serve(request, response).catch((error) => response.writeHead(500).end(String(error))));

  /** The page's body below the script tag, and the server that it names. Tests set both. */
  body = "";
  /** What browsers told of broken policies. */
  reports = [];
  chat = "";
  /** What the ticket route does for a visitor who is signed in. */
  ticket = async () => ({ status: 404, body: {} });

  static async start() {
    const site = new Site();
    site.#server.listen(0, "127.0.0.1");
    await once(site.#server, "listening");
    site.origin = `http://127.0.0.1:${site.#server.address().port}`;
    return site;
  }

  stop() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** Tickets from `chat`, with this key. */
  ticketsWith(key) {
    return async () => {
      const answer = await fetch(`${this.chat}api/chat/ticket/`, { method: "POST", headers: { Authorization: `Bearer ${key}` } });
      return { status: answer.status, body: await answer.json() };
    };
  }

  async #serve(request, response) {
    const isSignedIn = request.headers.cookie?.includes("session=ada");
    if (request.method === "POST" && request.url === "/my/chat-ticket") {
      const { status, body } = isSignedIn ? await this.ticket() : { status: 401, body: { error: "sign in" } };
      response.writeHead(status, { "Content-Type": "application/json" });
      return response.end(JSON.stringify(body));
    }
    if (request.url === "/my/csp-report") {
      let report = "";
      for await (const part of request) report += part;
      this.reports.push(report);
      return response.writeHead(204).end();
    }
    const socket = this.chat.replace(/^http/, "ws");
    response.writeHead(200, {
      "Content-Type": "text/html",
      "Set-Cookie": "session=ada; HttpOnly; SameSite=Strict",
      "Content-Security-Policy": `default-src 'none'; script-src ${this.chat} 'nonce-page'; connect-src 'self' ${this.chat} ${socket}; img-src data:; require-trusted-types-for 'script'; trusted-types 'none'; report-uri /my/csp-report`,
    });
    return response.end(`<!doctype html><html lang="en"><title>A site</title><link rel="icon" href="data:,"><h1>A site</h1>
      <script type="module" src="${this.chat}static/db-chat.js"></script>${this.body}`);
  }
}
