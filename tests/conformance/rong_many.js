'use strict';
// Several users of RongCloud's SDK 5.38.0 in one process, who only speak. The SDK is one user of one page and stays that: each
// user gets it loaded anew.
const child = require('./child.js');
for (const name of ['debug', 'info', 'log', 'warn', 'error']) console[name] = () => {}; // a test's output is TAP

const page = require.resolve('./rong_sdk.js');
const users = new Map();

const SERVER_UNAVAILABLE = 35008; // to a process that waited too long for the processor, too
const TRIES = 5;

child.serve({
  async login(user, { appkey, navigator }) {
    for (const path of Object.keys(require.cache)) if (path === page || path.includes('@rongcloud')) delete require.cache[path];
    const sdk = require(page);
    sdk.init({ appkey, navigators: [navigator], logOutputLevel: sdk.LogL.NONE });
    let { code, msg } = await sdk.connect(`sandbox-${user}`);
    for (let tries = 1; code === SERVER_UNAVAILABLE && tries < TRIES; tries++) {
      ({ code, msg } = await sdk.connect(`sandbox-${user}`));
    }
    if (code) throw new Error(`connect ended with ${code} ${msg}`);
    users.set(user, sdk);
  },
  /** Sends a text: {messageUId, senderUserId}. */
  async say(user, to, text) {
    const { code, msg, data } = await users.get(user).sendTextMessage(to, { content: text });
    if (code) throw new Error(`${user}: sendTextMessage ended with ${code} ${msg}`);
    return { messageUId: data.messageUId, senderUserId: data.senderUserId };
  },
  async close() { for (const sdk of users.values()) await sdk.disconnect(); },
});
