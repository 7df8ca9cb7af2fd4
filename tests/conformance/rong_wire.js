'use strict';
// What clients sent to the sandbox's RongCloud side, as fields that can be compared.
const { ordered } = require('./rong_kinds.js');

/** Protobuf without a schema: [[number, value as text or bytes]]. */
function fields(bytes) {
  const list = [];
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    if ((tag & 7) === 0) list.push([tag >> 3, varint().toString()]);
    else if ((tag & 7) === 2) { const len = Number(varint()); list.push([tag >> 3, bytes.subarray(at, at + len)]); at += len; }
    else throw new Error(`wire type ${tag & 7}`);
  }
  return list;
}

// Which fields hold messages, by topic and path of numbers; a topic without a line here is flat.
const SENT = /^(12|23|25)$/; // pushExt, extMsgData, refData
const NESTED = {
  ppMsgP: SENT, pgMsgP: SENT, ugMsg: SENT, recallMsg: SENT, delMsg: /^3$/, delUgMsg: /^3$/, cleanMsgBatch: /^1$/,
  qryRLBatch: /^1$/, delRelationBatch: /^1$/, setSeAtt: /^(2|2\.4|2\.4\.3)$/, qryMsg: /^3$/, qryReceiptBatch: /^\d+$/,
};
// And which hold JSON: its members have no order.
const JSONS = { ppMsgP: ['3', '11'], pgMsgP: ['3', '11'], ugMsg: ['3', '11'], recallMsg: ['3'], ppMsgS: ['3'], pgMsgS: ['3'] };

const members = (name, object) => Object.keys(object).sort().map(key => [`${name}.${key}`, ordered(object[key])]);

/** The payload of a frame as [[path of numbers, text]], in the order on the wire. */
function flat(topic, bytes, prefix = '') {
  const result = [];
  for (const [number, value] of fields(bytes)) {
    const name = prefix ? `${prefix}.${number}` : String(number);
    if (Buffer.isBuffer(value) && NESTED[topic] && NESTED[topic].test(name)) result.push([name, '{'], ...flat(topic, value, name), [name, '}']);
    else if (Buffer.isBuffer(value) && (JSONS[topic] || []).includes(name)) result.push(...members(name, JSON.parse(value.toString())));
    else result.push([name, value.toString()]);
  }
  return result;
}

const TYPES = { 3: 'PUBLISH', 4: 'PUBACK', 5: 'QUERY', 7: 'QUERYCON', 12: 'PINGREQ', 14: 'DISCONNECT' };

/** A frame of a client: {type, first (byte), topic, target, payload}. */
function parse(hex) {
  const bytes = Buffer.from(hex, 'hex');
  const frame = { type: TYPES[bytes[0] >> 4], first: bytes[0] };
  if (frame.type !== 'PUBLISH' && frame.type !== 'QUERY') return frame;
  let at = 1;
  const text = () => { const len = bytes.readUInt16BE(at); at += 2 + len; return bytes.subarray(at - len, at).toString(); };
  frame.topic = text();
  frame.target = text();
  frame.payload = bytes.subarray(at + 2);
  return frame;
}

const log = async ready => (await fetch(`${ready.rongcloud.navigator}/sandbox/log`)).json();

/** Everything that a user's clients sent since the last reset that asks or says something. */
async function frames(ready, user) {
  return (await log(ready)).filter(entry => entry.channel === 'rongcloud' && entry.dir === 'up' && entry.user === user)
    .map(entry => parse(entry.hex)).filter(frame => frame.topic);
}

/** What was asked over HTTP. */
const requests = async ready => (await log(ready)).filter(entry => entry.method);

/** The WebSockets that were opened. */
const opened = async ready => (await log(ready)).filter(entry => entry.channel === 'rongcloud' && entry.dir === 'open');

const reset = ready => fetch(`${ready.rongcloud.navigator}/sandbox/reset-log`, { method: 'POST' });

module.exports = { flat, frames, requests, opened, reset };
