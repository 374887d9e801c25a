// Colyseus 0.18: one room with a state of tokens, patched on its timer.
import { createServer } from "node:http";
import { Room, Server } from "@colyseus/core";
import { MapSchema, Schema, defineTypes } from "@colyseus/schema";
import { WebSocketTransport } from "@colyseus/ws-transport";
import { message } from "./message.js";

class Token extends Schema {}
defineTypes(Token, { x: "number", y: "number", note: "string" });
class State extends Schema {}
defineTypes(State, { tokens: { map: Token } });

let emit = () => {};
class Table extends Room {
  maxClients = 100_000;
  onCreate() {
    this.autoDispose = false;
    this.state = new State();
    this.state.tokens = new MapSchema();
    for (let n = 0; n < 20; n++) this.state.tokens.set(`t${n}`, new Token().assign({ x: n, y: n, note: "" }));
    let n = 0;
    emit = () => {
      n += 1;
      this.state.tokens.get(`t${n % 20}`).assign({ x: n, note: message() });
    };
  }
}

const http = createServer();
const server = new Server({ greet: false, transport: new WebSocketTransport({ server: http }) });
server.define("table", Table);
http.prependListener("request", (request) => {
  if (request.url === "/emit") emit();
});
await server.listen(Number(process.argv[2]), "127.0.0.1");
