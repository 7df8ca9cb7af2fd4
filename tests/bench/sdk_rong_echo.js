'use strict';
// The same echo on RongCloud's SDK. With a number as third argument: so many idle connections instead, and what each
// costs in memory. The SDK is one user of one page: each connection loads it anew, which is what a program has to do that
// wants several in one process.
const print = console.log;
for (const name of ['debug', 'info', 'log', 'warn']) console[name] = () => {};
const page = require.resolve('../conformance/rong_sdk.js');
const [navigator, user, idle] = process.argv.slice(2);
const rss = () => { global.gc(); return process.memoryUsage().rss; };

async function login(name, hear) {
  for (const path of Object.keys(require.cache)) if (path === page || path.includes('@rongcloud')) delete require.cache[path];
  const sdk = require(page);
  sdk.init({ appkey: 'sandbox', navigators: [navigator], logOutputLevel: sdk.LogL.NONE });
  if (hear) sdk.addEventListener(sdk.Events.MESSAGES, ({ messages }) => messages.forEach(message => hear(sdk, message)));
  const { code } = await sdk.connect(`sandbox-${name}`);
  if (code !== 0) throw new Error(`connect ended with ${code}`);
  return sdk;
}

async function echo() {
  await login(user, (sdk, { targetId, content }) => {
    sdk.sendTextMessage({ conversationType: 1, targetId }, content)
      .catch(error => console.error(error.message));
  });
  print('online');
}

async function rest() {
  const open = [];
  for (let i = 0; i < 5; i++) open.push(await login(`n${i}`)); // what is paid once
  await new Promise(resolve => { setTimeout(resolve, 2000); });
  const before = rss();
  for (let i = 0; i < Number(idle); i++) open.push(await login(`m${i}`));
  await new Promise(resolve => { setTimeout(resolve, 5000); });
  const each = (rss() - before) / Number(idle) / 1024;
  print(JSON.stringify({ name: 'sdk-rong-sessions', sessions: open.length - 5, kib_each: Number(each.toFixed(1)) }));
  process.exit(0);
}

(idle ? rest : echo)().catch(error => { console.error(error.message); process.exit(1); });
