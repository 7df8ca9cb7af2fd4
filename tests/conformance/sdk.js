'use strict';
// The official SDK, unmodified, as a user of the sandbox.
require('./browser.js');
for (const name of ['debug', 'info', 'log', 'warn', 'error']) window['_' + name] = () => {};
const SDK4 = require('easemob-websdk');

// The SDKs print what they do; a test's output is TAP and nothing else.
SDK4.logger.disableAll();

let sdk3 = null;
function SDK3() {
  if (!sdk3) {
    const loaded = require('easemob-websdk-3');
    sdk3 = loaded.default || loaded;
    if (sdk3.logger) sdk3.logger.disableAll();
  }
  return sdk3;
}

const connections = {
  4: ready => new SDK4.connection({
    appKey: ready.easemob.appkey, url: ready.easemob.websocket, apiUrl: ready.easemob.rest,
    isHttpDNS: false, https: false, delivery: false, heartBeatWait: 30000, autoReconnectNumMax: 0,
  }),
  3: ready => new (SDK3().connection)({
    appKey: ready.easemob.appkey, url: ready.easemob.rest + '/ws',
    apiUrl: ready.easemob.rest, isHttpDNS: false, https: false, isAutoLogin: true, autoReconnectNumMax: 0,
    heartBeatWait: 30000,
  }),
};

/** Logs a user in. version is 4 or 3. */
exports.login = (ready, user, { version = 4, password = 'secret', events } = {}) => new Promise((resolve, reject) => {
  const connection = connections[version](ready);
  const handlers = { ...(events || {}) };
  const onOpened = () => resolve(connection);
  const onError = error => reject(new Error(`${user}: ${JSON.stringify(error && error.type)} ${error && error.message}`));
  if (version === 4) {
    connection.addEventHandler('conformance', { onConnected: onOpened, onError, ...handlers });
    connection.open({ user, pwd: password }).catch(reject);
  } else {
    connection.listen({ onOpened, onError, ...handlers });
    connection.open({ user, pwd: password, appKey: ready.easemob.appkey });
  }
});

exports.message4 = SDK4.message;
exports.utils4 = SDK4.utils;
exports.message3 = () => SDK3().message;

/** Sends a message built from SDK 4 options; resolves the server's message id. */
exports.send = async (connection, options) => {
  const result = await connection.send(SDK4.message.create(options));
  return result.serverMsgId;
};

/** Sends with SDK 3's callback style. */
exports.send3 = (connection, kind, options) => new Promise((resolve, reject) => {
  const { message } = SDK3();
  const built = new message(kind, connection.getUniqueId());
  built.set({ ...options, success: (id, serverId) => resolve(serverId), fail: reject });
  connection.send(built.body);
});
