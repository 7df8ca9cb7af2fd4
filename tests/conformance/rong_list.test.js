'use strict';
// The list of conversations as the manual describes it (seed 003): what moontide shows is what the SDK shows, with every field,
// from both ends, page by page, pinned and unread ones, as a command and as a session that is kept up to date by events, and
// with ultra groups.
const fs = require('node:fs');
const path = require('node:path');
const tap = require('./tap.js');
const rong = require('./rong.js');
const moontide = require('./moontide.js');
const { ordered } = require('./rong_kinds.js');

const ME = 'agent';
const PEERS = 120;
const FIRST = Date.now() - 3 * 3600000;
const NAMES = { 1: 'single', 3: 'group', 6: 'system', 10: 'ultra' };
const LEVELS = { '-1': 'all', 0: 'default', 1: 'mentions', 2: 'mentions_me', 4: 'mentions_all', 5: 'none' };

/** Some of them share their millisecond, also where a page of the SDK's size ends. */
function load(count) {
  const name = path.join(moontide.scratch, `list-${count}.jsonl`);
  const lines = [];
  for (let i = 0; i < count; i++) {
    const conversation = `peer-${String(i).padStart(4, '0')}`;
    lines.push({ chat: 'single', conversation, from: i % 3 ? conversation : ME, ts: FIRST + Math.floor(i / 4) * 1000, text: `message ${i}` });
  }
  fs.writeFileSync(name, lines.map(line => JSON.stringify(line)).join('\n') + '\n');
  return name;
}

/** One entry in the words of both. */
const theirs = ({ conversationType, targetId, channelId, unreadMessageCount, latestMessage, isTop, notificationLevel,
  unreadMentionedCount, hasMentioned, mentionedInfo }) => ({
  id: `${NAMES[conversationType]}:${targetId}${conversationType === 10 ? `/${channelId || 'RCDefault'}` : ''}`,
  unread: unreadMessageCount, mentions: unreadMentionedCount || 0, pinned: Boolean(isTop), notification: LEVELS[notificationLevel],
  mentioned: Boolean(hasMentioned) && { all: mentionedInfo.type === 1, users: mentionedInfo.userIdList || [] },
  last: latestMessage && { id: latestMessage.messageUId, from: latestMessage.senderUserId, time: latestMessage.sentTime,
    text: latestMessage.content.content },
});
const ours = ({ id, unread, mentions, mentioned, pinned, notification, last }) => ({
  id, unread, mentions, pinned: Boolean(pinned), notification,
  mentioned: Boolean(mentioned) && { all: mentioned.all, users: mentioned.users || [] },
  last: last && { id: last.id, from: last.from, time: last.time, text: last.text } });

/** Whether both lists hold the same; equal times have no order. */
function agree(got, want, name) {
  const [a, b] = [got.map(ordered), want.map(ordered)];
  const less = (list, other) => list.filter(one => !other.includes(one));
  tap.ok(a.length === b.length && !less(a, b).length && !less(b, a).length, name,
    `moontide ${a.length}, the SDK ${b.length}\nmoontide: ${less(a, b).join('\n')}\nthe SDK: ${less(b, a).join('\n')}`);
}

async function all(user, order, count = 300) {
  const result = [];
  const known = new Set();
  for (let startTime = 0; ;) {
    const page = await user.ok('getConversationList', { count, startTime, order });
    for (const one of page) if (!known.has(one.targetId)) result.push(one);
    for (const one of page) known.add(one.targetId);
    if (page.length < count) return result;
    startTime = page.at(-1).latestMessage.sentTime;
  }
}

let scripts = 0;
async function command(config, options) {
  const file = path.join(moontide.scratch, `list-${scripts++}.lua`);
  fs.writeFileSync(file, `for conversation in require "moontide".account "it":conversations { ${options} } do print(conversation:json()) end`);
  const run = await moontide.run(['run', '-c', config, file], { password: rong.token(ME) });
  if (run.status) throw new Error(`${options}: ${run.err}`);
  return run.out.split('\n').filter(Boolean).map(JSON.parse);
}

const live = async (bot, options = {}) => (await bot.ask('entries', undefined, { options })).map(JSON.parse);

/** Each list of the SDK beside the one of moontide. */
async function compare(user, take, name) {
  const same = (a, b, what) => agree(a.map(ours), b.map(theirs), `${name}: ${what}`);
  const whole = await all(user, 0);
  same(await take({}), whole, `all ${whole.length} of them, with every field`);
  const times = list => list.map(({ last }) => last.time);
  const [newest, oldest] = [(await take({})).map(ours), (await take({ order: 'oldest' })).map(ours)];
  tap.equal(times(newest), whole.map(theirs).map(({ last }) => last.time), `${name}: newest first`);
  tap.equal(times(oldest), (await all(user, 1)).map(theirs).map(({ last }) => last.time), `${name}: oldest first`);
  same(oldest.length === newest.length ? await take({ order: 'oldest' }) : [], whole, 'from the other end the same ones');
  const start = FIRST + 12000;
  same(await take({ start }), await user.ok('getConversationList', { count: 300, startTime: start, order: 0 }), 'older than a time');
  same(await take({ start, order: 'oldest' }), await user.ok('getConversationList', { count: 300, startTime: start, order: 1 }),
    'newer than a time');
  same(await take({ pinned: true }), await user.ok('getTopConversationList'), 'the pinned ones');
  same(await take({ unread: true }), await user.ok('getUnreadConversationList'), 'the unread ones');
  same(await take({ kinds: ['group'] }), await user.ok('getConversationListByTimestamp',
    { count: 300, startTime: 0, order: 0, conversationTypes: [rong.GROUP] }), 'groups only');
  same(await take({ only: ['single:bob'] }), [await user.ok('getConversation', rong.one('bob'))], 'one of them');
}

const lua = options => Object.entries(options).map(([key, value]) =>
  `${key} = ${JSON.stringify(value).replace('[', '{').replace(']', '}')}`).join(', ');

/** Settings, unread messages and mentions of all sorts. */
async function settle(user, bob) {
  await rong.say(user, rong.group('lobby'), 'I am here');
  for (const content of ['one', 'two']) await rong.say(bob, rong.one(ME), content);
  const call = type => rong.message('TextMessage', { content: '@', mentionedInfo: { type, userIdList: type === 2 ? [ME] : [] } });
  for (const type of [1, 2]) await bob.ok('sendMessage', rong.group('lobby'), call(type), { isMentioned: true });
  await rong.hear(user, message => message.content.mentionedInfo && message.content.mentionedInfo.type === 2);
  await user.ok('setConversationToTop', rong.one('bob'), true);
  await user.ok('setConversationToTop', rong.one('peer-0003'), true);
  await user.ok('setConversationNotificationLevel', rong.one('peer-0004'), 5);
  await user.ok('setConversationNotificationLevel', rong.group('lobby'), 2);
}

tap.run(async () => {
  const sandbox = await moontide.sandbox('--load', load(PEERS), '--owner', ME);
  const { ready } = sandbox;
  const config = moontide.rongConfig(ready, ME);
  const [user, bob] = [await rong.login(ready, ME), await rong.login(ready, 'bob')];
  await settle(user, bob);
  await user.ok('removeConversation', rong.one('peer-0005'));
  await compare(user, options => command(config, lua(options)), 'a command');
  const bot = await rong.bot(ready, ME);
  const take = options => live(bot, options);
  tap.equal((await take({ fresh: true })).length, (await all(user, 0)).length, 'a fresh list is given');
  await compare(user, take, 'a session');

  await members(config, user);
  const more = await rong.say(bob, rong.one(ME), 'three');
  const fresh = await rong.say(bob, rong.group('lobby'), 'four');
  for (const one of [more, fresh]) {
    await rong.hear(user, message => message.messageUId === one.messageUId);
    await bot.seen.take(item => item.event === 'message' && item.message.id === one.messageUId, 'the message');
  }
  await compare(user, take, 'a session, after messages');
  await bot.ask('set_notification', 'single:bob', { level: 'none' });
  await user.hears('CONVERSATION', ({ conversationList }) => conversationList.some(one =>
    one.conversation.targetId === 'bob' && one.conversation.notificationLevel === 5));
  tap.equal((await user.ok('getBlockedConversationList')).map(one => one.targetId).sort(), ['bob', 'lobby', 'peer-0004'],
    'the script turns notifications off, the SDK knows');
  await user.ok('setConversationNotificationLevel', rong.one('bob'), 1);
  await bot.seen.take(item => item.event === 'conversation' && item.rest.conversation === 'single:bob', 'the change');
  tap.equal((await take({ only: ['single:bob'] })).map(ours)[0].notification, 'mentions', 'the SDK changes them, the script knows');
  const soon = await bot.ask('entries', undefined, { options: { fresh: true } }).catch(error => error);
  tap.equal(soon.fault && soon.fault.code, 'conversations.too_often', 'a fresh list is refused when that happens too often');
  tap.equal(await bot.stop(), 0, 'the script ends well');
  for (const page of [user, bob]) await page.close();
  await sandbox.stop();
  await thousand();
  await ultra();
});

/** The same as members of a conversation in Lua; drafts are kept by whoever wrote them. */
async function members(config, user) {
  const file = path.join(moontide.scratch, 'members.lua');
  fs.writeFileSync(file, `local moontide = require "moontide"
    local account = moontide.account "it"
    local list = moontide.json.array {}
    for _, id in ipairs { "single:bob", "group:lobby" } do
      local c = account:conversation(id):fetch()
      list[#list + 1] = { c.id, c.kind, c.unread, c.pinned, c.notification, c.mentions, c.mentioned and c.mentioned.all, c.last.text,
        c.last_unread_time }
    end
    local bob = account:conversation "bob"
    local before = bob:draft()
    bob:set_draft "half a sen"
    list[#list + 1] = { before or "none", bob:draft() }
    bob:set_draft(nil)
    print(moontide.json.encode(list))`);
  const run = await moontide.run(['run', '-c', config, file], { password: rong.token(ME) });
  if (run.status) throw new Error(run.err);
  const [one, group, draft] = JSON.parse(run.out);
  const [bob, lobby] = [await user.ok('getConversation', rong.one('bob')), await user.ok('getConversation', rong.group('lobby'))];
  tap.equal([one, group], [['single:bob', 'single', 2, true, 'default', 0, null, 'two', bob.latestMessage.sentTime],
    ['group:lobby', 'group', 2, false, 'mentions_me', 2, true, '@', lobby.latestMessage.sentTime]], 'members of a conversation in Lua');
  tap.equal(draft, ['none', 'half a sen'], 'a draft is kept');
}

async function thousand() {
  const sandbox = await moontide.sandbox('--load', load(1010), '--owner', ME);
  const user = await rong.login(sandbox.ready, ME);
  const config = moontide.rongConfig(sandbox.ready, ME);
  const file = path.join(moontide.scratch, 'thousand.lua');
  fs.writeFileSync(file, `local moontide = require "moontide"
    local ok, fault = moontide.try(function()
      for conversation in moontide.account "it":conversations() do print(conversation:json()) end
    end)
    print(moontide.json.encode { fault = not ok and fault.code })`);
  const run = await moontide.run(['run', '-c', config, file], { password: rong.token(ME) });
  const lines = run.out.split('\n').filter(Boolean).map(JSON.parse);
  const { fault } = lines.pop();
  const list = await user.ok('getConversationList', { count: 1000, startTime: 0, order: 0 });
  agree(lines.map(ours), list.map(theirs), "the cloud's thousand, the same for both");
  tap.equal(fault, 'conversations.truncated', 'and moontide says that there may be more');
  await user.close();
  await sandbox.stop();
}

/** With ultra groups the SDK keeps the list in memory. (What was removed stands in the memory of a new page again, for the
 * messages that waited; moontide goes by the cloud's list.) */
async function ultra() {
  const sandbox = await moontide.sandbox('--load', load(12), '--owner', ME, '--rongcloud', 'ugMsg=1,sessionCfg=1');
  const { ready } = sandbox;
  const config = moontide.rongConfig(ready, ME);
  const [user, bob] = [await rong.login(ready, ME), await rong.login(ready, 'bob')];
  for (const page of [user, bob]) await page.hears('ULTRA_GROUP_ENABLE');
  await rong.say(user, rong.ultra('planet'), 'founded');
  await rong.say(bob, rong.ultra('planet', 'corner'), 'in the corner');
  for (const content of ['hello planet', 'again']) await rong.say(bob, rong.ultra('planet'), content);
  await settle(user, bob);
  const later = await rong.login(ready, ME);
  await later.hears('ULTRA_GROUP_ENABLE');
  const same = async (list, name) => agree(list.map(ours), (await all(later, 0)).map(theirs), name);
  await same(await command(config, ''), 'ultra groups are in the list of a command, of the default channel only');
  const bot = await rong.bot(ready, ME);
  await same(await live(bot), 'and in that of a session');
  const said = await rong.say(bob, rong.ultra('planet'), 'and again');
  await rong.hear(later, message => message.messageUId === said.messageUId);
  await bot.seen.take(item => item.event === 'message' && item.message.id === said.messageUId, 'the message');
  await same(await live(bot), 'which goes on with events');
  await bot.ask('conversation_read', 'ultra:planet/RCDefault');
  await later.hears('CONVERSATION', ({ conversationList }) => conversationList.some(one =>
    one.conversation.targetId === 'planet' && one.conversation.unreadMessageCount === 0));
  await same(await live(bot), 'and what the script reads is read for both');
  tap.equal(await bot.stop(), 0, 'the script of ultra groups ends well');
  for (const page of [user, bob, later]) await page.close();
  await sandbox.stop();
}
