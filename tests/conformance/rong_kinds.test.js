'use strict';
// RongCloud's SDK sends everything that it can send, and the SDK of the receiver, of a member and of the sender's other device
// hear it equal; uploads; who may not write.
const tap = require('./tap.js');
const rong = require('./rong.js');
const moontide = require('./moontide.js');
const { KINDS, TYPES, ordered: sorted } = require('./rong_kinds.js');

const ME = 'agent';

const PLACES = [
  ['a private chat', rong.one('bob'), rong.one(ME)],
  ['a group', rong.group('lobby'), rong.group('lobby')],
  ['an ultra group', rong.ultra('planet'), rong.ultra('planet')],
  ['a channel', rong.ultra('planet', 'corner'), rong.ultra('planet', 'corner')],
];

/** What one hears of a message that was sent to that place. */
async function same(device, sent, place, direction) {
  const heard = await rong.hear(device, message => message.messageUId === sent.messageUId);
  const want = [sent.messageType, sent.content, sent.sentTime, ME, place.conversationType, place.targetId, direction];
  const got = [heard.messageType, heard.content, heard.sentTime, heard.senderUserId, heard.conversationType, heard.targetId,
    heard.messageDirection];
  return sorted(got) === sorted(want) ? null : `${device.user} heard ${sorted(got)}, sent ${sorted(want)}`;
}

async function everyKind({ me, second, bob }) {
  for (const [name, mine, theirs] of PLACES) {
    const wrong = [];
    for (const [type, content, objectName] of KINDS) {
      const sent = await me.ok('sendMessage', mine, rong.message(type, content), {});
      if (sent.messageType !== objectName || sorted(sent.content) !== sorted(content)) wrong.push(`sent ${sorted(sent)}`);
      wrong.push(await same(bob, sent, theirs, 2), await same(second, sent, mine, 1));
    }
    const found = wrong.filter(Boolean);
    tap.ok(!found.length, `${KINDS.length} kinds arrive equal, at the other device too: ${name}`, found.join('\n'));
    const { list } = await bob.ok('getHistoryMessages', theirs, { count: 100, order: 1 });
    const kept = KINDS.filter(([, , objectName]) => objectName !== 'RC:CmdMsg');
    tap.equal(list.slice(-kept.length).map(message => [message.messageType, sorted(message.content)]),
      kept.map(([, content, objectName]) => [objectName, sorted(content)]), `history has those that are kept: ${name}`);
  }
}

async function options({ ready, me, bob, carol }) {
  const mention = content => rong.message('TextMessage', { content, mentionedInfo: { type: 2, userIdList: ['bob'], mentionedContent: 'x' } });
  const some = await me.ok('sendMessage', rong.group('lobby'), mention('@bob'), { isMentioned: true });
  const heard = await rong.hear(bob, message => message.messageUId === some.messageUId);
  await rong.hear(carol, message => message.messageUId === some.messageUId);
  tap.equal([heard.isMentioned, heard.content.mentionedInfo.userIdList], [true, ['bob']], 'a mention of one');
  tap.equal([await bob.ok('getUnreadMentionedCount', rong.group('lobby')), await carol.ok('getUnreadMentionedCount', rong.group('lobby'))],
    [1, 0], 'counts for that one only');
  const all = rong.message('TextMessage', { content: '@all', mentionedInfo: { type: 1, userIdList: [] } });
  const everybody = await me.ok('sendMessage', rong.group('lobby'), all, { isMentioned: true });
  for (const member of [bob, carol]) await rong.hear(member, message => message.messageUId === everybody.messageUId);
  tap.equal([await bob.ok('getUnreadMentionedCount', rong.group('lobby')), await carol.ok('getUnreadMentionedCount', rong.group('lobby'))],
    [2, 1], 'a mention of all counts for all');
  const directed = await rong.say(me, rong.group('lobby'), 'psst', { directionalUserIdList: ['bob'] });
  await rong.hear(bob, message => message.messageUId === directed.messageUId);
  const open = await rong.say(me, rong.group('lobby'), 'loud');
  await rong.hear(bob, message => message.messageUId === open.messageUId);
  await rong.hear(carol, message => message.messageUId === open.messageUId);
  tap.ok(!carol.seen.items.some(item => item.name === 'MESSAGES' && item.event.messages.some(message => message.messageUId === directed.messageUId)),
    'a directed message reaches only whom it is for');
  const expanded = await rong.say(me, rong.one('bob'), 'with more', { canIncludeExpansion: true, expansion: { a: '1' },
    pushContent: 'P', pushData: 'D', disableNotification: true });
  const more = await rong.hear(bob, message => message.messageUId === expanded.messageUId);
  tap.equal([more.canIncludeExpansion, more.expansion, more.disableNotification], [true, { a: '1' }, true],
    'an expansion and a silent message');
  await me.ok('updateMessageExpansion', { b: '2' }, expanded);
  const event = await bob.hears('EXPANSION');
  tap.equal([event.updatedExpansion.messageUId, event.updatedExpansion.expansion], [expanded.messageUId, { b: '2' }],
    'an expansion that is changed');
  const silent = await rong.say(me, rong.one('bob'), 'not in the list', { disableUpdateLastMessage: true });
  await rong.hear(bob, message => message.messageUId === silent.messageUId);
  const [entry] = (await bob.ok('getConversationList')).filter(one => one.targetId === ME);
  tap.equal(entry.latestMessage.content.content, 'with more', 'a message that does not become the latest one');
  await me.ok('sendTypingStatusMessage', rong.one('bob'), 'RC:TxtMsg');
  await bob.hears('TYPING_STATUS', ({ status }) => status.some(one => one.targetId === ME));
  tap.ok(true, 'typing is told');
  const wink = await me.ok('sendMessage', rong.one('bob'), rong.message('app:wink', { eye: 'left' }), {});
  const seen = await rong.hear(bob, message => message.messageType === 'app:wink');
  tap.equal([seen.content, wink.messageType], [{ eye: 'left' }, 'app:wink'], "a status message of the app's own");
}

async function edits({ me, second, bob }) {
  for (const [name, mine] of [PLACES[0], PLACES[1]]) {
    const sent = await rong.say(me, mine, 'helo');
    await rong.hear(bob, message => message.messageUId === sent.messageUId);
    await rong.hear(second, message => message.messageUId === sent.messageUId);
    await me.ok('modifyMessageWithParams', { messageUId: sent.messageUId, messageContent: { content: 'hello' }, conversation: mine });
    for (const device of [bob, second]) {
      const [heard] = await device.hears('MESSAGE_MODIFIED', list => list.some(message => message.messageUId === sent.messageUId));
      tap.equal([heard.content.content, heard.messageDirection], ['hello', device === bob ? 2 : 1], `${name}: ${device === bob
        ? 'the receiver' : 'the other device'} hears of an edit`);
    }
  }
}

tap.run(async () => {
  const sandbox = await moontide.sandbox('--rongcloud', 'ugMsg=1');
  const { ready } = sandbox;
  const [me, second, bob, carol] = [await rong.login(ready, ME, { types: TYPES }), await rong.login(ready, ME, { types: TYPES }),
    await rong.login(ready, 'bob', { types: TYPES }), await rong.login(ready, 'carol', { types: TYPES })];
  const world = { ready, me, second, bob, carol };
  for (const user of [me, second, bob, carol]) await user.hears('ULTRA_GROUP_ENABLE');
  for (const user of [bob, carol, me]) {
    await rong.say(user, rong.group('lobby'), `${user.user} is here`);
    await rong.say(user, rong.ultra('planet'), `${user.user} is here`);
    await rong.say(user, rong.ultra('planet', 'corner'), `${user.user} is here`);
  }
  await everyKind(world);
  await options(world);
  await edits(world);
  for (const user of [me, second, bob, carol]) await user.close();
  await sandbox.stop();
});
