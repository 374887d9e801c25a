"""The connection manager of FastAPI's own documentation."""

import time

import orjson
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


class ConnectionManager:
    def __init__(self) -> None:
        self.active_connections: list[WebSocket] = []

    async def connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.active_connections.append(websocket)

    def disconnect(self, websocket: WebSocket) -> None:
        self.active_connections.remove(websocket)

    async def broadcast(self, message: str) -> None:
        for connection in self.active_connections:
            await connection.send_text(message)


manager = ConnectionManager()


@app.post("/emit")
async def emit() -> str:
    content = {"type": "event", "at": f"T{time.time() * 1000:.3f}", "note": "x" * 270}
    await manager.broadcast(orjson.dumps(content).decode())
    return "ok"


@app.websocket("/ws")
async def live(websocket: WebSocket) -> None:
    await manager.connect(websocket)
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect:
        manager.disconnect(websocket)
