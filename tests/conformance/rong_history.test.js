'use strict';
// History in both orders and every way to delete from it, by RongCloud's SDK, unmodified, against the sandbox: in private
// chats, groups, ultra groups and the system's conversation.
const fs = require('node:fs');
const path = require('node:path');
const tap = require('./tap.js');
const rong = require('./rong.js');
const moontide = require('./moontide.js');

const OWNER = 'agent';
const FIRST = Date.now() - 3600000;
const COUNT = 45;

function file() {
  const lines = [];
  for (let i = 0; i < COUNT; i++) {
    lines.push({ chat: 'single', conversation: 'bob', from: i % 2 ? OWNER : 'bob', ts: FIRST + i * 1000, text: `message ${i}` });
    lines.push({ chat: 'group', conversation: 'lobby', from: ['bob', 'carol', OWNER][i % 3], ts: FIRST + i * 1000 + 1, text: `message ${i}` });
  }
  const name = path.join(moontide.scratch, 'history.jsonl');
  fs.writeFileSync(name, lines.map(line => JSON.stringify(line)).join('\n') + '\n');
  return name;
}

const texts = list => list.map(message => message.content.content);
const numbered = (from, to) => Array.from({ length: to - from }, (_, i) => `message ${from + i}`);

/** The whole history of a conversation, oldest first, page by page. */
async function all(user, conversation, order, count = 20) {
  const list = [];
  for (let timestamp = 0; ;) {
    const page = await user.ok('getHistoryMessages', conversation, { timestamp, count, order });
    if (order) list.push(...page.list);
    else list.unshift(...page.list);
    if (!page.hasMore || !page.list.length) return list;
    timestamp = (order ? page.list.at(-1) : page.list[0]).sentTime;
  }
}

async function orders(user, conversation, name, want) {
  for (const [order, says] of [[0, 'newest'], [1, 'oldest']]) {
    tap.equal(texts(await all(user, conversation, order)), want, `${name}: the whole history, ${says} first`);
  }
}

async function pages(user) {
  await orders(user, rong.one('bob'), 'a private chat', numbered(0, COUNT));
  await orders(user, rong.group('lobby'), 'a group', numbered(0, COUNT));
  const newest = await user.ok('getHistoryMessages', rong.one('bob'), {});
  tap.equal([texts(newest.list), newest.hasMore], [numbered(COUNT - 20, COUNT), true], 'without options: the newest twenty');
  const remote = await user.ok('getRemoteHistoryMessages', rong.one('bob'), { timestamp: 0, count: 100, order: 1 });
  tap.equal([texts(remote.list), remote.hasMore], [numbered(0, COUNT), false], 'a hundred a page at most');
  const between = FIRST + 10 * 1000;
  tap.equal(texts((await user.ok('getHistoryMessages', rong.one('bob'), { timestamp: between, count: 3, order: 0 })).list),
    numbered(7, 10), 'older than a time');
  tap.equal(texts((await user.ok('getHistoryMessages', rong.one('bob'), { timestamp: between, count: 3, order: 1 })).list),
    numbered(11, 14), 'newer than a time');
  const [message] = remote.list;
  tap.equal([message.conversationType, message.targetId, message.senderUserId, message.messageDirection, message.sentTime,
    message.messageType], [1, 'bob', 'bob', 2, FIRST, 'RC:TxtMsg'], 'a message that was received');
  tap.equal([remote.list[1].senderUserId, remote.list[1].messageDirection, remote.list[1].targetId], [OWNER, 1, 'bob'],
    'a message that was sent');
  const asked = remote.list.slice(3, 6).map(one => one.messageUId);
  const got = await user.ok('getMessagesByUIds', { conversationIdentifier: rong.one('bob'), messageUIds: asked });
  tap.equal(got.map(one => one.message && one.message.content.content), numbered(3, 6), 'messages by their ids');
}

const keys = list => list.map(({ messageUId, sentTime, messageDirection }) => ({ messageUId, sentTime, messageDirection }));

async function deletions(ready, user) {
  const bob = await rong.login(ready, 'bob');
  const second = await rong.login(ready, OWNER);
  const look = async conversation => {
    const here = texts(await all(user, conversation, 0));
    tap.equal(texts(await all(second, conversation, 0)), here, 'the other device sees the same');
    return here;
  };
  for (const [conversation, theirs, name] of [[rong.one('bob'), rong.one(OWNER), 'a private chat'],
    [rong.group('lobby'), rong.group('lobby'), 'a group']]) {
    const list = await all(user, conversation, 1);
    await user.ok('deleteMessages', conversation, keys(list.slice(10, 20)));
    tap.equal(await look(conversation), [...numbered(0, 10), ...numbered(20, COUNT)], `${name}: deleteMessages takes them away`);
    await user.ok('clearHistoryMessages', conversation, list[24].sentTime);
    tap.equal(await look(conversation), numbered(25, COUNT), `${name}: clearHistoryMessages, the time itself included`);
    tap.equal(texts(await all(bob, theirs, 0)), numbered(0, COUNT), `${name}: the peer has all of them still`);
  }
  const newest = await all(user, rong.one('bob'), 0);
  await user.ok('deleteMessages', rong.one('bob'), keys(newest.slice(-1)));
  const [entry] = (await user.ok('getConversationList')).filter(one => one.targetId === 'bob');
  tap.equal(entry && entry.latestMessage && entry.latestMessage.content.content, `message ${COUNT - 2}`,
    'the latest message of the list is one that is there');
  await user.ok('batchClearRemoteHistoryMessages', [{ ...rong.one('bob'), timestamp: newest[9].sentTime },
    { ...rong.group('lobby'), timestamp: 0 }]);
  tap.equal([await look(rong.one('bob')), await look(rong.group('lobby'))], [numbered(35, COUNT - 1), []],
    'batchClearRemoteHistoryMessages, each its own time, and 0 is all');
  await user.ok('clearHistoryMessages', rong.one('bob'), 0);
  tap.equal(await look(rong.one('bob')), [], 'clearHistoryMessages with 0 is all');
  const tooMany = await user.call('deleteMessages', rong.one('bob'), keys(Array.from({ length: 101 }, () => newest[0])));
  tap.equal(tooMany.code, 34206, 'a hundred and one at once is refused');
  await rong.say(bob, rong.one(OWNER), 'after all that');
  await rong.hear(user, message => message.content.content === 'after all that');
  tap.equal(await look(rong.one('bob')), ['after all that'], 'what comes later is there');
  await second.close();
  return bob;
}

async function ultra() {
  const sandbox = await moontide.sandbox('--rongcloud', 'ugMsg=1');
  const { ready } = sandbox;
  const [bob, user] = [await rong.login(ready, 'bob'), await rong.login(ready, OWNER)];
  await user.hears('ULTRA_GROUP_ENABLE');
  await bob.hears('ULTRA_GROUP_ENABLE');
  await rong.say(user, rong.ultra('planet'), 'message 0');
  for (let i = 1; i < 25; i++) await rong.say(bob, rong.ultra('planet'), `message ${i}`);
  for (let i = 0; i < 5; i++) await rong.say(bob, rong.ultra('planet', 'corner'), `message ${i}`);
  await orders(user, rong.ultra('planet'), 'the default channel', numbered(0, 25));
  await orders(user, rong.ultra('planet', 'corner'), 'another channel', numbered(0, 5));
  const list = await all(user, rong.ultra('planet'), 1);
  await user.ok('deleteMessages', rong.ultra('planet'), keys(list.slice(0, 3)));
  tap.equal(texts(await all(user, rong.ultra('planet'), 0)), numbered(3, 25), 'an ultra group: deleteMessages');
  await user.ok('clearHistoryMessages', rong.ultra('planet'), list[9].sentTime);
  tap.equal(texts(await all(user, rong.ultra('planet'), 0)), numbered(10, 25), 'an ultra group: clearHistoryMessages');
  tap.equal(texts(await all(user, rong.ultra('planet', 'corner'), 0)), numbered(0, 5), 'its other channel is whole');
  tap.equal(texts(await all(bob, rong.ultra('planet'), 0)), numbered(0, 25), 'the peer has all');
  for (const page of [bob, user]) await page.close();
  await sandbox.stop();
}

/** Only an app's server writes to it. */
async function system() {
  const sandbox = await moontide.sandbox();
  const { ready } = sandbox;
  await (await rong.login(ready, 'notices')).close();
  const user = await rong.login(ready, OWNER);
  const bot = await rong.bot(ready, OWNER);
  for (let i = 0; i < 25; i++) {
    const { messageUIDs: [{ messageUID }] } = await rong.api(ready, '/message/system/publish.json', { fromUserId: 'notices', toUserId: OWNER,
      objectName: 'RC:TxtMsg', content: JSON.stringify({ content: `message ${i}` }) });
    const heard = await rong.hear(user, message => message.messageUId === messageUID);
    if (i) continue;
    tap.equal([heard.conversationType, heard.targetId, heard.senderUserId], [6, 'notices', 'notices'], 'the system says something, the SDK hears');
    const { message } = await bot.seen.take(one => one.event === 'message' && one.message.id === messageUID, messageUID);
    tap.equal([message.conversation, message.from, message.text], ['system:notices', 'notices', 'message 0'], 'and so does moontide');
  }
  await orders(user, rong.system('notices'), 'a system conversation', numbered(0, 25));
  const ours = (await bot.ask('history', 'system:notices')).map(line => JSON.parse(line).text);
  tap.equal(ours, numbered(0, 25), 'moontide reads the same');
  const [entry] = await user.ok('getConversationListByTimestamp', { count: 5, startTime: 0, order: 0, conversationTypes: [rong.SYSTEM] });
  tap.equal([entry.targetId, entry.unreadMessageCount, entry.latestMessage.content.content], ['notices', 25, 'message 24'], 'it is in the list');
  const [same] = (await bot.ask('entries', undefined, { options: { kinds: ['system'] } })).map(JSON.parse);
  tap.equal([same.id, same.unread, same.last.text], ['system:notices', 25, 'message 24'], "and in moontide's");
  const list = await all(user, rong.system('notices'), 1);
  await user.ok('clearHistoryMessages', rong.system('notices'), list[9].sentTime);
  await bot.ask('delete_messages', 'system:notices', { which: { before: list[15].sentTime } });
  tap.equal(texts(await all(user, rong.system('notices'), 0)), numbered(15, 25), 'both delete from it');
  tap.equal(await bot.stop(), 0, 'the script ends well');
  await user.close();
  await sandbox.stop();
}

tap.run(async () => {
  const sandbox = await moontide.sandbox('--load', file(), '--owner', OWNER);
  const { ready } = sandbox;
  const user = await rong.login(ready, OWNER);
  await pages(user);
  const bob = await deletions(ready, user);
  for (const page of [user, bob]) await page.close();
  await sandbox.stop();
  await ultra();
  await system();
});
