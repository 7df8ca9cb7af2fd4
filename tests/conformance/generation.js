'use strict';
// Users of any generation of the SDK: the calls of sdk_user.js as functions that return promises.
const child = require('./child.js');

/** Logs a user in: {seen, send, fetchHistoryMessages, recall, edit, joinChatRoom, call(name, …), close}. A failed call
 * throws with the SDK's error type. */
exports.login = async (version, ready, user, options = {}) => {
  const { ask, seen, end } = child.start('sdk_user.js', `${user} with ${version}`);
  await ask('login', version, ready, user, options);
  const calls = ['send', 'fetchHistoryMessages', 'recall', 'edit', 'joinChatRoom', 'call'];
  return {
    ...Object.fromEntries(calls.map(name => [name, (...args) => ask(name, ...args)])),
    version, user, seen,
    close: async () => { await ask('close'); end(); },
  };
};
