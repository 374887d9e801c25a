// Socket.IO 4: one room.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { answer, message } from "./message.js";

const io = new Server({ transports: ["websocket"], serveClient: false });
const handle = answer(() => io.to("table").emit("event", message()));
const server = createServer();
io.attach(server);
server.on("request", (request, response) => {
  if (!request.url.startsWith("/socket.io")) handle(request, response);
});
io.on("connection", (socket) => socket.join("table"));
server.listen(Number(process.argv[2]), "127.0.0.1", 2048);
