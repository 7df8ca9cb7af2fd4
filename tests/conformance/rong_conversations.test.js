'use strict';
// Every function of the manual of conversations (seed 003) by RongCloud's SDK, unmodified, against the sandbox: the list in
// both orders and page by page, one conversation, the pinned and the unread ones, with every field, and with ultra groups.
const fs = require('node:fs');
const path = require('node:path');
const tap = require('./tap.js');
const rong = require('./rong.js');
const moontide = require('./moontide.js');

const OWNER = 'agent';
const PEERS = 45;
const FIRST = Date.now() - 3 * 3600000;

/** Conversations of the owner with peers, a minute between them, the last message of each from the peer. */
function peersFile(count, name) {
  const file = path.join(moontide.scratch, name);
  const lines = [];
  for (let i = 0; i < count; i++) {
    const at = { chat: 'single', conversation: `peer-${String(i).padStart(4, '0')}` };
    lines.push({ ...at, from: OWNER, ts: FIRST + i * 1000, text: `question ${i}` });
    lines.push({ ...at, from: at.conversation, ts: FIRST + i * 1000 + 500, text: `answer ${i}` });
  }
  fs.writeFileSync(file, lines.map(line => JSON.stringify(line)).join('\n') + '\n');
  return file;
}

const ids = list => list.map(conversation => conversation.targetId);
const names = (from, to, step = 1) => {
  const result = [];
  for (let i = from; i !== to; i += step) result.push(`peer-${String(i).padStart(4, '0')}`);
  return result;
};

/** All pages of the list, as one whose next page begins where the manual says. */
async function paged(user, count, order) {
  const all = [];
  for (let startTime = 0; ;) {
    const page = await user.ok('getConversationList', { count, startTime, order });
    all.push(...page);
    if (page.length < count) return all;
    startTime = page.at(-1).latestMessage.sentTime;
  }
}

async function lists(user) {
  const newest = await user.ok('getConversationList', { count: 10, startTime: 0, order: 0 });
  tap.equal(ids(newest), names(PEERS - 1, PEERS - 11, -1), 'the newest ten conversations, newest first');
  const oldest = await user.ok('getConversationList', { count: 10, startTime: 0, order: 1 });
  tap.equal(ids(oldest), names(0, 10), 'the oldest ten conversations, oldest first');
  tap.equal(ids(await paged(user, 7, 0)), names(PEERS - 1, -1, -1), 'all pages, newest first');
  tap.equal(ids(await paged(user, 7, 1)), names(0, PEERS), 'all pages, oldest first');
  tap.equal(ids(await user.ok('getConversationList')), names(PEERS - 1, -1, -1), 'without options: the newest 300');
  tap.equal(ids(await user.ok('getAllConversationList')), names(PEERS - 1, -1, -1), 'getAllConversationList');
  const before = FIRST + 20 * 1000 + 500;
  tap.equal(ids(await user.ok('getConversationList', { count: 5, startTime: before, order: 0 })), names(19, 14, -1),
    'earlier than a time');
  tap.equal(ids(await user.ok('getConversationList', { count: 5, startTime: before, order: 1 })), names(21, 26),
    'later than a time');
  tap.equal((await user.ok('getConversationListByTimestamp', { count: 5, startTime: 0, order: 0,
    conversationTypes: [rong.GROUP] })), [], 'only groups: none');
  const latest = newest[0].latestMessage;
  tap.equal([latest.messageType, latest.content.content, latest.senderUserId, latest.messageDirection, latest.sentTime],
    ['RC:TxtMsg', `answer ${PEERS - 1}`, newest[0].targetId, 2, FIRST + (PEERS - 1) * 1000 + 500], 'the latest message, whole');
}

/** The fields of the manual's table, of one conversation. On the web lastUnreadTime is always 0. */
const fields = ({ conversationType, targetId, unreadMessageCount, latestMessage, hasMentioned, mentionedInfo, isTop,
  notificationLevel, notificationStatus, lastUnreadTime }) => ({
  conversationType, targetId, unreadMessageCount, text: latestMessage && latestMessage.content.content, hasMentioned,
  mentioned: mentionedInfo && { type: mentionedInfo.type, userIdList: mentionedInfo.userIdList }, isTop, notificationLevel,
  notificationStatus, lastUnreadTime });

const found = async (user, id) => (await user.ok('getConversationList')).find(conversation => conversation.targetId === id);

async function whole(ready, user) {
  const bob = await rong.login(ready, 'bob');
  await rong.say(bob, rong.one(OWNER), 'one');
  await rong.hear(user, message => message.content.content === 'one');
  tap.equal(fields(await found(user, 'bob')), { conversationType: 1, targetId: 'bob', unreadMessageCount: 1, text: 'one',
    hasMentioned: false, mentioned: undefined, isTop: false, notificationLevel: 0, notificationStatus: 2,
    lastUnreadTime: 0 }, 'a conversation has every field of the manual');
  await rong.say(user, rong.group('lobby'), 'I am here');
  const mention = { content: '@agent look', mentionedInfo: { type: 2, userIdList: [OWNER] } };
  const called = await bob.ok('sendMessage', rong.group('lobby'), rong.message('TextMessage', mention), { isMentioned: true });
  await rong.hear(user, message => message.messageUId === called.messageUId);
  tap.equal(fields(await found(user, 'lobby')), { conversationType: 3, targetId: 'lobby', unreadMessageCount: 1,
    text: '@agent look', hasMentioned: true, mentioned: { type: 2, userIdList: [OWNER] }, isTop: false, notificationLevel: 0,
    notificationStatus: 2, lastUnreadTime: 0 }, 'a group in which one was mentioned');
  tap.equal(fields(await user.ok('getConversation', rong.group('lobby'))), fields(await found(user, 'lobby')),
    'getConversation gives the same');
  tap.equal((await user.ok('getConversation', rong.one('nobody'))).latestMessage, null,
    'a conversation that is not in the list has no latest message');
  tap.equal(ids(await user.ok('getConversationListByTimestamp', { count: 5, startTime: 0, order: 0,
    conversationTypes: [rong.GROUP] })), ['lobby'], 'only groups: that one');
  await user.ok('saveTextMessageDraft', rong.one('bob'), 'half a sen');
  tap.equal([await user.ok('getTextMessageDraft', rong.one('bob')), (await found(user, 'bob')).draft], ['half a sen', 'half a sen'],
    'a draft is in the list');
  await user.ok('clearTextMessageDraft', rong.one('bob'));
  tap.equal(Boolean((await found(user, 'bob')).draft), false, 'and is cleared');
  return bob;
}

const changed = (user, id, item) => user.hears('CONVERSATION', ({ conversationList }) => conversationList.some(one =>
  one.conversation.targetId === id && one.updatedItems && item in one.updatedItems));

async function settings(ready, user, bob) {
  const second = await rong.login(ready, OWNER);
  await user.ok('setConversationToTop', rong.one('bob'), true);
  await changed(second, 'bob', 'isTop');
  tap.equal(ids(await user.ok('getTopConversationList')), ['bob'], 'getTopConversationList');
  tap.equal(ids(await second.ok('getTopConversationList')), ['bob'], 'the other device knows it');
  await user.ok('setConversationToTop', rong.group('lobby'), true);
  await changed(second, 'lobby', 'isTop');
  tap.equal(ids(await second.ok('getTopConversationList', [rong.GROUP])), ['lobby'], 'only groups that are pinned');
  tap.equal((await found(second, 'bob')).isTop, true, 'and in the list');
  await user.ok('setConversationToTop', rong.one('bob'), false);
  await changed(second, 'bob', 'isTop');
  tap.equal(ids(await second.ok('getTopConversationList')), ['lobby'], 'not pinned any more');
  await user.ok('setConversationNotificationLevel', rong.one('bob'), 5);
  await changed(second, 'bob', 'notificationLevel');
  tap.equal([(await found(second, 'bob')).notificationLevel, ids(await second.ok('getBlockedConversationList'))], [5, ['bob']],
    'the notification level reaches the other device');
  const fresh = await rong.login(ready, OWNER);
  await fresh.hears('CONVERSATIONS_SETTINGS_SYNCED');
  tap.equal([ids(await fresh.ok('getTopConversationList')), (await found(fresh, 'bob')).notificationLevel], [['lobby'], 5],
    'a device that comes later knows both');
  await fresh.close();
  return second;
}

async function unread(user, second, bob) {
  const waiting = names(0, PEERS); // the answers of the peers
  tap.equal(ids(await user.ok('getUnreadConversationList')).sort(), ['bob', 'lobby', ...waiting], 'getUnreadConversationList');
  tap.equal(ids(await user.ok('getUnreadConversationList', [rong.GROUP])), ['lobby'], 'of one type');
  tap.equal([await user.ok('getTotalUnreadCount', true), await user.ok('getTotalUnreadCount')], [PEERS + 2, PEERS + 1],
    'getTotalUnreadCount, with and without what is muted');
  const more = await rong.say(bob, rong.one(OWNER), 'two');
  await rong.hear(user, message => message.messageUId === more.messageUId);
  tap.equal(await user.ok('getUnreadCount', rong.one('bob')), 2, 'one more counts');
  await user.ok('clearMessagesUnreadStatus', rong.one('bob'));
  tap.equal([ids(await user.ok('getUnreadConversationList')).sort(), (await found(user, 'bob')).unreadMessageCount],
    [['lobby', ...waiting], 0], 'read, it is not in that list');
  await rong.hear(second, message => message.messageUId === more.messageUId);
}

async function removal(ready, user, bob) {
  await user.ok('removeConversation', rong.one('bob'));
  tap.equal(await found(user, 'bob'), undefined, 'a removed conversation is not in the list');
  const history = await user.ok('getHistoryMessages', rong.one('bob'), { count: 20 });
  tap.equal(history.list.map(message => message.content.content), ['one', 'two'], 'its messages are still there');
  await rong.say(bob, rong.one(OWNER), 'three');
  await rong.hear(user, message => message.content.content === 'three');
  tap.equal((await found(user, 'bob')).latestMessage.content.content, 'three', 'a new message brings it back');
  await user.ok('batchDeleteConversations', { identifiers: [rong.one('bob'), rong.one('peer-0000')], deleteRemotely: true,
    deleteMessages: true });
  tap.equal([await found(user, 'bob'), await found(user, 'peer-0000')], [undefined, undefined], 'two removed at once');
  tap.equal((await user.ok('getHistoryMessages', rong.one('bob'), { count: 20 })).list, [], 'with their messages');
  tap.equal((await bob.ok('getHistoryMessages', rong.one(OWNER), { count: 20 })).list.length, 3, 'the peer has them still');
}

/** The cloud keeps the newest thousand. */
async function thousand() {
  const sandbox = await moontide.sandbox('--load', peersFile(1010, 'thousand.jsonl'), '--owner', OWNER);
  const user = await rong.login(sandbox.ready, OWNER);
  const all = await user.ok('getConversationList', { count: 1000, startTime: 0, order: 0 });
  tap.equal([all.length, all[0].targetId, all.at(-1).targetId], [1000, 'peer-1009', 'peer-0010'], 'the newest thousand');
  const oldest = await user.ok('getConversationList', { count: 3, startTime: 0, order: 1 });
  tap.equal(ids(oldest), ['peer-0010', 'peer-0011', 'peer-0012'], 'the oldest is the oldest of the thousand');
  await user.close();
  await sandbox.stop();
}

async function ultra() {
  const sandbox = await moontide.sandbox('--load', peersFile(3, 'three.jsonl'), '--owner', OWNER, '--rongcloud', 'ugMsg=1,sessionCfg=1');
  const { ready } = sandbox;
  const bob = await rong.login(ready, 'bob');
  const early = await rong.login(ready, OWNER);
  await early.hears('ULTRA_GROUP_ENABLE');
  await rong.say(early, rong.ultra('planet'), 'founded');
  await early.close();
  await rong.say(bob, rong.ultra('planet'), 'hello planet');
  await rong.say(bob, rong.ultra('planet', 'corner'), 'hello corner');
  const user = await rong.page(ready, OWNER);
  await user.login();
  const early2 = await user.call('getConversationList', { count: 10, startTime: 0, order: 0 });
  tap.ok(early2.code === 35011 || early2.data.length === 4, 'before it is synced the list is refused', JSON.stringify(early2));
  await user.hears('CONVERSATIONS_SYNCED');
  await user.hears('ULTRA_GROUP_ENABLE');
  tap.ok(true, 'both events say that it is synced');
  const list = await user.ok('getConversationList', { count: 10, startTime: 0, order: 0 });
  tap.equal(list.map(one => [one.conversationType, one.targetId, one.channelId || '', one.latestMessage.content.content]), [
    [10, 'planet', '', 'hello planet'], [1, 'peer-0002', '', 'answer 2'], [1, 'peer-0001', '', 'answer 1'],
    [1, 'peer-0000', '', 'answer 0']], 'ultra groups are in the list, of the default channel only');
  tap.equal(ids(await user.ok('getConversationList', { count: 2, startTime: 0, order: 1 })), ['peer-0000', 'peer-0001'],
    'the list with ultra groups, oldest first');
  tap.equal(list[0].unreadMessageCount, 1, "the ultra group's unread count is the server's");
  const said = await rong.say(bob, rong.ultra('planet'), 'again');
  await rong.hear(user, message => message.messageUId === said.messageUId);
  const after = await user.ok('getConversation', rong.ultra('planet'));
  tap.equal([after.unreadMessageCount, after.latestMessage.content.content], [2, 'again'], 'and goes on with events');
  await user.ok('clearMessagesUnreadStatus', rong.ultra('planet'));
  const fresh = await rong.login(ready, OWNER);
  await fresh.hears('ULTRA_GROUP_ENABLE');
  tap.equal((await fresh.ok('getConversation', rong.ultra('planet'))).unreadMessageCount, 0, 'read here is read on another device');
  for (const page of [fresh, user, bob]) await page.close();
  await sandbox.stop();
}

tap.run(async () => {
  const sandbox = await moontide.sandbox('--load', peersFile(PEERS, 'peers.jsonl'), '--owner', OWNER);
  const { ready } = sandbox;
  const user = await rong.login(ready, OWNER);
  await lists(user);
  const bob = await whole(ready, user);
  const second = await settings(ready, user, bob);
  await unread(user, second, bob);
  await removal(ready, user, bob);
  for (const page of [user, second, bob]) await page.close();
  await sandbox.stop();
  await thousand();
  await ultra();
});
