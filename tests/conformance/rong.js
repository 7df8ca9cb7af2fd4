'use strict';
// Users of RongCloud's SDK 5.38.0, and a script of moontide as one.
const crypto = require('node:crypto');
const bot = require('./bot.js');
const child = require('./child.js');
const moontide = require('./moontide.js');

exports.PRIVATE = 1;
exports.GROUP = 3;
exports.ROOM = 4;
exports.SYSTEM = 6;
exports.ULTRA = 10;

const one = (conversationType, targetId, channelId) => ({ conversationType, targetId, ...(channelId === undefined ? {} : { channelId }) });
exports.one = targetId => one(exports.PRIVATE, targetId);
exports.group = targetId => one(exports.GROUP, targetId);
exports.system = targetId => one(exports.SYSTEM, targetId);
exports.ultra = (targetId, channelId = '') => one(exports.ULTRA, targetId, channelId);

/** The token with which the sandbox lets a user in. */
exports.token = user => `sandbox-${user}`;

/** Tells the sandbox to do something. */
exports.control = async (ready, what, body) => {
  const answer = await fetch(`${ready.rongcloud.navigator}/sandbox/${what}`, { method: 'POST', body });
  if (!answer.ok) throw new Error(`/sandbox/${what}: ${answer.status} ${await answer.text()}`);
};

/** What an app's server says, with its secret. */
exports.api = async (ready, path, fields) => {
  const [nonce, timestamp] = [String(Math.random()), String(Math.floor(Date.now() / 1000))];
  const signature = crypto.createHash('sha1').update('sandbox-app-secret' + nonce + timestamp).digest('hex');
  const answer = await fetch(ready.rongcloud.navigator + path, { method: 'POST', body: new URLSearchParams(fields),
    headers: { 'App-Key': ready.rongcloud.appkey, Nonce: nonce, Timestamp: timestamp, Signature: signature } });
  const result = await answer.json();
  if (result.code !== 200) throw new Error(`${path}: ${JSON.stringify(result)}`);
  return result;
};

/** A page with the SDK that has not connected: {seen, user, call(name, …) → {code, msg, data}, ok(name, …) → data of a
 * call that must succeed, hears(event) → the next such event, login(token), close()}. */
exports.page = async (ready, user, { types, navigators } = {}) => {
  const { ask, seen, end } = child.start('rong_user.js', user);
  const { appkey, navigator } = ready.rongcloud;
  await ask('init', { appkey, navigators: navigators || [navigator], types });
  const call = (name, ...args) => ask('call', name, ...args);
  const ok = async (name, ...args) => {
    const result = await call(name, ...args);
    if (!result || result.code !== 0) throw new Error(`${user}: ${name} ended with ${JSON.stringify(result)}`);
    return result.data;
  };
  return {
    seen, user, call, ok,
    hears: async (name, wants = () => true) =>
      (await seen.take(item => item.name === name && wants(item.event), `${user} hears ${name}`)).event,
    login: (token = exports.token(user)) => call('connect', token),
    async close() {
      await call('disconnect');
      end();
      const thrown = seen.items.find(item => item.name === 'unhandled');
      if (thrown) throw new Error(`${user}: the SDK threw ${thrown.event}`);
    },
  };
};

/** A user that is online and has all that waited for it. */
exports.login = async (ready, user, options = {}) => {
  const page = await exports.page(ready, user, options);
  const { code, msg } = await page.login(options.token);
  if (code !== 0) throw new Error(`${user}: connect ended with ${code} ${msg}`);
  await page.hears('PULL_OFFLINE_MESSAGE_FINISHED');
  return page;
};

/** A message of the SDK's classes or of the app's own types, to be made on the user's page. */
exports.message = (name, content) => ({ $message: name, content });
exports.text = content => exports.message('TextMessage', { content });

/** Sends a text; the message as the SDK returns it. */
exports.say = (user, to, content, options) => user.ok('sendMessage', to, exports.text(content), options || {});

/** The next message that the user hears and that is wanted. */
exports.hear = async (user, wants) => {
  const fits = message => wants(message);
  const event = await user.hears('MESSAGES', ({ messages }) => messages.some(fits));
  return event.messages.find(fits);
};

/** The script of bot.js as a device of the user. */
exports.bot = (ready, user, { extra, rights } = {}) => {
  const direct = async name => {
    const director = await exports.login(ready, name);
    const command = what => exports.message('CommandMessage', { name: JSON.stringify(what), data: '' });
    return { order: what => director.ok('sendMessage', exports.one(user), command(what)), close: director.close };
  };
  return bot.start(moontide.rongConfig(ready, user, extra), user, direct, { password: exports.token(user), rights });
};
