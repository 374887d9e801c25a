// A bare `ws` server: one room, the same bytes to everybody.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { answer, message } from "./message.js";

const sockets = new Set();
const server = createServer(
  answer(() => {
    const text = message();
    for (const socket of sockets) socket.send(text);
  }),
);
new WebSocketServer({ server, perMessageDeflate: false }).on("connection", (socket) => {
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
});
server.listen(Number(process.argv[2]), "127.0.0.1", 2048);
