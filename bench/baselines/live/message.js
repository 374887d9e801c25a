// The message that all of them send: as long as an event of a token's move, with its time of sending.
export const message = () =>
  JSON.stringify({ type: "event", at: `T${(performance.timeOrigin + performance.now()).toFixed(3)}`, note: "x".repeat(270) });

// POST /emit sends it; anything else is answered with 200.
export const answer = (emit) => (request, response) => {
  if (request.method === "POST" && request.url === "/emit") emit();
  response.end("ok");
};
