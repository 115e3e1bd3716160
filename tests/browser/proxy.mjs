/** A TCP proxy in front of a server: a network that a test can cut, block for sockets, or lead to another server. */
import net from "node:net";
import { once } from "node:events";

export class Proxy {
  #server = net.createServer((client) => this.#carry(client));
  #open = new Set();

  /** As a company's proxy that knows no WebSockets: what asks for an upgrade is cut. */
  blocksSockets = false;

  /** As one that waits for ever instead: what asks for an upgrade is never answered. */
  swallowsSockets = false;

  static async to(url) {
    const proxy = new Proxy();
    proxy.target = url;
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    proxy.url = `http://127.0.0.1:${proxy.#server.address().port}/`;
    return proxy;
  }

  /** Cuts every connection, once. */
  cut() {
    for (const stream of this.#open) stream.destroy();
  }

  stop() {
    this.#server.close();
    this.cut();
  }

  #carry(client) {
    const server = net.connect(new URL(this.target).port, "127.0.0.1");
    for (const [one, other] of [[client, server], [server, client]]) {
      this.#open.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.#open.delete(one);
        other.destroy();
      });
    }
    client.on("data", (bytes) => {
      const isUpgrade = /\r\nupgrade: websocket/i.test(bytes.toString("latin1"));
      if (this.blocksSockets && isUpgrade) client.destroy();
      else if (!(this.swallowsSockets && isUpgrade)) server.write(bytes);
    });
    server.pipe(client);
  }
}
