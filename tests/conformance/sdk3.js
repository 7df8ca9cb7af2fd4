'use strict';
// Users of SDK 3.6.3: the calls of sdk3_user.js as functions that return promises.
const { fork } = require('node:child_process');
const path = require('node:path');

/** Logs a user in; the result has send, fetchHistoryMessages, getSessionList and close. */
exports.login = async (ready, user, password = 'secret') => {
  const child = fork(path.join(__dirname, 'sdk3_user.js'), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const waiting = new Map();
  let last = 0;
  child.on('message', ({ n, value, error }) => {
    const { resolve, reject } = waiting.get(n);
    waiting.delete(n);
    if (error) reject(new Error(`${user} with 3.6.3: ${error}`));
    else resolve(value);
  });
  child.on('exit', code => {
    for (const { reject } of waiting.values()) reject(new Error(`${user} with 3.6.3: the process ended with ${code}`));
  });
  const call = (name, ...args) => new Promise((resolve, reject) => {
    waiting.set(++last, { resolve, reject });
    child.send({ n: last, call: name, args });
  });
  await call('login', ready, user, password);
  return {
    send: (kind, options) => call('send', kind, options),
    fetchHistoryMessages: options => call('fetchHistoryMessages', options),
    getSessionList: () => call('getSessionList'),
    close: async () => { await call('close'); child.disconnect(); },
  };
};
