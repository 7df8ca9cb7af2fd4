'use strict';
// The same echo on the official SDK. With a number as third argument: so many idle connections instead, and what each
// costs in memory.
const { login, send } = require('../conformance/sdk.js');

const [rest, user, idle] = process.argv.slice(2);
const ready = { easemob: { appkey: 'sandbox#demo', rest, websocket: rest.replace('http', 'ws') + '/websocket' } };
const rss = () => { global.gc(); return process.memoryUsage().rss; };

async function echo() {
  const connection = await login(ready, user, {
    events: {
      onTextMessage: message => {
        send(connection, { type: 'txt', chatType: 'singleChat', to: message.from, msg: message.msg })
          .catch(error => console.error(error.message));
      },
    },
  });
  console.log('online');
}

async function rest_() {
  const open = [];
  for (let i = 0; i < 20; i++) open.push(await login(ready, `n${i}`)); // what is paid once
  await new Promise(resolve => { setTimeout(resolve, 2000); });
  const before = rss();
  for (let i = 0; i < Number(idle); i++) open.push(await login(ready, `m${i}`));
  await new Promise(resolve => { setTimeout(resolve, 5000); });
  const each = (rss() - before) / Number(idle) / 1024;
  console.log(JSON.stringify({ name: 'sdk-sessions', sessions: open.length - 20, kib_each: Number(each.toFixed(1)) }));
  process.exit(0);
}

(idle ? rest_ : echo)().catch(error => { console.error(error.message); process.exit(1); });
