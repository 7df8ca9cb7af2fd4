// Servers that a client's secrets must survive. Prints one line of JSON with their ports, and appends to FILE every
// token that passes: node servers.js SANDBOX FILE [KEY CERTIFICATE].
// echo: ports that answer every request with that status and with all of the request in the text of the error, each time
// in another encoding. proxy: the sandbox, listened to. tls: a certificate that nobody trusts.
'use strict';
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const [sandbox, file, key, certificate] = process.argv.slice(2);

const hex = (text) => Buffer.from(text).toString('hex');
const base64 = (text) => Buffer.from(text).toString('base64');
const ENCODINGS = [
  (text) => text,
  encodeURIComponent,
  (text) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
  (text) => base64(text),
  (text) => base64(`.${text}`),
  (text) => base64(`..${text}`),
  (text) => base64(text).replaceAll('+', '-').replaceAll('/', '_'),
  (text) => hex(text),
  (text) => hex(text).toUpperCase(),
  JSON.stringify,
  (text) => [...text].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''),
];

// The secrets of a request by themselves, so that the few words which a fault has room for hold them.
function wordsOf(request, body) {
  const { authorization, signature } = request.headers;
  const words = [authorization, (authorization || '').replace(/^\S+ /, ''), signature];
  try {
    words.push(...Object.values(JSON.parse(body)).map(String));
  } catch {
    words.push(...new URLSearchParams(body).values());
  }
  words.push(...new URL(request.url, 'http://x').searchParams.values());
  return words.filter(Boolean);
}

function read(request, then) {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => then(Buffer.concat(parts)));
}

let turn = 0;
function echo(status) {
  return http.createServer((request, response) => read(request, (body) => {
    const encode = ENCODINGS[turn % ENCODINGS.length];
    turn += 1;
    // the body is JSON: what is made of it as a whole has two encodings already
    const whole = encode === ENCODINGS[0] || encode === JSON.stringify ? [`${request.url} ${body}`] : [];
    const words = wordsOf(request, body.toString()).concat(whole);
    const text = words.slice(turn % (words.length || 1)).concat(words).map(encode).join(' ');
    response.writeHead(status, { 'content-type': 'application/json', 'x-seen': encodeURIComponent(text).slice(0, 2000) });
    response.end(JSON.stringify({
      error: 'refused', error_description: text, exception: text, code: status, errorMessage: text, message: text,
    }));
  }));
}

function note(text) {
  for (const [, token] of text.matchAll(/"(?:access_token|token)"\s*:\s*"([^"]{8,})"/g)) fs.appendFileSync(file, `${JSON.parse(`"${token}"`)}\n`);
}

const proxy = http.createServer((request, response) => read(request, (body) => {
  const to = http.request(new URL(request.url, sandbox), { method: request.method, headers: request.headers }, (answer) =>
    read(answer, (text) => {
      note(text.toString());
      response.writeHead(answer.statusCode, answer.headers);
      response.end(text);
    }));
  to.on('error', () => response.destroy());
  to.end(body);
}));

const servers = { proxy };
for (const status of [200, 400, 401, 403, 404, 500]) servers[`echo${status}`] = echo(status);
if (key) servers.tls = https.createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(certificate) }, (request, response) => response.end());
const ports = {};
for (const [name, server] of Object.entries(servers)) {
  server.listen(0, '127.0.0.1', () => {
    ports[name] = server.address().port;
    if (Object.keys(ports).length === Object.keys(servers).length) console.log(JSON.stringify(ports));
  });
}
