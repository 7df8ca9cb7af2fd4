'use strict';
// What is unread and who has read, by RongCloud's SDK, unmodified, against the sandbox: counted by the client and kept by the
// server, told to the other devices in both ways, the receipts of every version that navigation announces, and recall.
const tap = require('./tap.js');
const rong = require('./rong.js');
const moontide = require('./moontide.js');

const ME = 'agent';

const count = (user, conversation) => user.ok('getUnreadCount', conversation);

/** The peer says something and the user hears it. */
async function told(peer, to, user, content, options) {
  const sent = await rong.say(peer, to, content, options);
  await rong.hear(user, message => message.messageUId === sent.messageUId);
  return sent;
}

async function counted() {
  const sandbox = await moontide.sandbox();
  const { ready } = sandbox;
  const [bob, user, second] = [await rong.login(ready, 'bob'), await rong.login(ready, ME), await rong.login(ready, ME)];
  const first = await told(bob, rong.one(ME), user, 'one');
  const last = await told(bob, rong.one(ME), user, 'two');
  await rong.hear(second, message => message.messageUId === last.messageUId);
  tap.equal([await count(user, rong.one('bob')), await count(second, rong.one('bob'))], [2, 2], 'both devices count two');
  await bob.ok('recallMessage', rong.one(ME), { messageUId: first.messageUId, sentTime: first.sentTime });
  const recalled = await rong.hear(user, message => message.messageType === 'RC:RcCmd');
  await rong.hear(second, message => message.messageType === 'RC:RcCmd');
  tap.equal([recalled.content.messageUId, recalled.content.targetId, await count(user, rong.one('bob'))],
    [first.messageUId, ME, 1], 'a recalled message does not count');
  await user.ok('clearMessagesUnreadStatus', rong.one('bob'));
  await user.ok('sendSyncReadStatusMessage', rong.one('bob'), last.sentTime);
  await rong.hear(second, message => message.messageType === 'RC:SRSMsg');
  tap.equal([await count(user, rong.one('bob')), await count(second, rong.one('bob'))], [0, 0], 'read on one device, read on both');
  await rong.say(user, rong.group('lobby'), 'I am here');
  const inGroup = await told(bob, rong.group('lobby'), user, 'to all', {});
  await rong.hear(second, message => message.messageUId === inGroup.messageUId);
  await user.ok('clearMessagesUnreadStatus', rong.group('lobby'));
  await user.ok('sendSyncReadStatusMessage', rong.group('lobby'), inGroup.sentTime);
  await rong.hear(second, message => message.messageType === 'RC:SRSMsg' && message.targetId === 'lobby');
  tap.equal(await count(second, rong.group('lobby')), 0, 'the same in a group');
  await recall(bob, user, second);
  await user.ok('clearAllMessagesUnreadStatus');
  tap.equal(await user.ok('getTotalUnreadCount'), 0, 'clearAllMessagesUnreadStatus');
  for (const page of [bob, user, second]) await page.close();
  await sandbox.stop();
}

/** In history there is the original no more, for nobody. */
async function recall(bob, user, second) {
  for (const [from, to, name] of [[rong.one(ME), rong.one('bob'), 'a private chat'],
    [rong.group('lobby'), rong.group('lobby'), 'a group']]) {
    const sent = await told(bob, from, user, 'said too much');
    await rong.hear(second, message => message.messageUId === sent.messageUId);
    const answer = await bob.ok('recallMessage', from, { messageUId: sent.messageUId, sentTime: sent.sentTime, extra: 'why' });
    tap.equal([answer.messageType, answer.messageUId], ['RC:RcCmd', `Cmd:${sent.messageUId}`], `${name}: recallMessage`);
    for (const device of [user, second]) {
      const heard = await rong.hear(device, message => message.messageType === 'RC:RcCmd');
      tap.equal([heard.content.messageUId, heard.content.sentTime, heard.content.extra, heard.senderUserId],
        [sent.messageUId, sent.sentTime, 'why', 'bob'], `${name}: a device of the receiver hears of it`);
    }
    const { list } = await user.ok('getHistoryMessages', to, { count: 20 });
    tap.ok(!list.some(message => message.messageUId === sent.messageUId && message.messageType === 'RC:TxtMsg'),
      `${name}: history has it no more`, JSON.stringify(list.map(message => [message.messageType, message.content])));
  }
}

/** sesDriven: the read time goes over a topic of its own. */
async function driven() {
  const sandbox = await moontide.sandbox('--rongcloud', 'sesDriven=1');
  const { ready } = sandbox;
  const [bob, user, second] = [await rong.login(ready, 'bob'), await rong.login(ready, ME), await rong.login(ready, ME)];
  const sent = await told(bob, rong.one(ME), user, 'one');
  await rong.hear(second, message => message.messageUId === sent.messageUId);
  await user.ok('clearMessagesUnreadStatus', rong.one('bob'));
  await user.ok('sendSyncReadStatusMessage', rong.one('bob'), sent.sentTime);
  const heard = await second.hears('SYNC_READ_STATUS');
  tap.equal([heard.conversationType, heard.targetId, heard.timestamp, await count(second, rong.one('bob'))],
    [1, 'bob', sent.sentTime, 0], 'sesDriven: the other device hears of the read time');
  for (const page of [bob, user, second]) await page.close();
  await sandbox.stop();
}

/** serverSaveUnread: a device that comes later knows what is unread. */
async function kept() {
  const sandbox = await moontide.sandbox('--rongcloud', 'serverSaveUnread=1');
  const { ready } = sandbox;
  const [bob, user] = [await rong.login(ready, 'bob'), await rong.login(ready, ME)];
  await told(bob, rong.one(ME), user, 'one');
  await told(bob, rong.one(ME), user, 'two');
  const fresh = await rong.login(ready, ME);
  tap.equal([await count(user, rong.one('bob')), await count(fresh, rong.one('bob'))], [2, 2],
    'serverSaveUnread: a device that comes later has the same count');
  const refused = await user.call('clearMessagesUnreadStatus', rong.one('bob'));
  tap.equal(refused.code, 34435, 'clearing it locally is refused');
  await user.ok('markRemoteConversationAsRead', rong.one('bob'));
  await fresh.hears('CONVERSATION', ({ conversationList }) =>
    conversationList.some(one => one.conversation.targetId === 'bob' && one.conversation.unreadMessageCount === 0));
  tap.equal([await count(user, rong.one('bob')), await count(fresh, rong.one('bob'))], [0, 0], 'read on the server, read on both');
  const more = await told(bob, rong.one(ME), user, 'three');
  await rong.hear(fresh, message => message.messageUId === more.messageUId);
  const latest = await rong.login(ready, ME);
  tap.equal([await count(user, rong.one('bob')), await count(fresh, rong.one('bob')), await count(latest, rong.one('bob'))],
    [1, 1, 1], 'one more, on every device');
  for (const page of [bob, user, fresh, latest]) await page.close();
  await sandbox.stop();
}

/** A sandbox with that version of receipts, a peer and two members of a group. */
async function withReceipts(version, check) {
  const sandbox = await moontide.sandbox(...(version ? ['--rongcloud', `grpRRVer=${version}`] : []));
  const { ready } = sandbox;
  const people = [await rong.login(ready, ME), await rong.login(ready, 'bob'), await rong.login(ready, 'carol')];
  for (const user of people) await rong.say(user, rong.group('lobby'), `${user.user} is here`);
  await check(...people);
  for (const user of people) await user.close();
  await sandbox.stop();
}

const receiptsV1 = () => withReceipts(0, async (me, bob, carol) => {
  const sent = await told(me, rong.one('bob'), bob, 'read me');
  await bob.ok('sendReadReceiptMessage', ME, sent.messageUId, sent.sentTime);
  const receipt = await me.hears('READ_RECEIPT_RECEIVED');
  tap.equal([receipt.conversation.targetId, receipt.messageUId, receipt.sentTime, receipt.sendUserId],
    ['bob', sent.messageUId, sent.sentTime, 'bob'], 'a private receipt');
  const asked = await told(me, rong.group('lobby'), bob, 'who has read?');
  await rong.hear(carol, message => message.messageUId === asked.messageUId);
  await me.ok('sendReadReceiptRequest', 'lobby', asked.messageUId);
  for (const member of [bob, carol]) {
    const request = await member.hears('MESSAGE_RECEIPT_REQUEST');
    tap.equal([request.messageUId, request.senderUserId, request.conversation.targetId], [asked.messageUId, ME, 'lobby'],
      `v1: ${member.user} is asked`);
    await member.ok('sendReadReceiptResponseV2', 'lobby', { [ME]: [asked.messageUId] });
    const response = await me.hears('MESSAGE_RECEIPT_RESPONSE');
    tap.equal([response.receivedUserId, response.messageUIdList], [member.user, [asked.messageUId]], `v1: ${member.user} answers`);
  }
});

const receiptsV2 = () => withReceipts(1, async (me, bob, carol) => {
  const asked = await told(me, rong.group('lobby'), bob, 'who has read?');
  await rong.hear(carol, message => message.messageUId === asked.messageUId);
  await bob.ok('sendReadReceiptResponseV2', 'lobby', { [ME]: [asked.messageUId] });
  const readers = await me.ok('getMessageReader', 'lobby', asked.messageUId);
  tap.equal([readers.totalMemberCount, readers.list.map(reader => reader.userId)], [3, ['bob']], 'v2: who has read, of how many');
});

const receiptsV4 = () => withReceipts(3, async (me, bob) => {
  const sent = await told(me, rong.one('bob'), bob, 'read me');
  await bob.ok('sendReadReceiptMessageV4', rong.one(ME), sent.messageUId);
  const one = await me.hears('MESSAGE_READ_RECEIPT_V4', ({ privateReadReceipt }) => privateReadReceipt);
  tap.equal([one.privateReadReceipt.targetId, one.privateReadReceipt.endMsgTime], ['bob', sent.sentTime], 'v4: a private receipt');
  const asked = await told(me, rong.group('lobby'), bob, 'who has read?');
  await bob.ok('sendReadReceiptMessageV4', rong.group('lobby'), asked.messageUId);
  const inGroup = await me.hears('MESSAGE_READ_RECEIPT_V4', ({ groupReadReceipt }) => groupReadReceipt);
  tap.equal([inGroup.groupReadReceipt.messageUId, inGroup.groupReadReceipt.readedCount, inGroup.groupReadReceipt.totalCount],
    [asked.messageUId, 1, 2], 'v4: how many have read');
  const readers = await me.ok('getMessageReadReceiptV4', rong.group('lobby'), asked.messageUId);
  tap.equal([readers.readCount, readers.totalCount, readers.list.map(reader => reader.userId)], [1, 2, ['bob']], 'v4: who has read');
});

const receiptsV5 = () => withReceipts(4, async (me, bob, carol) => {
  for (const [to, theirs, name, total] of [[rong.one('bob'), rong.one(ME), 'a private chat', 1],
    [rong.group('lobby'), rong.group('lobby'), 'a group', 2]]) {
    const asked = await told(me, to, bob, 'who has read?', { needReceipt: true });
    await bob.ok('sendReadReceiptResponseV5', theirs, [asked.messageUId]);
    const [heard] = await me.hears('MESSAGE_RECEIPT_RESPONSE_V5');
    tap.equal([heard.messageUId, heard.readCount, heard.totalCount, heard.users.map(user => user.userId)],
      [asked.messageUId, 1, total, ['bob']], `v5, ${name}: the sender hears of it`);
    const [info] = await me.ok('getMessageReadReceiptInfoV5', to, [asked.messageUId]);
    tap.equal([info.messageUId, info.readCount, info.unreadCount, info.totalCount], [asked.messageUId, 1, total - 1, total],
      `v5, ${name}: the counts`);
  }
  const asked = await told(me, rong.group('lobby'), bob, 'and you?', { needReceipt: true });
  await rong.hear(carol, message => message.messageUId === asked.messageUId);
  await carol.ok('sendReadReceiptResponseV5', rong.group('lobby'), [asked.messageUId]);
  for (const [readStatus, want] of [[0, ['carol']], [1, ['bob']]]) {
    const page = await me.ok('getMessagesReadReceiptUsersByPageV5', rong.group('lobby'), asked.messageUId,
      { pageToken: '', pageCount: 20, readStatus, order: 0 });
    tap.equal([page.users.map(user => user.userId), page.totalCount], [want, 1], `v5: who has ${readStatus ? 'not ' : ''}read`);
  }
});

tap.run(async () => {
  await counted();
  await driven();
  await kept();
  await receiptsV1();
  await receiptsV2();
  await receiptsV4();
  await receiptsV5();
});
