'use strict';
// One user of RongCloud's SDK 5.38.0, in a process of its own, driven by rong.js: the SDK is one user of one page.
const child = require('./child.js');
for (const name of ['debug', 'info', 'log', 'warn', 'error']) console[name] = () => {}; // a test's output is TAP
const sdk = require('./rong_sdk.js');

const registered = new Map();

/** Arguments as they come over the channel; what has no form there is named: {$message: class or object name, content},
 * {$file: {name, type, bytes in base64}}. */
function revive(value) {
  if (Array.isArray(value)) return value.map(revive);
  if (!value || typeof value !== 'object') return value;
  if (value.$file) return new File([Buffer.from(value.$file.bytes, 'base64')], value.$file.name, { type: value.$file.type });
  if (value.$message) {
    const Message = registered.get(value.$message) || sdk[value.$message];
    return Message ? new Message(revive(value.content)) : new sdk.BaseMessage(value.$message, value.content);
  }
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, revive(one)]));
}

// A promise of the SDK that nobody waits for; a browser would print it.
process.on('unhandledRejection', error => child.tell('unhandled', String(error && error.stack).slice(0, 2000)));

const plain = value => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));

/** Messages one by one, however many come at once. */
function tell(event, heard) {
  if (event === sdk.Events.MESSAGES) for (const message of heard.messages) child.tell(event, { messages: [message] });
  else child.tell(event, heard);
}

child.serve({
  /** Before the first connect: app key, navigators, the app's own message types as [name, persisted, counted, status]. */
  async init({ appkey, navigators, types = [] }) {
    sdk.init({ appkey, navigators, logOutputLevel: sdk.LogL.NONE });
    for (const [name, persisted, counted, status] of types) {
      registered.set(name, sdk.registerMessageType(name, persisted, counted, [], status));
    }
    for (const event of Object.values(sdk.Events)) sdk.addEventListener(event, heard => tell(event, plain(heard)));
  },
  /** Any function of the SDK: its {code, msg, data}. */
  async call(name, ...args) {
    const result = await sdk[name](...revive(args));
    return plain(result);
  },
});
