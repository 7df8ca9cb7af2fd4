'use strict';
// The life of a session of RongCloud's SDK with the sandbox: navigation, who is let in, both layouts of the first frame, being
// cut off, sent elsewhere and thrown out, what waits meanwhile, both ways of hearing, several devices, answers compressed or not.
const tap = require('./tap.js');
const rong = require('./rong.js');
const moontide = require('./moontide.js');

const ME = 'agent';

/** Another text of --rongcloud, from now on. */
const configure = (ready, text) => rong.control(ready, 'rongcloud', text);

async function refusals() {
  const sandbox = await moontide.sandbox();
  const { ready } = sandbox;
  for (const [status, code] of [[1, 31001], [2, 31002], [3, 31003], [4, 31004], [5, 31005], [7, 31007], [8, 31008], [9, 31009],
    [10, 31020], [11, 31021], [12, 31022], [13, 31023], [14, 31024], [15, 31025], [16, 31026], [17, 31027], [18, 31028],
    [19, 31029], [20, 31030]]) {
    await configure(ready, `connack=${status}`);
    const page = await rong.page(ready, ME);
    const { code: got } = await page.login();
    tap.equal(got, code, `CONNACK ${status} is ${code}`);
    await page.close();
  }
  await configure(ready, '');
  const page = await rong.page(ready, ME);
  tap.equal((await page.login('no such token')).code, 31004, 'a token that nobody gave');
  await configure(ready, 'navi_status=416');
  tap.equal((await page.login()).code, 31030, 'navigation says 416');
  await configure(ready, 'navi_empty=1');
  tap.equal((await page.login()).code, 35008, 'navigation names no server');
  await configure(ready, 'navi_dead=2');
  tap.equal((await page.login()).code, 0, 'servers that refuse stand before the right one');
  await page.close();
  await configure(ready, 'navi_v1=1');
  const old = await rong.page(ready, ME);
  tap.equal((await old.login()).data, { userId: ME }, 'the older form of the answer');
  await old.close();
  await configure(ready, '');
  const astray = await rong.page(ready, ME, { navigators: ['http://127.0.0.1:9', ready.rongcloud.navigator] });
  tap.equal((await astray.login()).code, 0, 'a navigator that refuses stands before the right one');
  await astray.close();
  const hosts = await rong.page(ready, ME, { navigators: ['http://127.0.0.1:9'] });
  tap.equal((await hosts.login(`${rong.token(ME)}@${ready.rongcloud.navigator}`)).code, 0, 'a token that names the navigator');
  await hosts.close();
  await sandbox.stop();
}

/** What one hears, and hears after it was away; each once. */
async function hears(ready, name) {
  const bob = await rong.login(ready, 'bob');
  await rong.say(bob, rong.one(ME), 'before');
  const user = await rong.login(ready, ME);
  const before = await rong.hear(user, message => message.content.content === 'before');
  tap.equal([before.isOffLineMessage, before.senderUserId], [true, 'bob'], `${name}: what waited`);
  await rong.say(bob, rong.one(ME), 'now');
  tap.equal((await rong.hear(user, message => message.content.content === 'now')).messageDirection, 2, `${name}: what comes`);
  const second = await rong.login(ready, ME);
  const sent = await rong.say(user, rong.one('bob'), 'from here');
  const echo = await rong.hear(second, message => message.messageUId === sent.messageUId);
  tap.equal([echo.messageDirection, echo.targetId, echo.sentTime, echo.content.content], [1, 'bob', sent.sentTime, 'from here'],
    `${name}: what oneself says on another device`);
  await second.close();
  await rong.control(ready, 'cut');
  tap.equal(await user.hears('SUSPEND'), 30011, `${name}: cut off`);
  await user.hears('CONNECTED');
  await bob.hears('CONNECTED', () => true);
  await bob.hears('SUSPEND');
  await bob.hears('CONNECTED');
  await rong.say(bob, rong.one(ME), 'after');
  await rong.hear(user, message => message.content.content === 'after');
  const again = user.seen.items.filter(item => item.name === 'MESSAGES').flatMap(item => item.event.messages)
    .map(message => message.content.content).filter(text => text !== 'from here');
  tap.equal(again, [], `${name}: nothing comes twice`);
  await user.close();
  await rong.say(bob, rong.one(ME), 'while away');
  const later = await rong.login(ready, ME);
  await rong.hear(later, message => message.content.content === 'while away');
  tap.ok(true, `${name}: what waits for the next time`);
  for (const page of [later, bob]) await page.close();
}

async function ways() {
  for (const [name, text] of [['pulled', ''], ['pushed', 'openHistoryMsg=0'], ['the longer first frame', 'openAnti=1'],
    ['uncompressed', 'gzip=0'], ['two messages a pull', 'page=2']]) {
    const sandbox = await moontide.sandbox('--rongcloud', text);
    await hears(sandbox.ready, name);
    await sandbox.stop();
  }
}

async function thrownOut() {
  const sandbox = await moontide.sandbox();
  const { ready } = sandbox;
  for (const [status, code] of [[1, 31010], [2, 31011], [5, 31011], [7, 31020], [8, 31001], [9, 31029]]) {
    const user = await rong.login(ready, ME);
    await rong.control(ready, 'rongcloud-kick', `${ME} ${status}`);
    tap.equal(await user.hears('DISCONNECT'), code, `DISCONNECT ${status} is ${code} and final`);
    await user.close();
  }
  const user = await rong.login(ready, ME);
  await rong.control(ready, 'rongcloud-kick', `${ME} 6`);
  tap.equal(await user.hears('SUSPEND'), 31006, 'sent elsewhere: says so');
  await user.hears('CONNECTED', () => true);
  await user.hears('CONNECTED', () => true);
  tap.equal((await user.call('getConversationList')).code, 0, 'and goes on there by itself');
  await user.close();
  await sandbox.stop();
  const single = await moontide.sandbox('--rongcloud', 'single_device=1');
  const first = await rong.login(single.ready, ME);
  const second = await rong.login(single.ready, ME);
  tap.equal(await first.hears('DISCONNECT'), 31010, 'another device of the same kind takes the place');
  tap.equal((await first.call('getConversationList')).code, 30002, 'whose calls are refused from then on');
  for (const page of [first, second]) await page.close();
  await single.stop();
}

async function refuses() {
  const sandbox = await moontide.sandbox('--rongcloud', 'no_roaming=1');
  const { ready } = sandbox;
  const user = await rong.login(ready, ME);
  tap.equal((await user.call('getHistoryMessages', rong.one('bob'), {})).code, 33007, 'history is not opened');
  for (const [status, what] of [[405, 'blocked by the peer'], [20604, 'too often'], [22406, 'not a member'], [22408, 'muted']]) {
    await configure(ready, `refuse=ppMsgP:${status}`);
    tap.equal((await user.call('sendMessage', rong.one('bob'), rong.text('x'), {})).code, status, `a send is refused: ${what}`);
  }
  await configure(ready, 'recall_limit=1ms');
  const sent = await rong.say(user, rong.one('bob'), 'x');
  let late = 0;
  for (const begin = Date.now(); Date.now() - begin < 10;) late += 1; // the limit is over
  tap.equal((await user.call('recallMessage', rong.one('bob'), { messageUId: sent.messageUId, sentTime: sent.sentTime })).code, 25101,
    'a recall that is too late', late);
  await user.close();
  await sandbox.stop();
}

tap.run(async () => {
  await refusals();
  await ways();
  await thrownOut();
  await refuses();
});
