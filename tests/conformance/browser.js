'use strict';
// What the official SDKs expect of a browser, on plain Node 18 or newer: WebSocket, XMLHttpRequest, storage and a few
// objects that they only look at. Load it before the SDK. The network has nobody but this machine: the hosts that an SDK
// knows by heart are as good as down.
const http = require('node:http');
const WebSocketClient = require('ws');

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
const here = url => ['127.0.0.1', 'localhost'].includes(url.hostname);

class BrowserWebSocket {
  constructor(url, protocols) {
    this.url = url;
    this.readyState = BrowserWebSocket.CONNECTING;
    this.binaryType = 'arraybuffer';
    // As in a browser, promises settle between two events: else a close can overtake what came just before it.
    const options = { perMessageDeflate: false, allowSynchronousEvents: false };
    const socket = (this.socket = new WebSocketClient(url, protocols, options));
    socket.binaryType = 'nodebuffer';
    socket.on('open', () => { this.readyState = BrowserWebSocket.OPEN; this.emit('open', {}); });
    socket.on('message', (data, binary) => {
      const value = binary ? data.buffer.slice(data.byteOffset, data.byteOffset + data.length) : data.toString('utf8');
      this.emit('message', { data: value });
    });
    socket.on('error', error => this.emit('error', { message: error.message }));
    socket.on('close', (code, reason) => {
      this.readyState = BrowserWebSocket.CLOSED;
      this.emit('close', { code, reason: reason.toString() });
    });
  }
  emit(type, event) {
    const handler = this['on' + type];
    if (handler) handler.call(this, Object.assign(event, { type, target: this }));
  }
  send(data) { this.socket.send(data); }
  close(code, reason) {
    if (this.readyState < BrowserWebSocket.CLOSING) this.readyState = BrowserWebSocket.CLOSING;
    this.socket.close(code, reason);
  }
}
Object.assign(BrowserWebSocket, { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 });

class BrowserRequest {
  constructor() {
    Object.assign(this, { readyState: 0, status: 0, responseText: '', response: '', responseType: '', timeout: 0 });
    this.requestHeaders = {};
    this.responseHeaders = {};
    this.listeners = new Map();
    this.upload = { addEventListener() {} };
  }
  addEventListener(type, listener) {
    if (!this.listeners.has(type)) this.listeners.set(type, []);
    this.listeners.get(type).push(listener);
  }
  emit(type) {
    const event = { type, target: this };
    if (typeof this['on' + type] === 'function') this['on' + type](event);
    for (const listener of this.listeners.get(type) || []) listener.call(this, event);
  }
  state(n) { this.readyState = n; this.emit('readystatechange'); }
  open(method, url) { this.method = method.toUpperCase(); this.url = new URL(url); this.state(1); }
  setRequestHeader(name, value) { this.requestHeaders[name] = String(value); }
  getResponseHeader(name) { return this.responseHeaders[name.toLowerCase()] ?? null; }
  overrideMimeType() {}
  abort() { this.aborted = true; if (this.request) this.request.destroy(); this.emit('abort'); }
  send(body) {
    if (body instanceof FormData) {
      const form = new Response(body);
      this.requestHeaders['Content-Type'] = form.headers.get('content-type');
      form.arrayBuffer().then(bytes => this.transmit(Buffer.from(bytes)));
      return;
    }
    this.transmit(body == null ? null : Buffer.from(body));
  }
  transmit(bytes) {
    if (!here(this.url)) { setImmediate(() => this.fail()); return; }
    const headers = { ...this.requestHeaders };
    if (bytes) headers['Content-Length'] = bytes.length;
    const request = (this.request = http.request(this.url, { method: this.method, headers, agent }, answer => {
      if (answer.statusCode === 302 && this.method === 'GET') { this.follow(answer); return; }
      const parts = [];
      this.responseHeaders = answer.headers;
      answer.on('data', part => parts.push(part));
      answer.on('end', () => {
        const whole = Buffer.concat(parts);
        this.status = answer.statusCode;
        if (this.responseType === 'blob') this.response = new Blob([whole]);
        else this.response = this.responseText = whole.toString('utf8');
        this.state(4);
        this.emit('load');
        this.emit('loadend');
      });
    }));
    if (this.timeout) request.setTimeout(this.timeout, () => { request.destroy(); this.emit('timeout'); });
    request.on('error', () => this.fail());
    if (bytes) request.write(bytes);
    request.end();
  }
  fail() { if (!this.aborted) { this.state(4); this.emit('error'); } }
  /** To another origin a browser goes without Authorization. */
  follow(answer) {
    answer.resume();
    const to = new URL(answer.headers.location, this.url);
    if (to.origin !== this.url.origin) delete this.requestHeaders.Authorization;
    this.url = to;
    this.transmit(null);
  }
}

class BrowserFileReader {
  addEventListener(type, listener) { this['on' + type] = listener; }
  finish() { for (const type of ['load', 'loadend']) if (this['on' + type]) this['on' + type]({ target: this }); }
  readAsArrayBuffer(blob) { blob.arrayBuffer().then(value => { this.result = value; this.finish(); }); }
  readAsText(blob) { blob.text().then(value => { this.result = value; this.finish(); }); }
}

class Storage {
  constructor() { this.items = new Map(); }
  getItem(key) { return this.items.has(key) ? this.items.get(key) : null; }
  setItem(key, value) { this.items.set(key, String(value)); }
  removeItem(key) { this.items.delete(key); }
  clear() { this.items.clear(); }
}

const location = { protocol: 'http:', host: '127.0.0.1', hostname: '127.0.0.1', href: 'http://127.0.0.1/' };
const document = {
  cookie: '', hidden: false, addEventListener() {}, removeEventListener() {},
  createElement: () => ({ style: {} }), body: { appendChild() {} },
};
const page = {
  WebSocket: BrowserWebSocket, XMLHttpRequest: BrowserRequest, FileReader: BrowserFileReader,
  localStorage: new Storage(), sessionStorage: new Storage(), location, document,
  addEventListener() {}, removeEventListener() {},
};
globalThis.window = Object.assign(globalThis.window || {}, page,
  { URL, setTimeout, clearTimeout, setInterval, clearInterval, atob, btoa, crypto: globalThis.crypto });
Object.assign(globalThis, page);
globalThis.self = globalThis;
if (!globalThis.File) globalThis.File = require('node:buffer').File;
Object.defineProperty(globalThis, 'navigator', {
  value: { userAgent: 'Mozilla/5.0 (X11; Linux x86_64) moontide-conformance', onLine: true }, configurable: true,
});
window.navigator = globalThis.navigator;

exports.agent = agent;
