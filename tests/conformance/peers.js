'use strict';
// Who takes part in a test of live accounts: a script of moontide that does what it is told and prints all that it hears,
// and users of the official SDK 4.21.1 that keep all that they hear.
const { Arrivals } = require('./arrivals.js');
const bot = require('./bot.js');
const moontide = require('./moontide.js');
const sdk = require('./sdk.js');

/** The script of bot.js as a device of the user. */
exports.bot = (ready, user, { extra = '', password = () => 'secret', rights } = {}) => {
  const direct = async name => {
    const connection = await sdk.login(ready, name, { password: password(name) });
    return {
      order: what => sdk.send(connection, { type: 'cmd', chatType: 'singleChat', to: user, action: JSON.stringify(what) }),
      close: () => connection.close(),
    };
  };
  return bot.start(moontide.config(ready, user, extra), user, direct, { password: password(user), rights });
};

const EVENTS = ['onTextMessage', 'onImageMessage', 'onAudioMessage', 'onVideoMessage', 'onFileMessage', 'onCmdMessage',
  'onCustomMessage', 'onLocationMessage', 'onCombineMessage', 'onReadMessage', 'onDeliveredMessage', 'onRecallMessage',
  'onChannelMessage', 'onModifiedMessage', 'onMultiDeviceEvent', 'onMessagePinEvent', 'onStatisticMessage',
  'onReconnecting', 'onDisconnected', 'onTokenWillExpire', 'onTokenExpired', 'onOfflineMessageSyncStart',
  'onOfflineMessageSyncFinish'];

/** A user of SDK 4.21.1: {connection, seen, user}. What the director says to the user's other device is not kept. */
exports.user = async (ready, user, password, options) => {
  const seen = new Arrivals();
  const on = name => event => { if (!String(event && event.from).startsWith(bot.DIRECTOR)) seen.push({ name, event }); };
  const events = Object.fromEntries(EVENTS.map(name => [name, on(name)]));
  return { connection: await sdk.login(ready, user, { events, password, options }), seen, user };
};

exports.DIRECTOR = bot.DIRECTOR;
