'use strict';
// Users of SDK 3.6.3, in its own words.
const generation = require('./generation.js');

/** Logs a user in; the result has send, fetchHistoryMessages, getSessionList and close. */
exports.login = async (ready, user, password = 'secret') => {
  const old = await generation.login('3.6.3', ready, user, { password });
  return {
    send: (kind, options) => old.send({ type: kind === 'location' ? 'loc' : kind, ...options }),
    fetchHistoryMessages: old.fetchHistoryMessages,
    getSessionList: () => old.call('getSessionList'),
    close: old.close,
  };
};
