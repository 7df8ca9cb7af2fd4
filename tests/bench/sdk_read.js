'use strict';
// The official SDK reads the same account: the list, then every conversation to its end, and counts.
const { login } = require('../conformance/sdk.js');

(async () => {
  const [rest, user] = process.argv.slice(2);
  const ready = { easemob: { appkey: 'sandbox#demo', rest, websocket: rest.replace('http', 'ws') + '/websocket' } };
  const connection = await login(ready, user, { password: 'secret' });
  let messages = 0;
  let pages = 0;
  const targets = [];
  for (let cursor = ''; ;) {
    const { data } = await connection.getServerConversations({ pageSize: 50, cursor });
    for (const item of data.conversations) targets.push(item);
    cursor = data.cursor;
    if (!cursor) break;
  }
  for (const { conversationId, conversationType } of targets) {
    for (let cursor = -1; ;) {
      const page = await connection.getHistoryMessages({
        targetId: conversationId, chatType: conversationType, pageSize: 50, cursor, searchDirection: 'down',
      });
      pages += 1;
      messages += page.messages.length;
      if (page.isLast || !page.cursor) break;
      cursor = page.cursor;
    }
  }
  console.error(`sdk: ${messages} messages, ${pages} pages`);
  process.exit(0);
})();
