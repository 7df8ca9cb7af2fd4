'use strict';
// One user of an SDK in a process of its own, over the channel between parent and child: {n, call, args} is answered by
// {n, value} or {n, error, type}; what the user hears comes as {name, event}.
const { fork } = require('node:child_process');
const path = require('node:path');
const { Arrivals } = require('./arrivals.js');

/** Starts a program that serves calls: {ask(call, …), seen, end()}. A failed call throws with the SDK's error type. */
exports.start = (program, label) => {
  const child = fork(path.join(__dirname, program), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const seen = new Arrivals();
  const waiting = new Map();
  let last = 0;
  child.on('message', ({ n, value, error, type, name, event }) => {
    if (name) { seen.push({ name, event }); return; }
    const { resolve, reject } = waiting.get(n);
    waiting.delete(n);
    if (error) reject(Object.assign(new Error(`${label}: ${error}`), { type }));
    else resolve(value);
  });
  child.on('exit', code => {
    for (const { reject } of waiting.values()) reject(new Error(`${label}: the process ended with ${code}`));
  });
  const ask = (call, ...args) => new Promise((resolve, reject) => {
    waiting.set(++last, { resolve, reject });
    child.send({ n: last, call, args });
  });
  return { ask, seen, end: () => child.disconnect() };
};

/** The other side: answers the calls of the parent with these functions until the parent is gone. */
exports.serve = calls => {
  process.on('message', async ({ n, call, args }) => {
    try {
      process.send({ n, value: await calls[call](...args) });
    } catch (error) {
      process.send({ n, error: String((error && (error.stack || error.message)) || JSON.stringify(error)),
        type: error && error.type });
    }
  });
  process.on('disconnect', () => process.exit(0));
};

// The parent may be gone already.
exports.tell = (name, event) => process.send({ name, event }, () => {});
