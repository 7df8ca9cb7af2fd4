'use strict';
// RongCloud's SDK reads the same account: the list, then every conversation to its end, and counts.
for (const name of ['debug', 'info', 'log', 'warn']) console[name] = () => {};
const sdk = require('../conformance/rong_sdk.js');

(async () => {
  const [navigator, user] = process.argv.slice(2);
  const good = ({ code, data }, what) => {
    if (code !== 0) throw new Error(`${what} ended with ${code}`);
    return data;
  };
  sdk.init({ appkey: 'sandbox', navigators: [navigator], logOutputLevel: sdk.LogL.NONE });
  good(await sdk.connect(`sandbox-${user}`), 'connect');
  const list = [];
  for (let startTime = 0; ;) {
    const part = good(await sdk.getConversationList({ count: 300, startTime, order: 0 }), 'getConversationList');
    list.push(...part);
    if (part.length < 300) break;
    startTime = part[part.length - 1].latestMessage.sentTime;
  }
  let messages = 0;
  let pages = 0;
  for (const { conversationType, targetId } of list) {
    for (let timestamp = 1; ;) {
      const { list: part, hasMore } = good(await sdk.getHistoryMessages({ conversationType, targetId },
        { timestamp, count: 100, order: 1 }), 'getHistoryMessages');
      pages += 1;
      messages += part.length;
      if (!hasMore || !part.length) break;
      timestamp = part[part.length - 1].sentTime;
    }
  }
  console.error(`sdk: ${messages} messages, ${pages} pages`);
  process.exit(0);
})().catch(error => { console.error(error.message); process.exit(1); });
