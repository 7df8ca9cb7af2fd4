'use strict';
// The official SDKs, unmodified, as users of the sandbox. 4.21.1 can have many connections in one process; an older one
// keeps its connection in module-wide state and runs in a process of its own (generation.js).
require('./browser.js');
for (const name of ['debug', 'info', 'log', 'warn', 'error']) window['_' + name] = () => {};

const NEWEST = '4.21.1';
// Agora's package is the same SDK under another name.
const PACKAGES = { '3.6.3': 'easemob-websdk-3', '4.0.8': 'easemob-websdk-4.0', '4.1.2': 'easemob-websdk-4.1',
  'agora-chat 1.4.0': 'agora-chat', '4.21.1': 'easemob-websdk' };
const SOCKJS = ['3.6.3', '4.0.8', '4.1.2'];

const loaded = new Map();
/** The SDK's module. The SDKs print what they do; a test's output is TAP and nothing else. */
function load(version) {
  if (!loaded.has(version)) {
    const required = require(PACKAGES[version]);
    const sdk = required.default || required;
    if (sdk.logger && sdk.logger.disableAll) sdk.logger.disableAll();
    loaded.set(version, sdk);
  }
  return loaded.get(version);
}

/** Logs a user in; resolves the connection. 3.6.3 knows only listen, whose events have names of their own. */
exports.login = (ready, user, { version = NEWEST, password = 'secret', events, options } = {}) => new Promise((resolve, reject) => {
  const { appkey, rest, websocket } = ready.easemob;
  const listens = version === '3.6.3';
  const connection = new (load(version).connection)({
    appKey: appkey, url: SOCKJS.includes(version) ? rest + '/ws' : websocket, apiUrl: rest, isHttpDNS: false, https: false,
    delivery: false, isAutoLogin: true, heartBeatWait: 30000, autoReconnectNumMax: 0, ...options,
  });
  const opened = () => resolve(connection);
  const onError = error => reject(new Error(`${user}: ${JSON.stringify(error && error.type)} ${error && error.message}`));
  if (listens) connection.listen({ onOpened: opened, onError, ...events });
  else connection.addEventHandler('conformance', { onConnected: opened, onError, ...events });
  const opening = connection.open({ user, pwd: password, appKey: appkey });
  if (!listens && opening && opening.catch) opening.catch(reject);
});

exports.message = version => load(version).message;
exports.message4 = load(NEWEST).message;
exports.utils4 = load(NEWEST).utils;

/** Sends a message built from the options of the newest SDK; resolves the server's message id. */
exports.send = async (connection, options) => {
  const result = await connection.send(exports.message4.create(options));
  return result.serverMsgId;
};

/** Sends with the oldest SDK's callback style. */
exports.send3 = (connection, kind, options) => new Promise((resolve, reject) => {
  const { message } = load('3.6.3');
  const built = new message(kind, connection.getUniqueId());
  built.set({ ...options, success: (id, serverId) => resolve(serverId), fail: reject });
  if (built.setChatType && options.chatType) built.setChatType(options.chatType);
  if (options.msgConfig) built.body.msgConfig = options.msgConfig;
  if (options.ackContent) built.body.ackContent = options.ackContent;
  connection.send(built.body);
});
