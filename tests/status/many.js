// node many.js PORT N: N connections that say nothing; how many are closed at once, and that others are answered after them.
"use strict";
const net = require("net");
const http = require("http");
const port = Number(process.argv[2]), n = Number(process.argv[3]);
const sockets = [];
let opened = 0, closed = 0;
const settled = () => new Promise((resolve) => {
  let last = -1;
  const look = () => { if (closed === last && opened === n) resolve(); else { last = closed; setTimeout(look, 300); } };
  setTimeout(look, 300);
});
for (let i = 0; i < n; i++) {
  const socket = net.connect(port, "127.0.0.1", () => { opened++; });
  socket.on("close", () => { closed++; });
  socket.on("error", () => {});
  sockets.push(socket);
}
settled().then(() => {
  console.log("closed " + closed);
  for (const socket of sockets) socket.destroy();
  const ask = (tries) => http.get({ port, host: "127.0.0.1", path: "/health" }, (r) => { console.log("answered " + r.statusCode); r.resume(); })
    .on("error", (e) => { if (tries > 50) { console.log(e.message); process.exit(1); } setTimeout(ask, 50, tries + 1); });
  ask(0);
});
